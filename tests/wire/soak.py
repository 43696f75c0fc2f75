#!/usr/bin/env python3
"""Mixed traffic for a while, then the accounts: each message that was accepted is, for each of its recipients, delivered, kept,
refused, expired or deleted, and nothing else; what phones got is what the records say.  soak.py BUILD [SECONDS]"""
import json
import random
import re
import subprocess
import sys
import threading
import time

import harness
from clients import Http, Sip

SECONDS = 20  # `./dev soak` takes minutes
USERS = 16
MEMBERS = 6
QUOTA = 60  # so that it is met
PATIENCE = 30  # until the numbers of monitoring are those of one moment
SETTLE_SECONDS, SETTLE_SECONDS_LONG = 10, 45  # a transaction without an answer ends within 32
LONG_SECONDS = 120  # from here on some phones never answer; in a short one all do, after a while
SETTINGS = ('<im-service-settings xmlns="urn:oma:xml:im:service-settings"><vis-settings><vis-status active="{}"/>'
            "</vis-settings></im-service-settings>")
LIST = ("--bx\r\nContent-Type: text/plain\r\n\r\n{body}\r\n--bx\r\nContent-Type: application/resource-lists+xml\r\n"
        "Content-Disposition: recipient-list\r\n\r\n"
        '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>{entries}</list></resource-lists>\r\n--bx--\r\n')
ANSWERS = (200,) * 80 + (486,) * 8 + (480,) * 4 + (603,) * 3 + (None,) * 5  # None: silence, or an answer that is late
LATE = 3  # how often a request is sent until it is answered late


class Phone(Sip):
    """Answers as people do; the same to what is sent again."""

    def __init__(self, port, user, seed, silent):
        super().__init__(port, user)
        self.random, self.silent = random.Random(seed), silent
        self.said = {}  # branch -> what was answered
        self.heard = {}  # branch -> how often
        self.taken = []  # Call-IDs or Message-IDs of what was answered 200
        self.sent = []  # (Call-ID, recipients, status)
        self.online = False

    def take(self):
        message = self.socket.recv(65536).decode()
        if not message.startswith("MESSAGE "):
            return message
        head, _, body = message.partition("\r\n\r\n")
        branch = re.search(r"branch=([^;\r]+)", head).group(1)
        if branch not in self.said:
            self.said[branch] = self.random.choice(ANSWERS)
            if self.said[branch] == 200:
                self.taken.append(body)
        self.heard[branch] = self.heard.get(branch, 0) + 1
        if not self.said[branch] and not self.silent and self.heard[branch] == LATE:
            self.said[branch] = 486
        if self.said[branch]:
            kept = [line for line in head.split("\r\n")[1:] if re.match(r"(Via|From|To|Call-ID|CSeq):", line, re.I)]
            self.socket.sendto((f"SIP/2.0 {self.said[branch]} Answer\r\n" + "\r\n".join(kept)
                                + "\r\nContent-Length: 0\r\n\r\n").encode(), self.server)
        return None

    def message(self, target, extra="", content_type="text/plain", body="", recipients=()):
        uri = f"sip:{target}@example.com"
        status = self.request("MESSAGE", uri, uri, f"Content-Type: {content_type}\r\n{extra}", body, 40)
        if recipients:
            self.sent.append((f"{self.user}-{self.port}-{self.number}", recipients, status))


class Soak:
    def __init__(self, system, seconds):
        self.system, self.end = system, time.monotonic() + seconds
        self.seconds = seconds
        self.settle = SETTLE_SECONDS if seconds < LONG_SECONDS else SETTLE_SECONDS_LONG
        self.phones = [Phone(system.ports["sip"], f"u{n}", n, seconds >= LONG_SECONDS) for n in range(USERS)]
        self.troubles = []
        self.counts = {}
        self.lock = threading.Lock()

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    # --- what people do

    def write(self, phone, number):
        target = f"u{phone.random.randrange(USERS + 1)}"  # the last is nobody
        extra = phone.random.choice(("", "", "", "", "Expires: 2\r\n", "Expires: 0\r\n", "Expires: 86400\r\n",
                                     "Priority: urgent\r\n", "Subject: Lunch\r\n"))
        phone.message(target, extra, body=f"{phone.user} writes {number}", recipients=(target,))
        self.count("to a user")

    def write_to_group(self, phone, number):
        others = [f"u{n}" for n in range(MEMBERS) if f"u{n}" != phone.user]
        phone.message("team", body=f"{phone.user} tells all {number}", recipients=others)
        self.count("to a group")

    def write_to_list(self, phone, number):
        some = phone.random.sample([f"u{n}" for n in range(USERS) if f"u{n}" != phone.user], 3)
        entries = "".join(f'<entry uri="sip:{name}@example.com"/>' for name in some)
        phone.message("exploder", "Require: recipient-list-message\r\n", "multipart/mixed;boundary=bx",
                      LIST.format(body=f"{phone.user} tells some {number}", entries=entries), some)
        self.count("to a list")

    def compose(self, phone, _):
        phone.message(f"u{phone.random.randrange(USERS)}", content_type="application/im-iscomposing+xml",
                      body='<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state></isComposing>')
        self.count("composing")

    def come_or_go(self, phone, _):
        phone.online = not phone.online
        phone.register(3600 if phone.online else 0)
        self.count("registrations")

    def hide_or_show(self, phone, _):
        uri = f"sip:{phone.user}@example.com"
        phone.request("PUBLISH", uri, uri, "Event: im-service-settings\r\nExpires: 60\r\n"
                      "Content-Type: application/vnd.oma.im.service-settings+xml\r\n",
                      SETTINGS.format(phone.random.choice(("true", "false"))))
        self.count("settings")

    def erase(self, phone, _):
        path = f"/xcap-root/org.openmobilealliance.deferred-list/users/sip:{phone.user}@example.com/deferred-list"
        Http(self.system.ports["http"], phone.user).request("DELETE", path)
        self.count("erasures")

    def listen(self, phone, _):
        phone.listen(0.3)

    def live(self, phone):
        ways = ((self.write, 40), (self.write_to_group, 6), (self.write_to_list, 5), (self.compose, 4),
                (self.come_or_go, 10), (self.hide_or_show, 3), (self.erase, 1), (self.listen, 31))
        deeds = [deed for deed, weight in ways for _ in range(weight)]
        number = 0
        try:
            while time.monotonic() < self.end:
                number += 1
                phone.random.choice(deeds)(phone, number)
            while time.monotonic() < self.end + self.settle:
                phone.listen(0.5)
                time.sleep(0.2)
        except Exception as trouble:  # told by the thread that waits
            self.troubles.append(f"{phone.user}: {trouble!r}")

    def run(self):
        self.system.curl("PUT", self.system.url(harness.GROUPS, "u0", "team"), "u0",
                         harness.group_xml("sip:team@example.com", [f"u{n}" for n in range(MEMBERS)]),
                         "application/vnd.oma.poc.groups+xml")
        threads = [threading.Thread(target=self.live, args=(phone,)) for phone in self.phones]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(self.seconds + self.settle + 120)
        assert not self.troubles, self.troubles


# --- the accounts

def read_records(system):
    done = subprocess.run([f"{system.build}/soak_count", system.path("data")], capture_output=True, text=True, timeout=600)
    lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
    wrong = [line for line in lines if line[0] == "wrong"]
    assert done.returncode == 0 and not wrong, (wrong[:20], done.stderr[-2000:])
    return {(message, recipient): state for state, message, recipient in lines}


def balance(soak, records):
    states = {}
    for state in records.values():
        states[state] = states.get(state, 0) + 1
    lost = [key for key, state in records.items() if state == "lost"]
    assert not lost, f"{len(lost)} lost, such as {lost[:5]}"
    print(f"records {len(records)} = " + " + ".join(f"{count} {state}" for state, count in sorted(states.items())))
    print("done: " + ", ".join(f"{count} {what}" for what, count in sorted(soak.counts.items())))
    delivered = states.get("delivered", 0)
    got = sum(len({body for body in phone.taken if "isComposing" not in body}) for phone in soak.phones)
    assert got == delivered, f"phones have taken {got}, the records say {delivered}"
    assert delivered > 0
    for phone in soak.phones:
        for call_id, recipients, status in phone.sent:
            check_answer(call_id, status, recipients,
                         [records.get((call_id, f"sip:{name}@example.com")) for name in recipients])


def check_answer(call_id, status, recipients, states):
    """What the sender was told is what the records say: 200 is delivered, 202 a record for each, else nobody has it."""
    if status == 200:
        assert states == ["delivered"], (call_id, status, states)
    elif status == 202:
        assert all(states), (call_id, status, recipients, states)
    else:
        assert status >= 300 and not set(states) - {None, "refused"}, (call_id, status, states)


def add_up(system):
    """What monitoring was told: what was stored has ended, in one of the programs, or waits."""
    total = {"stored": 0, "ended": 0}
    ports = (("127.0.0.1", system.ports["management"]), system.glue.addresses["management"])
    for line in "".join(system.curl("GET", f"http://{host}:{port}/metrics")[1] for host, port in ports).splitlines():
        series, _, value = line.rpartition(" ")
        if series.startswith("im_deferred_ended_total{"):
            total["ended"] += int(value)
        elif series.startswith("im_glue_messages_total{") and 'outcome="stored"' in series:
            total["stored"] += int(value)
    status, text = system.curl("GET", f"http://127.0.0.1:{system.ports['admin']}/api/v1/queue?limit=1")
    assert status == 200, text
    return total["stored"], total["ended"], json.loads(text)["count"]


def monitored(system):
    deadline = time.monotonic() + PATIENCE
    stored, ended, waiting = add_up(system)
    while stored != ended + waiting:
        assert time.monotonic() < deadline, f"{stored} stored, {ended} ended, {waiting} wait"
        time.sleep(0.5)  # something ended between two of the numbers
        stored, ended, waiting = add_up(system)
    print(f"stored {stored} = {ended} ended + {waiting} waiting")


def test(system):
    soak = Soak(system, float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS)
    soak.run()
    monitored(system)
    system.stop()
    balance(soak, read_records(system))
    system.ctl("check", "--data", system.path("data"))
    system.start()


harness.main(test, users=[f"u{n}" for n in range(USERS)],
             glue_options=("--set", f"deferred.messages-per-user={QUOTA}", "--management", harness.FREE))
