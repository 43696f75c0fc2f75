#!/usr/bin/env python3
"""Everything over IPv6: clients of every transport at [::1], connections that im-glue makes, another domain that is found
by AAAA, and IPv4 beside it on one listener. Skipped where the machine has no IPv6."""
import re
import socket
import ssl
import sys
import threading

import harness
from certificates import Certificate
from clients import Sip
from dns_server import DnsServer, address, srv
from phones import PATIENCE, Browser, Phone, relay

HOST = "::1"


class Tcp(Phone):
    """Without TLS; `accepted` as there."""
    VIA = "TCP [::1]:5060"
    CONTACT = "sip:{user}@[2001:db8::1]:5060;transport=tcp"

    def __init__(self, port, user, accepted=None):
        super().__init__(0, user, None, accepted or socket.create_connection((HOST, port), timeout=PATIENCE))


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind((HOST, 0))
        return True
    except OSError:
        return False


def clients_of_all_transports_chat(system, tls):
    udp = Sip(system.ports["sip"], "alice", HOST)
    assert udp.register() == 200
    others = [(Tcp(system.ports["sip"], "bob"), "bob", "TCP"),
              (Phone(system.ports["sips"], "carol", tls, host=HOST), "carol", "TLS"),
              (Browser(system.ports["ws"], "dave", None, HOST), "dave", "WS"),
              (Browser(system.ports["wss"], "erin", tls, HOST), "erin", "WSS")]
    for phone, name, transport in others:
        assert phone.register() == 200, name
        phone.socket.settimeout(0.2) # it is heard while the other waits
        assert relay(udp, phone, f"sip:{name}@example.com", f"to {name}") == 200, system.glue.tail()
        assert phone.received == [f"to {name}"], phone.received
        assert phone.vias[0].startswith(f"SIP/2.0/{transport} [::1]:"), phone.vias
        phone.socket.settimeout(PATIENCE)
        assert relay(phone, None, "sip:alice@example.com", f"from {name}", udp) == 200
    assert udp.received == [f"from {name}" for _, name, _ in others], udp.received
    for phone, _, _ in others:
        phone.close()
    udp.close()


def contacts_are_connected_to(system, certificate):
    """bob registers over UDP contacts that listen: in the clear, and with TLS."""
    alice, bob = Sip(system.ports["sip"], "alice", HOST), Sip(system.ports["sip"], "bob", HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.crt, certificate.key)
    for scheme, parameter, wrap in (("sip", ";transport=tcp", None), ("sips", "", context)):
        listener = socket.create_server((HOST, 0), family=socket.AF_INET6)
        listener.settimeout(PATIENCE)
        contact = f"<{scheme}:bob@[::1]:{listener.getsockname()[1]}{parameter}>"
        bob.request("REGISTER", "sip:example.com", "sip:bob@example.com", "Contact: *\r\nExpires: 0\r\n")
        assert bob.request("REGISTER", "sip:example.com", "sip:bob@example.com",
                           f"Contact: {contact}\r\nExpires: 3600\r\n") == 200
        result = []
        thread = threading.Thread(target=lambda: result.append(alice.send("bob", "to a listener", PATIENCE)))
        thread.start()
        plain, _ = listener.accept()
        plain.settimeout(PATIENCE)
        phone = Tcp(0, "bob", wrap.wrap_socket(plain, server_side=True) if wrap else plain)
        phone.wait_for_message()
        thread.join()
        assert result == [200] and phone.received == ["to a listener"], result
        phone.close()
        listener.close()
    alice.close()
    bob.close()


def another_domain_is_found(system, dns):
    gate = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    gate.bind((HOST, 0))
    gate.settimeout(PATIENCE)
    dns.zone["_sip._udp.example.net"] = [srv(1, 1, gate.getsockname()[1], "six.example.net")]
    dns.zone["six.example.net"] = [address(HOST)]
    alice = Sip(system.ports["sip"], "alice", HOST)
    result = []
    thread = threading.Thread(target=lambda: result.append(alice.send("sip:x@example.net", "far away", PATIENCE)))
    thread.start()
    data, peer = gate.recvfrom(65536)
    assert peer[:2] == (HOST, system.ports["sip"]) and data.endswith(b"far away"), (peer, data)
    kept = [line for line in data.split(b"\r\n")[1:] if re.match(rb"(?i)(via|from|to|call-id|cseq):", line)]
    gate.sendto(b"SIP/2.0 200 OK\r\n" + b"\r\n".join(kept) + b"\r\nContent-Length: 0\r\n\r\n", peer)
    thread.join()
    gate.close()
    alice.close()
    assert result == [200], result


def both_families_meet_at_one_listener(system):
    """[::] takes IPv4 too, which is then written as such."""
    system.glue.stop()
    port = system.ports["sip"]
    system.glue = harness.start_glue(system.build, system.path("data"), system.path("both.log"),
                                     *harness.settings("sip.host=::1"), sip=f"[::]:{port}")
    four, six = Sip(port, "alice"), Sip(port, "bob", HOST)
    assert four.register() == 200 and six.register() == 200
    for sender, recipient, name in ((four, six, "bob"), (six, four, "alice")):
        result = []
        thread = threading.Thread(target=lambda: result.append(sender.send(name, "across", PATIENCE)))
        thread.start()
        while thread.is_alive():
            recipient.listen(0.2)
        assert result == [200] and recipient.received == ["across"], (name, result, recipient.received)
    four.close()
    six.close()


def test(system):
    dns = DnsServer()
    try:
        authority = Certificate(system.folder, "ca", is_authority=True, subject="Test CA")
        certificate = Certificate(system.folder, "server", authority, ("DNS:localhost", "IP:::1"))
        system.glue.stop()
        system.glue_options = ["--sip", "[::1]:0", "--sips", "[::1]:0", "--ws", "[::1]:0", "--wss", "[::1]:0", "--set",
                               f"tls.certificate={certificate.crt}", "--set", f"tls.key={certificate.key}", "--set",
                               f"tls.server-ca={authority.crt}", "--set", "peering.domains-out=example.net", "--set",
                               f"dns.servers=127.0.0.1:{dns.port}"]
        system.start_glue()
        clients_of_all_transports_chat(system, ssl.create_default_context(cafile=authority.crt))
        contacts_are_connected_to(system, certificate)
        another_domain_is_found(system, dns)
        both_families_meet_at_one_listener(system)
    finally:
        dns.close()


if not has_ipv6():
    print("skipped: this machine has no IPv6 loopback ([::1])")
    sys.exit(harness.SKIPPED)
harness.main(test, users=("alice", "bob", "carol", "dave", "erin"))
