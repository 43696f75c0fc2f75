#!/usr/bin/env python3
"""im-glue behind WebSocket, plain and encrypted, with a client that is written out frame by frame: browsers chat with each
other and with phones on other transports."""
import contextlib
import random
import socket
import ssl

from certificates import Certificate
from clients import Sip
from phones import PATIENCE, Browser, relay

import harness

SEED = 20260105


def browsers_and_phones_chat(system, tls):
    alice = Browser(system.ports["wss"], "alice", tls)
    bob = Browser(system.ports["ws"], "bob", None)
    status, challenge = alice.once("REGISTER", "sip:example.com", "sip:alice@example.com", "", "")
    assert status == 401 and challenge.count("WWW-Authenticate") == 1 and "algorithm=MD5" in challenge, challenge
    assert alice.register() == 200 and bob.register() == 200
    for phone in (alice, bob):
        phone.socket.settimeout(0.2) # both are heard while the other waits
    assert relay(alice, bob, "sip:bob@example.com", "grüße") == 200
    assert bob.received == ["grüße"] and bob.vias[0].startswith("SIP/2.0/WS "), bob.vias
    assert relay(bob, alice, "sips:alice@example.com", "x" * 60000) == 200 and alice.received == ["x" * 60000]
    assert alice.vias[0].startswith("SIP/2.0/WSS ")
    carol = Sip(system.ports["sip"], "carol")
    assert carol.register() == 200
    assert relay(alice, None, "sip:carol@example.com", "to UDP", carol) == 200 and carol.received == ["to UDP"]
    carol.close()
    return alice, bob


def what_comes_while_the_browser_is_closed_is_kept(system, alice, bob, tls):
    bob.socket.close()
    assert alice.send("sip:bob@example.com", "are you back?") == 202
    bob = Browser(system.ports["wss"], "bob", tls)
    assert bob.register() == 200
    bob.wait_for_message()
    assert bob.received == ["are you back?"]
    return bob


def pings_and_blank_lines_are_answered(alice):
    alice.frame(0x89, b"there?")
    alice.frame(0x81, b"\r\n\r\n")
    assert alice.hear() == "\r\n" and alice.pongs == [b"there?"]


def the_end_is_told(system, tls):
    """By us, and by im-glue when the rules are broken."""
    for first, payload, code in ((0x88, b"\x03\xe8", 1000), (0x83, b"", 1002), (0x81, b"\xff", 1007)):
        dave = Browser(system.ports["wss"], "dave", tls)
        dave.frame(first, payload)
        try:
            dave.hear()
            raise AssertionError("no end")
        except ConnectionError:
            assert dave.closed == code, dave.closed
        assert dave.socket.recv(100) == b""
        dave.close()


def what_is_no_websocket_is_refused(system):
    for request, status in ((b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 426 "),
                            (b"OPTIONS sip:example.com SIP/2.0\r\n\r\n", b"HTTP/1.1 400 "),
                            (b"GET / HTTP/1.1\r\nX: " + b"x" * 70000, b"HTTP/1.1 431 ")):
        with socket.create_connection(("127.0.0.1", system.ports["ws"]), timeout=PATIENCE) as sock:
            sock.sendall(request)
            answer = b""
            while data := sock.recv(65536):
                answer += data
            assert answer.startswith(status), answer


def noise_hurts_nobody(system, tls):
    generator = random.Random(SEED)
    for i in range(60):
        plain = Browser(system.ports["ws"], "dave", None)
        data = [generator.randbytes(300), b"\x81\xff" + b"\xff" * 8 + b"x" * 100, b"\x01\x80" + b"m" * 4 + b"\x81\x80",
                b"\x89\x80mmmm" * 2000][i % 4]
        plain.socket.sendall(data)
        plain.socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while plain.socket.recv(65536):
                pass
        plain.close()
    dave = Browser(system.ports["wss"], "dave", tls)
    assert dave.register() == 200
    dave.close()


def test(system):
    authority = Certificate(system.folder, "ca", is_authority=True, subject="Test CA")
    certificate = Certificate(system.folder, "server", authority, ("DNS:localhost", "IP:127.0.0.1"))
    tls = ssl.create_default_context(cafile=authority.crt)
    system.glue.stop()
    system.glue_options = ["--ws", "127.0.0.1:0", "--wss", "127.0.0.1:0", "--set", f"tls.certificate={certificate.crt}",
                           "--set", f"tls.key={certificate.key}"]
    system.start_glue()
    alice, bob = browsers_and_phones_chat(system, tls)
    alice.socket.settimeout(PATIENCE)
    bob = what_comes_while_the_browser_is_closed_is_kept(system, alice, bob, tls)
    pings_and_blank_lines_are_answered(alice)
    the_end_is_told(system, tls)
    what_is_no_websocket_is_refused(system)
    noise_hurts_nobody(system, tls)
    alice.close()
    bob.close()


harness.main(test)
