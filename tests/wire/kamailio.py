#!/usr/bin/env python3
"""The configuration of docs/examples/kamailio in a Kamailio of the Debian package, which asks xdms: a MESSAGE goes through
or is refused as the documents say, and the next one obeys a changed document."""
import json
import os
import signal
import socket
import subprocess
import urllib.request

import harness
import kamailio_program

RULES_TYPE = "application/auth-policy+xml"
GROUP_TYPE = "application/vnd.oma.poc.groups+xml"
BLOCK = """<ruleset xmlns="urn:ietf:params:xml:ns:common-policy" xmlns:poc="urn:oma:xml:poc:poc-rules">
  <rule id="no-alice"><conditions><identity><one id="sip:alice@example.com"/></identity></conditions>
    <actions><poc:allow-invite>reject</poc:allow-invite></actions></rule>
</ruleset>
"""


class Phone:
    """Bob's: answers each MESSAGE with 200, and counts."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def answer(self, seconds):
        """The request that comes within that time, answered; None: there is none."""
        self.socket.settimeout(seconds)
        try:
            data, peer = self.socket.recvfrom(65536)
        except TimeoutError:
            return None
        lines = data.decode().split("\r\n")
        kept = [line for line in lines if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
        self.socket.sendto("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode(), peer)
        return lines[0]


def start(system, phone):
    port = harness.free_port()
    policy = "%s:%d" % system.xdms.addresses["policy"]
    return kamailio_program.Kamailio(system, "policy.cfg", port, (
        ("udp:127.0.0.1:5080", f"udp:127.0.0.1:{port}"), ("sip:127.0.0.1:5060", f"sip:127.0.0.1:{phone.port}"),
        ("http://127.0.0.1:8082", f"http://{policy}")))


def send(system, kamailio, sender, target, answer):
    with open("tests/wire/sipp/plain_send.xml", encoding="utf-8") as file:
        text = file.read().replace("SENDER", sender).replace("TARGET", target).replace("ANSWER", answer)
    path = system.path(f"{sender}-{target}-{answer}.xml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return subprocess.Popen(["sipp", f"127.0.0.1:{kamailio.port}", "-sf", path, "-m", "1", "-i", "127.0.0.1", "-t", "u1",
                             "-timeout", "60s", "-timeout_error", "-nostdin"], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, cwd=system.folder)


def passes(system, kamailio, phone, sender, target):
    sipp = send(system, kamailio, sender, target, "200")
    wanted, came = f"MESSAGE sip:{target}@example.com SIP/2.0", []
    while sipp.poll() is None:
        came.append(phone.answer(0.2))
    assert sipp.returncode == 0 and wanted in came, f"{came}\n{kamailio.tail()}"


def refused(system, kamailio, phone, sender, target, code="403"):
    assert send(system, kamailio, sender, target, code).wait(timeout=90) == 0, kamailio.tail()
    assert phone.answer(0.2) is None, "a refused message came through"


def obeyed(system):
    phone, kamailio = Phone(), None
    try:
        kamailio = start(system, phone)
        rules = system.url(harness.RULES, "bob", "im-rules")
        passes(system, kamailio, phone, "alice", "bob")
        assert system.curl("PUT", rules, "bob", BLOCK, RULES_TYPE)[0] == 201
        refused(system, kamailio, phone, "alice", "bob")
        passes(system, kamailio, phone, "carol", "bob")
        assert system.curl("DELETE", rules, "bob")[0] == 200
        passes(system, kamailio, phone, "alice", "bob")
        refused(system, kamailio, phone, "alice", "nobody")
        team = harness.group_xml("sip:team@example.com", ["alice", "bob"])
        assert system.curl("PUT", system.url(harness.GROUPS, "alice", "team"), "alice", team, GROUP_TYPE)[0] == 201
        passes(system, kamailio, phone, "alice", "team")
        refused(system, kamailio, phone, "carol", "team")
        url = "http://%s:%d/policy/v1/explain?from=carol&to=team" % system.xdms.addresses["policy"]
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert json.load(answer)["reason"] == "not-member"
        system.xdms.process.send_signal(signal.SIGSTOP)  # a policy server that does not answer lets nobody through
        refused(system, kamailio, phone, "alice", "bob", "503")
        system.xdms.process.send_signal(signal.SIGCONT)
        passes(system, kamailio, phone, "alice", "bob")
    finally:
        if kamailio:
            kamailio.close()
        phone.socket.close()


os.chdir(harness.SOURCE)
harness.main(obeyed, xdms_options=("--set", "listen.policy=127.0.0.1:0"))
