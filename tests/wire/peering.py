#!/usr/bin/env python3
"""Two domains, each with its own programs and data, that find each other by a DNS server of the test and vouch for
their users by certificates; one more server that is not ours; and what happens when somebody is not there."""
import os
import signal
import socket
import threading
import time

import harness
from certificates import Certificate
from clients import Sip
from dns_server import DnsServer, address, naptr, srv

PATIENCE = 60


def options(authority, certificate, dns, inbound, outbound):
    """`outbound` may hold domains that lead nowhere."""
    values = {"tls.certificate": certificate.crt, "tls.key": certificate.key, "tls.client-ca": authority.crt,
              "tls.server-ca": authority.crt, "tls.clients": "optional", "dns.servers": f"127.0.0.1:{dns.port}",
              "dns.timeout": "1000", "peering.domains-in": inbound, "peering.domains-out": outbound,
              "peering.by-certificate": "yes"}
    return ["--sips", "127.0.0.1:0", *(word for name, value in values.items() for word in ("--set", f"{name}={value}"))]


def point(dns, domain, port, before=()):
    """The domain is served over TLS at this port, after those ports."""
    dns.zone[domain] = [naptr(10, 10, "SIPS+D2T", f"_sips._tcp.{domain}")]
    dns.zone[f"_sips._tcp.{domain}"] = [srv(priority, 1, one, f"sip.{domain}")
                                        for priority, one in enumerate([*before, port])]
    dns.zone[f"sip.{domain}"] = [address("127.0.0.1")]


def send_while(sender, recipient, uri, body):
    """A relay waits for its recipient, who is heard meanwhile."""
    result = []
    thread = threading.Thread(target=lambda: result.append(sender.send(uri, body, PATIENCE)))
    thread.start()
    while thread.is_alive():
        recipient.listen(0.2)
    return result[0]


def wait_for(recipient, count):
    deadline = time.monotonic() + PATIENCE
    while len(recipient.received) < count:
        assert time.monotonic() < deadline, recipient.received
        recipient.listen(0.2)


def messages_pass_between_domains(dns, alice, carol):
    assert send_while(alice, carol, "sip:carol@example.net", "over there") == 200
    assert carol.received == ["over there"], carol.received
    assert "From: <sip:alice@example.com>" in carol.heads[0] and "Max-Forwards: 68" in carol.heads[0], carol.heads
    assert "P-Asserted-Identity: <sip:alice@example.com>" in carol.heads[0], carol.heads
    assert send_while(carol, alice, "sip:alice@example.com", "and back") == 200
    assert alice.received == ["and back"], alice.received
    asked = len(dns.asked)
    assert send_while(alice, carol, "sip:carol@example.net", "again") == 200
    assert len(dns.asked) == asked, dns.asked[asked:]
    assert alice.send("sip:nobody@example.net", "who?") == 404
    assert alice.send("sip:somebody@nowhere.example", "where?") == 404


def a_group_reaches_both_domains(system, alice, bob, carol):
    document = harness.group_xml("sip:both@example.com", ["alice", "bob"]).replace(
        "</list>", '<entry uri="sip:carol@example.net"/></list>')
    status, text = system.curl("PUT", system.url(harness.GROUPS, "alice", "both"), "alice", document,
                               "application/vnd.oma.poc.groups+xml")
    assert status == 201, text
    before = len(carol.received)
    assert bob.register() == 200
    assert alice.send("both", "to both") == 202
    wait_for(carol, before + 1)
    wait_for(bob, 1)
    assert carol.received[-1] == "to both" and bob.received == ["to both"]
    assert "To: <sip:carol@example.net>" in carol.heads[-1], carol.heads[-1]


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def another_server_takes_over(dns, far, alice, carol):
    """The first one refuses connections. Names are new, because the old ones are remembered."""
    point(dns, "other.example.net", far.ports["sips"], [closed_port(), closed_port()])
    status = send_while(alice, carol, "sip:carol@other.example.net", "to the third")
    assert status == 202, status # its certificate is for another name: it is kept, and not said to whoever that is
    assert "to the third" not in carol.received
    dns.zone["_sip._tcp.tcp.example.org"] = [srv(1, 1, closed_port(), "sip.example.net")]
    gate = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    gate.bind(("127.0.0.1", 0))
    gate.settimeout(PATIENCE)
    dns.zone["_sip._udp.tcp.example.org"] = [srv(1, 1, gate.getsockname()[1], "sip.example.net")]
    result = []
    thread = threading.Thread(target=lambda: result.append(alice.send("sip:x@tcp.example.org", "by UDP", PATIENCE)))
    thread.start()
    data, peer = gate.recvfrom(65536)
    assert data.startswith(b"MESSAGE sip:x@tcp.example.org SIP/2.0\r\n") and data.endswith(b"by UDP"), data
    assert b"P-Asserted-Identity" not in data, data
    kept = [line for line in data.split(b"\r\n") if line.split(b":")[0].lower() in (b"via", b"from", b"to", b"call-id", b"cseq")]
    gate.sendto(b"SIP/2.0 200 OK\r\n" + b"\r\n".join(kept) + b"\r\nContent-Length: 0\r\n\r\n", peer)
    thread.join()
    gate.close()
    assert result == [200], result


def servers_are_read_anew(system, dns, alice, carol):
    """With everything else that SIGHUP reads."""
    system.glue.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + PATIENCE
    while "document services loaded anew" not in open(system.glue.log_path).read():
        assert time.monotonic() < deadline, system.glue.tail()
        time.sleep(0.05)
    assert alice.send("sip:somebody@new.example.net", "where?") == 404 # which had to be asked
    assert any(name == "new.example.net" for _, name in dns.asked)
    assert send_while(alice, carol, "sip:carol@example.net", "after all") == 200


def what_cannot_arrive_now_is_kept(system, dns, far, alice, carol):
    """Nobody is there; then at another port, and our own program starts again: it arrives."""
    before = len(carol.received)
    far.glue.stop()
    assert alice.send("sip:carol@example.net", "for later") == 202
    far.start_glue()
    point(dns, "example.net", far.ports["sips"])
    assert carol.register() == 200
    system.glue.stop()
    system.start_glue()
    wait_for(carol, before + 1)
    assert carol.received[-1] == "for later", carol.received


def strangers_do_not_come_in(far):
    stranger = Sip(far.ports["sip"], "alice", domain="example.com")
    status, message = stranger.once("MESSAGE", "sip:carol@example.net", "sip:carol@example.net",
                                    "Content-Type: text/plain\r\n", "believe me", PATIENCE)
    assert status == 403 and "Nobody vouches for this domain" in message, message
    stranger.close()


def a_silent_dns_does_not_stop_the_others(dns, alice, carol):
    dns.zone["broken.example.org"] = None
    for name in ("_sips._tcp", "_sip._tcp", "_sip._udp"):
        dns.zone[f"{name}.broken.example.org"] = None
    assert alice.send("sip:x@broken.example.org", "where is it?", PATIENCE) == 202
    assert send_while(alice, carol, "sip:carol@example.net", "still here") == 200


def what_is_wrong_is_said_at_the_start(system):
    for setting, line in (("peering.routes=example.net", "peering.routes: not DOMAIN=URI: example.net"),
                          ("peering.domains-out=example.net, *example.org",
                           "peering.domains-out: not a domain, *.domain or *: *example.org"),
                          ("sip.registrars-watched=.example.org",
                           "sip.registrars-watched: not a domain, *.domain or *: .example.org"),
                          ("sip.core-routes=example.com=sip:192.0.2.1",
                           "sip.core-routes: not DOMAIN=URI;lr: example.com=sip:192.0.2.1"),
                          ("peering.routes=*.*.org=sip:192.0.2.1", "peering.routes: not DOMAIN=URI: *.*.org"),
                          ("peering.transports=sctp", "peering.transports: none of tls, tcp, udp"),
                          ("dns.servers=somewhere", "dns.servers: no list of addresses: somewhere")):
        done = harness.subprocess.run([os.path.join(system.build, "im-glue"), "--data", system.path("data"), "--schemas",
                                       "schemas", "--sip", "127.0.0.1:0", "--set", setting], capture_output=True, text=True,
                                      timeout=PATIENCE, check=False)
        assert done.returncode == 1 and line in done.stderr, done.stderr


def test(system):
    dns = DnsServer()
    far = None
    try:
        authority = Certificate(system.folder, "ca", is_authority=True, subject="Test CA")
        ours = Certificate(system.folder, "ours", authority, ("DNS:example.com", "IP:127.0.0.1"))
        theirs = Certificate(system.folder, "theirs", authority, ("DNS:example.net", "IP:127.0.0.1"))
        far = harness.System(system.build, ("carol",), ("--domain", "example.net"),
                             glue_options=["--domain", "example.net", *options(authority, theirs, dns, "example.com",
                                                                               "example.com")])
        system.glue.stop()
        system.glue_options = options(authority, ours, dns, "example.net", "example.net, *.example.net, *.example.org, "
                                      "nowhere.example")
        system.start_glue()
        point(dns, "example.net", far.ports["sips"])
        point(dns, "example.com", system.ports["sips"])
        alice, bob = Sip(system.ports["sip"], "alice"), Sip(system.ports["sip"], "bob")
        carol = Sip(far.ports["sip"], "carol", domain="example.net")
        assert alice.register() == 200 and carol.register() == 200
        messages_pass_between_domains(dns, alice, carol)
        a_group_reaches_both_domains(system, alice, bob, carol)
        another_server_takes_over(dns, far, alice, carol)
        a_silent_dns_does_not_stop_the_others(dns, alice, carol)
        strangers_do_not_come_in(far)
        servers_are_read_anew(system, dns, alice, carol)
        what_cannot_arrive_now_is_kept(system, dns, far, alice, carol)
        what_is_wrong_is_said_at_the_start(system)
        for phone in (alice, bob, carol):
            phone.close()
        far.stop()
    finally:
        if far:
            far.close()
        dns.close()


harness.main(test)
