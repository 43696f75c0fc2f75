#!/usr/bin/env python3
"""A Kamailio of the Debian package as the registrar and core of docs/examples/kamailio, im-glue behind it: Kamailio registers
its users there and tells of their devices, each message visits im-glue for its sender and for its recipient, and what was
kept leaves through Kamailio when its recipient is back."""
import os
import re
import threading
import time

import harness
import kamailio_program
from clients import Sip
from phones import PATIENCE

USERS = ("alice", "bob", "carol")
GROUP_TYPE = "application/vnd.oma.poc.groups+xml"


def hear(phone, count):
    deadline = time.monotonic() + PATIENCE
    while len(phone.received) < count and time.monotonic() < deadline:
        phone.listen(0.2)


def delivered(sender, phones, target, body, wanted):
    """The phones answer while the sender waits."""
    threads = [threading.Thread(target=hear, args=(phone, len(phone.received) + 1)) for phone in phones]
    for thread in threads:
        thread.start()
    status = sender.send(target, body)
    for thread in threads:
        thread.join()
    assert status == wanted, (status, sender.answered)
    for phone in phones:
        assert phone.received[-1] == body, (phone.user, phone.received)


def wait_for_log(system, text, count=1):
    deadline = time.monotonic() + PATIENCE
    while open(system.glue.log_path, errors="replace").read().count(text) < count:
        assert time.monotonic() < deadline, f"not in the log: {text}\n{system.glue.tail()}"
        time.sleep(0.1)


def behind_a_core(system):
    port, phones = harness.free_port(), []
    core = kamailio_program.Kamailio(system, "core.cfg", port, (
        ("127.0.0.1:5080", f"127.0.0.1:{port}"), ("127.0.0.1:5060", f"127.0.0.1:{system.ports['sip']}"),
        ("text:///etc/kamailio/dbtext", kamailio_program.database(system, USERS))))
    try:
        alice, bob, carol = phones = [Sip(port, user) for user in USERS]
        for phone in (alice, bob):
            assert phone.register() == 200, core.tail()
            wait_for_log(system, f"core told user=sip:{phone.user}@example.com devices=1 gone=0")
        delivered(alice, [bob], "bob", "through the core", 200)
        head = bob.heads[-1]
        assert head.startswith(f"MESSAGE sip:bob@127.0.0.1:{bob.port}"), head
        assert "P-Asserted-Identity: <sip:alice@example.com>" in head, head
        call = re.search(r"(?im)^Call-ID: *(\S+)", head).group(1)
        wait_for_log(system, f"method=MESSAGE status=200 user=sip:alice@example.com call-id={call} ", 2)
        assert alice.send("carol", "for later") == 202, alice.answered
        assert carol.register() == 200
        hear(carol, 1)
        assert carol.received == ["for later"], carol.received
        # he leaves, and the core tells of it
        assert bob.register(expires=0) == 200
        wait_for_log(system, "core told user=sip:bob@example.com devices=0")
        assert alice.send("bob", "he has gone") == 202, alice.answered
        assert bob.register() == 200
        hear(bob, 2)
        assert bob.received[1:] == ["he has gone"], bob.received
        # a group of im-glue's, whose members are the core's
        team = harness.group_xml("sip:team@example.com", USERS)
        assert system.curl("PUT", system.url(harness.GROUPS, "alice", "team"), "alice", team, GROUP_TYPE)[0] == 201
        delivered(alice, [bob, carol], "team", "all of you", 202)
        # after a restart of im-glue the core is asked again
        system.glue.stop()
        system.start_glue()
        wait_for_log(system, "core told user=sip:carol@example.com devices=1", 2)
        delivered(alice, [carol], "carol", "still there", 200)
        assert not alice.received, alice.received
    except BaseException:
        print(core.tail())
        raise
    finally:
        for phone in phones:
            phone.close()
        core.close()


os.chdir(harness.SOURCE)
harness.main(behind_a_core, users=USERS, glue_options=("--set", "identity.trusted-peers=127.0.0.1",
                                                        "--set", "sip.cores=127.0.0.1", "--set", "sip.registrars-watched=127.0.0.1"))
