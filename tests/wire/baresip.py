#!/usr/bin/env python3
"""baresip of the Debian package as three phones on UDP, TCP and TLS, driven through its console: chats of two and of a group,
what comes while a phone is off, and contents that it does not read."""
import os
import socket
import subprocess
import threading
import time

import harness
from certificates import Certificate
from clients import Sip

PATIENCE = 60 # seconds; a test that waits longer fails
CPIM = ("From: <sip:dave@example.com>\r\nTo: <sip:carol@example.com>\r\n\r\n"
        "Content-Type: text/plain\r\n\r\nout of an envelope")
CONFIG = """module_path /usr/lib/baresip/modules
module_app account.so
module_app contact.so
module_app menu.so
module_app cons.so
cons_listen 127.0.0.1:{console}
sip_listen 127.0.0.1:0
sip_cafile {authority}
"""


class Phone:
    def __init__(self, system, user, transport, peer, authority):
        self.user, self.told = user, ""
        self.folder = system.path(user)
        os.makedirs(self.folder, exist_ok=True)
        console = harness.free_port()
        port = system.ports["sips" if transport == "tls" else "sip"]
        self.write("config", CONFIG.format(console=console, authority=authority.crt))
        self.write("accounts", f"<sip:{user}@example.com;transport={transport}>;auth_pass={user};"
                               f"outbound=\"sip:127.0.0.1:{port};transport={transport}\";regint=600\n")
        self.write("contacts", f"<sip:{peer}@example.com>\n")
        self.log = open(system.path(f"{user}.log"), "ab+")
        self.process = subprocess.Popen(["baresip", "-s", "-f", self.folder], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, cwd=self.folder)
        self.console = None
        self.open_console(console)
        threading.Thread(target=self.listen, daemon=True).start()
        self.wait_until(lambda: "[1 binding]" in self.tail(), "registered")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def tail(self):
        return open(self.log.name, errors="replace").read()

    def wait_until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline and self.process.poll() is None, \
                f"{self.user}: not {what}: {self.told}\n{self.tail()[-3000:]}"
            time.sleep(0.05)

    def open_console(self, port):
        def connected():
            try:
                self.console = socket.create_connection(("127.0.0.1", port))
            except ConnectionRefusedError:
                return False
            return True
        self.wait_until(connected, "listening at its console")

    def listen(self):
        while data := self.console.recv(4096):
            self.told += data.decode(errors="replace")

    def say(self, text):
        self.console.sendall(f"/message {text}\n".encode())

    def wait_for(self, sender, text):
        self.wait_until(lambda: f'\rsip:{sender}@example.com: "{text}"\n' in self.told, f"told '{text}'")

    def wait_for_early(self, *texts):
        """What came before anybody was at the console stands in the trace alone, in its order."""
        def places():
            return [self.tail().find(f"\n\n{text}\x1b") for text in texts]
        self.wait_until(lambda: min(places()) >= 0, f"told {texts}")
        assert places() == sorted(places()), self.tail()

    def close(self):
        """It unregisters before it ends."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=PATIENCE)
        if self.console:
            self.console.shutdown(socket.SHUT_RDWR)
            self.console.close()
        self.log.close()


def two_chat(alice, bob, carol):
    alice.say("grüße")
    bob.wait_for("alice", "grüße")
    carol.say("by TLS")
    alice.wait_for("carol", "by TLS")


def a_group_chats(alice, bob, carol):
    bob.say("Lunch at noon?")
    for phone in (alice, carol):
        phone.wait_for("bob", "Lunch at noon?")


def what_comes_while_a_phone_is_off_waits(alice, bob, open_bob):
    bob.close()
    alice.say("one")
    alice.wait_until(lambda: alice.tail().count("SIP/2.0 202 ") == 1, "told that it is kept")
    alice.say("two")
    bob = open_bob()
    bob.wait_for_early("one", "two")


def it_reads_text_alone_and_gets_it_out_of_an_envelope(system, carol):
    dave = Sip(system.ports["sip"], "dave")
    uri = "sip:carol@example.com"
    for kind, body, wanted in (("message/cpim", CPIM, 200), ("image/png", "x", 415)):
        status = dave.request("MESSAGE", uri, uri, f"Content-Type: {kind}\r\n", body)
        assert status == wanted, (kind, status)
    carol.wait_for("dave", "out of an envelope")
    dave.close()


def test(system):
    authority = Certificate(system.folder, "ca", is_authority=True, subject="Test CA")
    certificate = Certificate(system.folder, "server", authority, ("DNS:localhost", "IP:127.0.0.1"))
    system.glue.stop()
    system.glue_options = harness.sips(certificate)
    system.start_glue()
    status, _ = system.curl("PUT", system.url(harness.GROUPS, "alice", "team"), "alice",
                            harness.group_xml("sip:team@example.com", ["alice", "bob", "carol"]),
                            "application/vnd.oma.poc.groups+xml")
    assert status == 201, status
    phones = []

    def phone(*arguments):
        phones.append(Phone(system, *arguments, authority))
        return phones[-1]

    try:
        alice, bob, carol = phone("alice", "udp", "bob"), phone("bob", "tcp", "team"), phone("carol", "tls", "alice")
        two_chat(alice, bob, carol)
        a_group_chats(alice, bob, carol)
        what_comes_while_a_phone_is_off_waits(alice, bob, lambda: phone("bob", "tcp", "team"))
        it_reads_text_alone_and_gets_it_out_of_an_envelope(system, carol)
    finally:
        for one in phones:
            if one.process.poll() is None:
                one.close()


harness.main(test)
