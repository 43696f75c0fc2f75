#!/usr/bin/env python3
"""im-glue behind TLS, with Python's ssl and openssl as clients: messages over connections of the clients' own and over
connections that im-glue makes, certificates on both sides and exchanged under open connections, noise at the port."""
import contextlib
import hashlib
import os
import random
import select
import signal
import socket
import ssl
import subprocess
import time

import harness
from certificates import Certificate, context
from clients import Sip
from phones import PATIENCE, Phone, relay

SEED = 20260105


def messages_pass_over_connections_of_the_clients(system, port, tls):
    alice, bob = Phone(port, "alice", tls), Phone(port, "bob", tls)
    assert alice.register() == 200 and bob.register() == 200
    bob.socket.settimeout(0.2) # a relay waits for bob, who is heard while it does
    assert relay(alice, bob, "sip:bob@example.com", "over TLS") == 200
    assert bob.received == ["over TLS"] and bob.vias[0].startswith(f"SIP/2.0/TLS 127.0.0.1:{port};"), bob.vias
    large = "x" * 60000
    assert relay(alice, bob, "sips:bob@example.com", large) == 200 and bob.received[1] == large
    udp = Sip(system.ports["sip"], "carol")
    assert udp.register() == 200
    status = relay(alice, None, "sip:carol@example.com", "to UDP", udp)
    assert status == 200 and udp.received == ["to UDP"], status
    udp.close()
    return alice, bob


def keep_alives_are_answered(port, tls):
    phone = Phone(port, "dave", tls)
    for _ in range(3):
        phone.socket.sendall(b"\r\n\r\n")
        assert phone.socket.recv(100) == b"\r\n"
    phone.close()


def what_is_for_sips_does_not_leave_in_the_clear(system, alice):
    """carol is there by UDP; what is sent to her sips address waits until she comes by TLS."""
    assert alice.send("sips:carol@example.com", "not for everybody") == 202
    carol = Sip(system.ports["sip"], "carol")
    assert carol.register() == 200
    carol.listen(1)
    assert carol.received == [], carol.received
    carol.close()


class Listener:
    """A phone that is connected to: TLS with the certificate given."""

    def __init__(self, certificate):
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate.crt, certificate.key)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.port = self.socket.getsockname()[1]

    def accept(self):
        plain, _ = self.socket.accept()
        plain.settimeout(PATIENCE)
        return self.tls.wrap_socket(plain, server_side=True)


def contacts_are_connected_to(system, alice, good, foreign):
    """dave registers over UDP a contact that speaks TLS."""
    udp = Sip(system.ports["sip"], "dave")
    for certificate, believed in ((foreign, False), (good, True)):
        listener = Listener(certificate)
        contact = f"Contact: <sips:dave@127.0.0.1:{listener.port}>\r\nExpires: 3600\r\n"
        udp.request("REGISTER", "sip:example.com", "sip:dave@example.com", "Contact: *\r\nExpires: 0\r\n")
        assert udp.request("REGISTER", "sip:example.com", "sip:dave@example.com", contact) == 200
        if not believed:
            assert relay_failing(alice, listener) == 202
            continue
        phone = Phone(0, "dave", None, accepted=listener.accept()) # the kept message comes at once
        phone.wait_for_message()
        assert phone.received == ["to whom?"], phone.received
        phone.close()
    udp.close()


def relay_failing(sender, listener):
    import threading
    result = []
    thread = threading.Thread(target=lambda: result.append(sender.send("sip:dave@example.com", "to whom?")))
    thread.start()
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        sock = listener.accept() # the refusal comes after the handshake of TLS 1.3
        assert sock.recv(100) == b"", "im-glue believed a stranger"
    thread.join()
    return result[0]


def served(port, authority):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain:
        with context(authority).wrap_socket(plain, server_hostname="127.0.0.1") as sock:
            return hashlib.sha256(sock.getpeercert(binary_form=True)).hexdigest().upper()


def old_versions_are_refused(port, authority):
    for version, good in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", authority.crt, version,
                               "-cipher", "ALL:@SECLEVEL=0"], input=b"", capture_output=True, timeout=PATIENCE,
                              check=False, env={**os.environ, "OPENSSL_CONF": "/dev/null"})
        said = (done.stdout + done.stderr).decode(errors="replace")
        assert (done.returncode == 0) == good, said
        assert good or "alert protocol version" in said, said


def the_certificate_is_exchanged_under_registrations(system, port, authority, certificate, names, alice, bob):
    before = served(port, authority)
    certificate.make(names, 60, False, "renewed")
    system.glue.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + PATIENCE
    while served(port, authority) == before:
        assert time.monotonic() < deadline, system.glue.tail()
        time.sleep(0.05)
    assert served(port, authority) == certificate.fingerprint().replace(":", "")
    count = len(bob.received)
    assert relay(alice, bob, "sip:bob@example.com", "still here") == 200
    assert bob.received[count] == "still here"


def noise_hurts_nobody(port, authority):
    """Also a handshake that never goes on: it is cut, and the others are served meanwhile."""
    generator = random.Random(SEED)
    stalled = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    stalled.sendall(b"\x16\x03\x01\x01")
    hello = bytes.fromhex("16030100a5010000a10303") + generator.randbytes(160)
    for i in range(100):
        data = [generator.randbytes(300), hello, b"OPTIONS sip:example.com SIP/2.0\r\n\r\n", b"\x80\x2e\x01\x00\x02",
                b"\x16\x03\x01\xff\xff" + generator.randbytes(70000)][i % 5]
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            with contextlib.suppress(OSError):
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
    assert served(port, authority)
    assert select.select([stalled], [], [], PATIENCE)[0], "a stalled handshake was not cut"
    with contextlib.suppress(ConnectionError):
        assert stalled.recv(100) == b""
    stalled.close()


def asserted(phone):
    return phone.once("MESSAGE", "sip:carol@example.com", "sip:carol@example.com",
                      "P-Asserted-Identity: <sip:alice@example.com>\r\nContent-Type: text/plain\r\n", "from a proxy")[0]


def clients_show_certificates(build, system, certificate, authority, alice_card, foreign):
    """Another im-glue on the same data, which wants certificates of its clients."""
    system.glue.stop()
    glue = harness.start_glue(build, system.path("data"), system.path("second.log"), *harness.sips(
        certificate, f"tls.client-ca={authority.crt}", "tls.clients=required", "identity.trusted-names=proxy.example.com"))
    try:
        port = glue.addresses["sips"][1]
        phone = Phone(port, "alice", context(authority, alice_card))
        assert asserted(phone) == 407
        assert phone.register() == 200
        phone.close()
        proxy = Certificate(system.folder, "proxy", authority, ("DNS:proxy.example.com",))
        phone = Phone(port, "alice", context(authority, proxy))
        assert asserted(phone) == 202 # its word is taken
        phone.close()
        for nobody in (None, foreign):
            try:
                phone = Phone(port, "alice", context(authority, nobody))
                heard = phone.socket.recv(100)
            except ssl.SSLError as error:
                assert ("unknown ca" if nobody else "certificate required") in str(error).lower(), error
                continue
            raise AssertionError(f"{nobody} was let in: {heard}")
        glue.stop()
    finally:
        glue.kill()
        system.start_glue()


def what_is_wrong_is_said_at_the_start(build, system):
    done = subprocess.run([os.path.join(build, "im-glue"), "--data", system.path("data"), "--schemas", "schemas", "--sip",
                           "127.0.0.1:0", "--sips", "127.0.0.1:0"], capture_output=True, text=True, timeout=PATIENCE,
                          check=False)
    assert done.returncode == 1 and "im-glue: listen.sips shall speak TLS, but there is no tls.certificate\n" in done.stderr


def test(system):
    names = ("DNS:localhost", "IP:127.0.0.1")
    authority = Certificate(system.folder, "ca", is_authority=True, subject="Test CA")
    foreign_authority = Certificate(system.folder, "foreign-ca", is_authority=True, subject="Foreign CA")
    certificate = Certificate(system.folder, "server", authority, names)
    phone = Certificate(system.folder, "phone", authority, names)
    foreign = Certificate(system.folder, "foreign", foreign_authority, names)
    system.glue.stop()
    system.glue_options = harness.sips(certificate, f"tls.server-ca={authority.crt}")
    system.start_glue()
    port, tls = system.ports["sips"], context(authority)
    alice, bob = messages_pass_over_connections_of_the_clients(system, port, tls)
    keep_alives_are_answered(port, tls)
    what_is_for_sips_does_not_leave_in_the_clear(system, alice)
    contacts_are_connected_to(system, alice, phone, foreign)
    old_versions_are_refused(port, authority)
    the_certificate_is_exchanged_under_registrations(system, port, authority, certificate, names, alice, bob)
    noise_hurts_nobody(port, authority)
    clients_show_certificates(system.build, system, certificate, authority, phone, foreign)
    what_is_wrong_is_said_at_the_start(system.build, system)
    alice.close()
    bob.close()


harness.main(test)
