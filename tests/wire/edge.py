#!/usr/bin/env python3
"""A Kamailio of the Debian package as the edge of docs/examples/kamailio in front of im-glue: phones behind NATs register and
send through it and are reached by its Path, over their own flow where they ask for one."""
import os
import re
import socket
import threading
import time

import harness
import kamailio_program
from clients import Sip
from phones import PATIENCE, Phone


class Nat(Sip):
    """Tells its private address, and is reached where it sends from."""

    def register(self, expires=3600):
        return self.request("REGISTER", "sip:example.com", f"sip:{self.user}@example.com",
                            f"Contact: <sip:{self.user}@10.0.0.7:5062>\r\nSupported: path\r\nExpires: {expires}\r\n")


class Flow(Phone):
    """Over TCP, with a flow of its own (RFC 5626)."""
    VIA = "TCP 10.0.0.8:5060;rport"

    def __init__(self, port, user):
        super().__init__(port, user, None, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))

    def register(self, contact=None):
        uri = f"sip:{self.user}@10.0.0.8:5060;transport=tcp"
        instance = "<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"
        return self.request("REGISTER", "sip:example.com", f"sip:{self.user}@example.com",
                            f'Contact: <{uri}>;reg-id=1;+sip.instance="{instance}"\r\nSupported: path, outbound\r\n'
                            "Expires: 3600\r\n")

    def take(self):
        message = super().take()
        if message and message.startswith("SIP/2.0 200"):
            self.accepted = message
        return message


def hear(phone, count):
    """Answers until that many have come, or patience ends."""
    deadline = time.monotonic() + PATIENCE
    while len(phone.received) < count and time.monotonic() < deadline:
        if isinstance(phone, Flow):
            phone.take()
        else:
            phone.listen(0.2)


def delivered(sender, phone, body):
    """The phone answers while the sender waits."""
    count = len(phone.received) + 1
    answering = threading.Thread(target=hear, args=(phone, count))
    answering.start()
    status = sender.send(phone.user, body)
    answering.join()
    assert status == 200 and phone.received[-1] == body, (status, phone.received)


def through_the_edge(system):
    port, phones = harness.free_port(), []
    edge = kamailio_program.Kamailio(system, "edge.cfg", port, (
        ("127.0.0.1:5080", f"127.0.0.1:{port}"), ("127.0.0.1:5060", f"127.0.0.1:{system.ports['sip']}")))
    try:
        alice, bob, carol = (Nat(port, user) for user in ("alice", "bob", "carol"))
        dave = Flow(port, "dave")
        phones = [alice, bob, carol, dave]
        for phone in (alice, bob, dave):
            assert phone.register() == 200, edge.tail()
        path = re.search(r"(?im)^Path: *(.*)$", bob.answered).group(1)
        assert f"127.0.0.1:{port}" in path and f"received=sip:127.0.0.1:{bob.port}" in path.replace("%3A", ":"), path
        assert re.search(r"(?im)^Require: *outbound", dave.accepted) and ";ob" in dave.accepted, dave.accepted
        delivered(alice, bob, "behind a NAT")
        assert bob.heads[-1].startswith("MESSAGE sip:bob@10.0.0.7:5062 SIP/2.0"), bob.heads
        delivered(alice, dave, "over a flow")
        assert alice.send("carol", "for later") == 202
        assert carol.register() == 200
        hear(carol, 1)
        assert carol.received == ["for later"], carol.received
        assert bob.register(expires=0) == 200
        assert alice.send("bob", "he has gone") == 202
        assert bob.register() == 200
        hear(bob, 2)
        assert bob.received[1:] == ["he has gone"], bob.received
    finally:
        for phone in phones:
            phone.close()
        edge.close()


os.chdir(harness.SOURCE)
harness.main(through_the_edge)
