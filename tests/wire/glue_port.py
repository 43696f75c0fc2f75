#!/usr/bin/env python3
"""The management port of im-glue: what monitoring reads after messages of every fate, what the log says about them, and
that one SIGHUP exchanges the certificate and the document services, both."""
import hashlib
import os
import re
import signal
import socket
import subprocess
import threading
import time

import harness
from certificates import Certificate
from clients import Sip

PATIENCE = 60
CPIM = ("From: <sip:alice@example.com>\r\nTo: <sip:bob@example.com>\r\nNS: imdn <urn:ietf:params:imdn>\r\n"
        "imdn.Message-ID: 34jk324j\r\n\r\nContent-Type: text/plain\r\n\r\nhello")


class Port:
    def __init__(self, system):
        self.system = system

    def get(self, path, method="GET"):
        host, port = self.system.glue.addresses["management"]
        return self.system.curl(method, f"http://{host}:{port}{path}")

    def metrics(self):
        status, text = self.get("/metrics")
        assert status == 200, text
        return {series: float(value) for series, _, value in
                (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))}

    def wait_for(self, series, value):
        deadline = time.monotonic() + PATIENCE
        while self.metrics().get(series) != value:
            assert time.monotonic() < deadline, (series, value, self.metrics())
            time.sleep(0.05)


def outcome(name, to="user", content="text"):
    return f'im_glue_messages_total{{to="{to}",content="{content}",outcome="{name}"}}'


def the_port_answers(port):
    assert port.get("/livez") == (200, "ok\n") and port.get("/readyz") == (200, "ok\n")
    assert port.get("/")[0] == 404 and port.get("/metrics", "DELETE")[0] == 405


def each_fate_is_counted(system, port, alice, bob):
    assert bob.register() == 200
    assert "\r\nService-Route: <sip:proxy.example.com;lr>\r\n" in bob.answered, bob.answered
    port.wait_for("im_glue_bindings", 1)
    assert alice.send("carol", "for later") == 202
    port.wait_for(outcome("stored"), 1)
    assert alice.send("nobody", "to nobody") == 404
    port.wait_for(outcome("refused"), 1)
    status = send_while(alice, bob, "sip:bob@example.com", "Content-Type: message/cpim\r\n", CPIM)
    assert status == 200 and bob.received, status
    port.wait_for(outcome("relayed"), 1)
    carol = Sip(system.ports["sip"], "carol")
    assert carol.register() == 200
    carol.listen(1)
    assert carol.received == ["for later"], carol.received
    port.wait_for(outcome("delivered"), 1)
    for content, name, body in (("imdn", "message/imdn+xml", "<imdn/>"), ("other", "image/png", "x"),
                                ("composing", "application/im-iscomposing+xml", "<isComposing/>")):
        status = send_while(alice, bob, "sip:bob@example.com", f"Content-Type: {name}\r\n", body)
        assert status == 200, status
        port.wait_for(outcome("relayed", content=content), 1)
    port.wait_for("im_glue_bindings", 2)
    assert carol.register(0) == 200
    port.wait_for("im_glue_bindings", 1)
    carol.close()
    found = port.metrics()
    assert found[outcome("received")] == 3, found
    assert found['im_glue_requests_total{method="MESSAGE",status="404"}'] == 1, found
    assert found["im_glue_transactions"] > 0 and found["im_glue_requests_in_progress"] == 0, found


def send_while(sender, recipient, uri, extra, body):
    """A relay waits for its recipient, who is heard meanwhile."""
    result = []
    thread = threading.Thread(target=lambda: result.append(sender.request("MESSAGE", uri, uri, extra, body)))
    thread.start()
    while thread.is_alive():
        recipient.listen(0.2)
    return result[0]


def connections_are_counted(system, port):
    series = 'im_glue_connections{transport="TCP"}'
    with socket.create_connection(("127.0.0.1", system.ports["sip"])):
        port.wait_for(series, 1)
    port.wait_for(series, 0)


def the_log_names_call_and_message(system):
    line = next(line for line in open(system.glue.log_path, errors="replace")
                if "request method=MESSAGE status=200" in line)
    assert re.search(r" user=sip:alice@example.com call-id=alice-\d+-\d+ message-id=34jk324j peer=127.0.0.1:\d+$", line), line


def one_signal_exchanges_both(system, port, certificate, names):
    expiry = "xdm_tls_certificate_expires_timestamp_seconds"
    before = port.metrics()[expiry]
    certificate.make(names, 60, False, "renewed")
    system.glue.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + PATIENCE
    while port.metrics()[expiry] <= before or "document services loaded anew" not in open(system.glue.log_path).read():
        assert time.monotonic() < deadline, system.glue.tail()
        time.sleep(0.05)
    assert port.get("/readyz") == (200, "ok\n")


def an_address_of_ipv6_is_listened_at(build, system):
    system.glue.stop()  # a folder is for one im-glue
    glue = harness.start_glue(build, system.path("data"), system.path("ipv6.log"), sip="[::1]:0")
    try:
        phone = Sip(glue.addresses["sip"][1], "dave", "::1")
        assert phone.register() == 200
        assert phone.send("dave", "to myself") == 200
        assert phone.received == ["to myself"], phone.received
        assert "Via: SIP/2.0/UDP [::1]:%d;" % glue.addresses["sip"][1] in phone.heads[0], phone.heads
        assert phone.register(0) == 200
        phone.close()
        glue.stop()
    finally:
        glue.kill()
        system.start_glue()


def sha_512_256(text):
    return hashlib.new("sha512_256", text.encode()).hexdigest()


def sha_512_256_is_offered_and_taken(system):
    """By who computes it as the standard says; curl, which may not, is offered SHA-256 before it."""
    assert system.curl("GET", system.url("resource-lists", "alice", "index"), "alice")[0] == 404
    phone = Sip(system.ports["sip"], "alice")
    answer = phone.once("REGISTER", "sip:example.com", "sip:alice@example.com", "", "", PATIENCE)[1]
    challenges = re.findall(r"WWW-Authenticate: *([^\r]*)", answer)
    assert len(challenges) == 3 and "algorithm=MD5," in challenges[0] and "SHA-512-256" in challenges[2], challenges
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenges[2]))
    secret = sha_512_256(f"alice:{asked['realm']}:alice")
    begun = f"{secret}:{asked['nonce']}:00000001:c0ffee:auth:"
    proof = (f'Authorization: Digest username="alice",realm="{asked["realm"]}",nonce="{asked["nonce"]}",uri="sip:example.com",'
             f'algorithm=SHA-512-256,qop=auth,nc=00000001,cnonce="c0ffee",opaque="{asked["opaque"]}",'
             f'response="{sha_512_256(begun + sha_512_256("REGISTER:sip:example.com"))}"\r\n')
    status, answer = phone.once("REGISTER", "sip:example.com", "sip:alice@example.com", proof, "", PATIENCE)
    assert status == 200 and f'rspauth="{sha_512_256(begun + sha_512_256(":sip:example.com"))}"' in answer, answer
    phone.close()


def a_folder_is_for_one_im_glue(build, system):
    """The second one is told so, before it listens anywhere; one whose domain is mistyped is, too."""
    def told(line, *options):
        done = subprocess.run([os.path.join(build, "im-glue"), "--data", system.path("data"), "--schemas", "schemas", "--sip",
                               "127.0.0.1:0", *options], capture_output=True, text=True, timeout=PATIENCE, check=False,
                              cwd=harness.SOURCE)
        assert done.returncode == 1 and line in done.stderr, done

    told(f"im-glue: store.folder: {system.path('data')}: is in use by another im-glue\n")
    system.glue.kill()
    told("im-glue: identity.domain: exmaple.com, but the users in ", "--domain", "exmaple.com")
    system.start_glue()


def test(system):
    names = ("DNS:localhost", "IP:127.0.0.1")
    certificate = Certificate(system.folder, "server", None, names)
    system.glue.stop()
    system.glue_options = ["--management", "127.0.0.1:0", "--set", f"tls.certificate={certificate.crt}", "--set",
                           f"tls.key={certificate.key}", "--set", "sip.service-route=<sip:proxy.example.com;lr>",
                           "--set", "identity.sha512-256=yes"]
    system.start_glue()
    port = Port(system)
    alice, bob = Sip(system.ports["sip"], "alice"), Sip(system.ports["sip"], "bob")
    the_port_answers(port)
    each_fate_is_counted(system, port, alice, bob)
    connections_are_counted(system, port)
    the_log_names_call_and_message(system)
    one_signal_exchanges_both(system, port, certificate, names)
    sha_512_256_is_offered_and_taken(system)
    an_address_of_ipv6_is_listened_at(system.build, system)
    a_folder_is_for_one_im_glue(system.build, system)
    alice.close()
    bob.close()


harness.main(test, xdms_options=harness.settings("identity.sha512-256=yes"))
