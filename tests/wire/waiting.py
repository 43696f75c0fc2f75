#!/usr/bin/env python3
"""What waits for a user who is away, and what users said before, with the real programs: the lists by curl, fetching and
deletion by SIP, the notices of message-summary, the queue and the erasure by xdmctl, with messages of sipp."""
import json
import re
import subprocess
import time

import harness
from clients import Sip
from tour import send

DEFERRED = "org.openmobilealliance.deferred-list"
HISTORY = "org.openmobilealliance.conv-history"
SETTINGS = ("Event: im-service-settings\r\nContent-Type: application/vnd.oma.im.service-settings+xml\r\n"
            "Expires: 3600\r\n")
PATIENCE = 30  # seconds; a test that waits longer fails


class Client(Sip):
    TAKEN = ("MESSAGE ", "NOTIFY ")

    def settings(self, inside):
        uri = f"sip:{self.user}@example.com"
        body = f'<s xmlns="urn:oma:xml:im:service-settings">{inside}</s>'
        assert self.request("PUBLISH", uri, uri, SETTINGS, body) == 200, self.answered

    def ask(self, address, kind=None, references=()):
        uri = f"sip:{address}@example.com"
        if not kind:
            return self.request("MESSAGE", uri, uri)
        entries = "".join(f'<history history-reference="{reference}"/>' for reference in references)
        body = f'<history-list xmlns="urn:oma:xml:im:history-list">{entries}</history-list>'
        return self.request("MESSAGE", uri, uri, f"Content-Type: application/vnd.oma.im.{kind}-list+xml\r\n", body)

    def wait_for(self, text):
        """Until the last that came holds this."""
        deadline = time.monotonic() + PATIENCE
        self.socket.settimeout(PATIENCE)
        while not (self.received and text in self.received[-1]):
            assert time.monotonic() < deadline, f"{text}: {self.received}"
            self.take()


def references(text):
    return re.findall('history-reference="([^"]*)"', text)


def element(system, usage, name, reference):
    return system.url(usage, "dave", name, f'history-list/history%5b@history-reference=%22{reference}%22%5d')


def lists(system):
    url = system.url(DEFERRED, "dave", "deferred-list")
    status, text = system.curl("GET", url, "dave")
    found = references(text)
    assert status == 200 and len(found) == 4, text
    assert "<from>sip:alice@example.com</from>" in text or "sip:alice@example.com" in text, text
    assert system.curl("GET", url, "bob")[0] == 403
    assert system.curl("PUT", url, "dave", text, "application/vnd.oma.im.deferred-list+xml")[0] == 405
    tag = re.search(r'(?im)^ETag: *("[^"]*")', head(system, url)).group(1)
    assert system.curl("GET", url, "dave", headers=[f"If-None-Match: {tag}"])[0] == 304
    one = element(system, DEFERRED, "deferred-list", found[0])
    assert system.curl("DELETE", one, "bob")[0] == 403
    assert system.curl("DELETE", one, "dave", headers=['If-Match: "other"'])[0] == 412
    assert system.curl("DELETE", one, "dave", headers=[f"If-Match: {tag}"])[0] == 200
    assert system.curl("DELETE", one, "dave")[0] == 404
    status, text = system.curl("GET", url, "dave", headers=[f"If-None-Match: {tag}"])
    assert status == 200 and references(text) == found[1:], text
    return found[1:]


def head(system, url):
    return subprocess.run(["curl", "-sS", "-g", "-I", "--digest", "-u", "dave:dave", url], capture_output=True,
                          text=True, timeout=60, check=True).stdout


def queue(system, left):
    lines = [json.loads(line) for line in system.ctl("queue", "--json").splitlines()]
    assert [line["reference"] for line in lines] == left, lines
    assert all(line["recipient"] == "sip:dave@example.com" and line["why"] for line in lines), lines
    assert left[0] in system.ctl("queue", "--user", "dave") and system.ctl("queue", "--user", "bob") == ""
    assert system.ctl("queue", "drop", "dave", left[0]) == "1 dropped\n"
    assert system.ctl("queue", "retry", "dave") == "2 are tried again if their recipient is there\n"
    return left[1:]


def summary(system, dave):
    uri = "sip:dave@example.com"
    status = dave.request("SUBSCRIBE", uri, uri, f"Event: message-summary\r\nContact: <sip:dave@127.0.0.1:{dave.port}>\r\n")
    assert status == 200, dave.answered
    dave.wait_for("Text-Message: 0/2")  # he has read the list


def fetch(system, dave, left):
    dave.settings('<deferred-settings><offline-delivery active="false"/></deferred-settings>'
                  '<hist-settings><hist-activation type="pager-large-mode" active="true"/></hist-settings>')
    assert dave.request("REGISTER", "sip:example.com", "sip:dave@example.com",
                        f"Contact: <sip:dave@127.0.0.1:{dave.port}>\r\nExpires: 600\r\n") == 200
    assert dave.ask("deferred", "deferred", ["nonsense"]) == 404
    assert dave.ask("deferred", "deferred", left[1:]) == 202
    dave.wait_for("four")
    assert dave.ask("delete", "deferred", left[:1]) == 200
    dave.wait_for("Messages-Waiting: no")
    assert dave.ask("deferred") == 480 and "No messages" in dave.answered, dave.answered
    assert not [body for body in dave.received if body == "three"], dave.received


def history(system, dave):
    url = system.url(HISTORY, "dave", "conv-history")
    status, text = system.curl("GET", url, "dave")
    found = references(text)
    assert status == 200 and len(found) == 1, text
    assert system.curl("GET", url, "alice")[0] == 403
    dave.received.clear()
    assert dave.ask("history", "history", found) == 202
    dave.wait_for("four")
    assert system.curl("DELETE", element(system, HISTORY, "conv-history", found[0]), "dave")[0] == 200
    assert references(system.curl("GET", url, "dave")[1]) == []


def erasure(system):
    send(system, "alice", "dave", "last", 202)
    assert system.ctl("queue", "retry", "dave") == "1 is tried again if its recipient is there\n"
    system.ctl("user", "erase", "dave", check=False)
    assert "sip:dave@example.com" in system.ctl("user", "list")
    told = system.ctl("user", "erase", "--yes", "dave")
    assert "erased sip:dave@example.com" in told and re.search(r"account +1\n", told), told
    assert "sip:dave@example.com" not in system.ctl("user", "list")
    assert system.ctl("queue") == ""
    status, text = system.curl("GET", f"http://127.0.0.1:{system.ports['admin']}/api/v1/erasures")
    assert status == 200 and json.loads(text)["erasures"][0]["address"] == "sip:dave@example.com", text
    assert system.curl("GET", f"http://127.0.0.1:{system.ports['admin']}/api/v1/users/dave/messages")[0] == 404


def ends(system):
    """Each end is counted by the program that it happened in, and by no other."""
    def counted(host, port):
        _, text = system.curl("GET", f"http://{host}:{port}/metrics")
        return dict(re.findall(r'(?m)^im_deferred_ended_total\{outcome="(.*?)"\} (\d+)$', text))
    none = dict.fromkeys(("delivered", "expired", "deleted", "refused", "displaced"), "0")
    assert counted("127.0.0.1", system.ports["management"]) == {**none, "deleted": "3"}  # by XCAP, by xdmctl, with its user
    told = counted(*system.glue.addresses["management"])
    assert told == {**none, "deleted": "1", "delivered": "2"}, told  # one of them out of the history


def test(system):
    for word in ("one", "two", "three", "four"):
        send(system, "alice", "dave", word, 202)
    left = queue(system, lists(system))
    dave = Client(system.ports["sip"], "dave")
    try:
        summary(system, dave)
        fetch(system, dave, left)
        history(system, dave)
    finally:
        dave.close()
    dave = Client(system.ports["sip"], "dave")
    dave.request("REGISTER", "sip:example.com", "sip:dave@example.com", "Contact: *\r\nExpires: 0\r\n")
    dave.close()
    erasure(system)
    ends(system)


if __name__ == "__main__":
    harness.main(test, glue_options=("--management", harness.FREE))
