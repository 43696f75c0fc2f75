#!/usr/bin/env python3
"""Linphone's library (Debian's liblinphone) as three phones on UDP, TCP and TLS, with CPIM, reports and isComposing: chats of
two and of a group, and what comes while a phone is off. linphone_phone.c makes a phone of the library."""
import os
import subprocess
import sys
import threading
import time

import harness
from certificates import Certificate

PATIENCE = 60 # seconds; a test that waits longer fails
TEAM = "sip:team@example.com"


class Phone:
    def __init__(self, system, user, transport, authority):
        self.user, self.told = user, []
        folder = system.path(user)
        os.makedirs(folder, exist_ok=True)
        self.log = open(system.path(f"{user}.log"), "ab")
        port = system.ports["sips" if transport == "tls" else "sip"]
        self.process = subprocess.Popen(
            [os.path.join(system.build, "linphone_phone"), f"sip:localhost:{port};transport={transport}", user,
             folder + "/", authority.crt], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.listener = threading.Thread(target=self.listen)
        self.listener.start()

    def listen(self):
        for line in self.process.stdout:
            self.told.append(line.strip())

    def say(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def wait_for(self, beginning, count=1):
        """So many lines that begin so."""
        deadline = time.monotonic() + PATIENCE
        while sum(line.startswith(beginning) for line in self.told) < count:
            assert time.monotonic() < deadline and self.process.poll() is None, \
                f"{self.user}: no '{beginning}' in {self.told}"
            time.sleep(0.02)

    def close(self):
        """Unregisters; a phone that does not is ended."""
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.listener.join()
        self.process.stdout.close()
        self.log.close()


def wait_for_steps(system, user, wanted):
    """Of the messages of a user; records that nobody waits for are a moment late."""
    deadline = time.monotonic() + PATIENCE
    while not wanted <= {line.split()[1] for line in system.ctl("trace", user).splitlines() if line.startswith("    ")}:
        assert time.monotonic() < deadline, system.ctl("trace", user)
        time.sleep(0.05)


def two_chat(system, alice, bob):
    alice.say("compose sip:bob@example.com")
    bob.wait_for("composing yes")
    alice.say("send sip:bob@example.com grüße")
    bob.wait_for("message sip:alice@example.com text/plain grüße")
    alice.wait_for("state delivered grüße")
    assert not any(line.startswith("state displayed") for line in alice.told), alice.told
    bob.say("read sip:alice@example.com")
    alice.wait_for("state displayed grüße")
    wait_for_steps(system, "bob", {"received", "delivered", "reported", "displayed"})
    bob.say("send sip:alice@example.com hello yourself")
    alice.wait_for("message sip:bob@example.com text/plain hello yourself")
    bob.wait_for("state delivered hello yourself")


def a_group_chats(alice, bob, carol):
    bob.say(f"send {TEAM} Lunch at noon?")
    for phone in (alice, carol):
        phone.wait_for("message sip:bob@example.com text/plain Lunch at noon?")
    bob.wait_for("state delivered Lunch at noon?")  # by the reports of both in one envelope


def what_comes_while_a_phone_is_off_is_reported_when_it_is_on(alice, carol, open_carol):
    carol.close()
    alice.say("compose sip:carol@example.com")
    alice.say("send sip:carol@example.com for later")
    alice.wait_for("state accepted for later")
    carol = open_carol()
    carol.wait_for("message sip:alice@example.com text/plain for later")
    alice.wait_for("state delivered for later")
    carol.say("read sip:alice@example.com")
    alice.wait_for("state displayed for later")
    assert "composing yes" not in " ".join(carol.told), carol.told
    return carol


def what_was_accepted_and_is_dropped_is_reported(system, alice):
    """To dave, who never comes; by the server itself."""
    alice.say("send sip:dave@example.com never read")
    alice.wait_for("state accepted never read")
    system.ctl("queue", "drop", "dave", "--all")
    alice.wait_for("state failed never read")
    wait_for_steps(system, "dave", {"stored", "deleted", "reported"})


def what_is_refused_is_told(alice):
    alice.say("send sip:nobody@example.com to nobody")
    alice.wait_for("state failed to nobody")


def test(system):
    authority = Certificate(system.folder, "ca", is_authority=True, subject="Test CA")
    certificate = Certificate(system.folder, "server", authority, ("DNS:localhost", "IP:127.0.0.1"))
    system.glue.stop()
    system.glue_options = harness.sips(certificate, "im.report-window=1")
    system.start_glue()
    status, _ = system.curl("PUT", system.url(harness.GROUPS, "alice", "team"), "alice",
                            harness.group_xml(TEAM, ["alice", "bob", "carol"]), "application/vnd.oma.poc.groups+xml")
    assert status == 201, status
    phones = []

    def phone(user, transport):
        phones.append(Phone(system, user, transport, authority))
        phones[-1].wait_for("registration LinphoneRegistrationOk")
        return phones[-1]

    try:
        alice, bob, carol = phone("alice", "tls"), phone("bob", "udp"), phone("carol", "tcp")
        two_chat(system, alice, bob)
        a_group_chats(alice, bob, carol)
        what_comes_while_a_phone_is_off_is_reported_when_it_is_on(alice, carol, lambda: phone("carol", "tcp"))
        what_was_accepted_and_is_dropped_is_reported(system, alice)
        what_is_refused_is_told(alice)
    finally:
        for left in phones:
            if left.process.poll() is None:
                left.close()


assert os.path.exists(os.path.join(sys.argv[1], "linphone_phone")), "linphone_phone is missing: ./dev test installs liblinphone"
harness.main(test)
