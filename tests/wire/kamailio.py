#!/usr/bin/env python3
"""The configuration of docs/examples/kamailio in a Kamailio of the Debian package, which asks xdms: a MESSAGE goes through
or is refused as the documents say, and the next one obeys a changed document."""
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import harness

EXAMPLE = "docs/examples/kamailio/policy.cfg"
RULES_TYPE = "application/auth-policy+xml"
GROUP_TYPE = "application/vnd.oma.poc.groups+xml"
BLOCK = """<ruleset xmlns="urn:ietf:params:xml:ns:common-policy" xmlns:poc="urn:oma:xml:poc:poc-rules">
  <rule id="no-alice"><conditions><identity><one id="sip:alice@example.com"/></identity></conditions>
    <actions><poc:allow-invite>reject</poc:allow-invite></actions></rule>
</ruleset>
"""


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return udp.getsockname()[1]


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


class Kamailio:
    def __init__(self, system, phone):
        self.port = free_port()
        self.log_path = system.path("kamailio.log")
        with open(EXAMPLE, encoding="utf-8") as file:
            text = file.read()
        policy = "%s:%d" % system.xdms.addresses["policy"]
        for ours, theirs in (("udp:127.0.0.1:5080", f"udp:127.0.0.1:{self.port}"),
                             ("sip:127.0.0.1:5060", f"sip:127.0.0.1:{phone.port}"),
                             ("http://127.0.0.1:8082", f"http://{policy}")):
            assert ours in text, ours
            text = text.replace(ours, theirs)
        config = system.path("kamailio.cfg")
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        self.log = open(self.log_path, "wb")
        program = shutil.which("kamailio") or "/usr/sbin/kamailio"
        self.process = subprocess.Popen(
            [program, "-DD", "-E", "-f", config, "-Y", system.folder, "-P", system.path("kamailio.pid"), "-m", "32",
             "-M", "8"], stdout=self.log, stderr=self.log, start_new_session=True)
        self.wait_until_there()

    def wait_until_there(self):
        """Answers OPTIONS with anything: it forwards them to the phone, which is enough."""
        for _ in range(600):
            assert self.process.poll() is None, self.tail()
            if any(f":{self.port:04X} " in line for line in open("/proc/net/udp", encoding="ascii")):
                time.sleep(0.5)  # bound before its children read: what comes meanwhile waits in the socket
                return
            time.sleep(0.1)
        raise AssertionError(f"Kamailio does not listen: {self.tail()}")

    def tail(self):
        return open(self.log_path, errors="replace").read()[-4000:]

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


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
        kamailio = Kamailio(system, phone)
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
