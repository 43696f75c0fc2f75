#!/usr/bin/env python3
"""A Kamailio of the Debian package as the watcher of docs/examples/kamailio: its module for the event package reg reads what
im-glue tells of contacts, and it finds phones by that."""
import os
import threading
import time

import harness
import kamailio_program
from clients import Sip
from phones import PATIENCE


class Phone(Sip):
    """Answers OPTIONS too."""

    def take(self):
        message = super().take()
        if message and message.startswith("OPTIONS "):
            kept = [line for line in message.split("\r\n") if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
            self.socket.sendto("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode(), self.server)
            return None
        return message


def found(alice, bob, wanted):
    """What the watcher says of bob, as soon as it is that."""
    stop = threading.Event()

    def answer():
        while not stop.is_set():
            bob.listen(0.1)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        deadline = time.monotonic() + PATIENCE
        while (status := alice.request("OPTIONS", "sip:bob@example.com", "sip:bob@example.com")) != wanted:
            assert time.monotonic() < deadline, f"{status} instead of {wanted}"
            time.sleep(0.2)
    finally:
        stop.set()
        thread.join()


def watched(system):
    port = harness.free_port()
    watcher = kamailio_program.Kamailio(system, "watcher.cfg", port, (
        ("127.0.0.1:5080", f"127.0.0.1:{port}"), ("127.0.0.1:5060", f"127.0.0.1:{system.ports['sip']}"),
        ("text:///etc/kamailio/dbtext", kamailio_program.database(system))))
    alice, bob = phones = [Phone(port, user) for user in ("alice", "bob")]
    try:
        found(alice, bob, 404)
        assert bob.register() == 200, watcher.tail()
        found(alice, bob, 200)
        assert bob.register(expires=0) == 200, watcher.tail()
        found(alice, bob, 404)
        assert bob.register() == 200, watcher.tail()
        found(alice, bob, 200)
    except BaseException:
        print(watcher.tail())
        raise
    finally:
        for phone in phones:
            phone.close()
        watcher.close()


os.chdir(harness.SOURCE)
harness.main(watched, glue_options=("--set", "identity.trusted-peers=127.0.0.1",
                                    "--set", "sip.registration-watchers=sip:watcher@example.com"))
