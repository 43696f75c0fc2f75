#!/usr/bin/env python3
"""The description of the HTTP API: served by both ports, good OpenAPI 3.1 for a validator of other makers, every route in
it, and real exchanges as it says. The validator is in build/openapi (./dev test puts it there)."""
import http.client
import json
import os
import re
import subprocess
import time

import harness

MODULES = os.path.join(harness.SOURCE, "build/openapi")
GROUP_TYPE = "application/vnd.oma.poc.groups+xml"
TEAM = "/api/v1/groups/sip:team@example.com"


class Recorder:
    """Asks, and writes down what came of it."""

    def __init__(self, address, path):
        self.address = address
        self.file = open(path, "w", encoding="utf-8")

    def ask(self, method, target, body=None, headers=None, expect=None):
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        kind = {"Content-Type": "application/json"} if body else {}
        connection.request(method, target, body=body, headers={**kind, **(headers or {})})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        path, _, query = target.partition("?")
        self.file.write(json.dumps({"method": method.lower(), "path": path, "query": query, "status": answer.status,
                                    "type": answer.getheader("Content-Type") or "", "body": text,
                                    "sent": body or ""}) + "\n")
        assert expect is None or answer.status == expect, f"{method} {target}: {answer.status} {text}"
        return text


def admin_exchanges(ask, folder):
    for name in ("alice", "bob"):
        ask("POST", "/api/v1/users", json.dumps({"name": name, "password": name, "aliases": []}), expect=201)
    ask("POST", "/api/v1/users", json.dumps({"name": "alice", "password": "x"}), expect=409)
    ask("POST", "/api/v1/users", "{", expect=400)
    ask("PUT", "/api/v1/users/carol", json.dumps({"password": "c", "roles": ["auditor"], "displayName": "Carol",
                                                  "aliases": ["tel:+15550100"]}), expect=201)
    ask("PUT", "/api/v1/users/carol", json.dumps({"displayName": "Carol C."}), expect=200)
    ask("PUT", "/api/v1/users/carol", json.dumps({"password": "c"}), {"If-None-Match": "*"}, expect=412)
    ask("GET", "/api/v1/users?limit=2", expect=200)
    ask("GET", "/api/v1/users?limit=0", expect=400)
    ask("GET", "/api/v1/users/alice", expect=200)
    ask("GET", "/api/v1/users/nobody", expect=404)
    ask("GET", "/api/v1/users/alice/messages?limit=5", expect=200)
    ask("GET", "/api/v1/messages/unknown", expect=404)
    document = harness.group_xml("sip:team@example.com", ["alice", "bob", "carol"])
    ask("PUT", TEAM + "?owner=alice&name=team", document, {"Content-Type": GROUP_TYPE}, expect=201)
    ask("PUT", TEAM, document, {"Content-Type": GROUP_TYPE}, expect=200)
    ask("PUT", TEAM, "<group/>", {"Content-Type": GROUP_TYPE})
    ask("PUT", TEAM, document, {"Content-Type": "text/plain"}, expect=415)
    ask("GET", "/api/v1/groups", expect=200)
    ask("GET", TEAM, expect=200)
    ask("GET", "/api/v1/users/bob/groups", expect=200)
    ask("GET", "/api/v1/users/%20/groups", expect=404)
    ask("GET", "/api/v1/users/nobody/groups", expect=404)
    ask("GET", "/api/v1/users/alice/documents?limit=1", expect=200)
    ask("GET", "/api/v1/users/nobody/documents", expect=404)
    ask("GET", f"/api/v1/documents/{harness.GROUPS}%2Fusers%2Fsip:alice@example.com%2Fteam", expect=200)
    ask("GET", "/api/v1/documents/none", expect=404)
    search = {"target": "org.openmobilealliance.groups/users/", "max": 1,
              "query": 'for $g in collection("org.openmobilealliance.groups/users/")/group/list-service return <g>{$g/@uri}</g>'}
    ask("POST", "/api/v1/search", json.dumps(search), expect=200)
    ask("POST", "/api/v1/search", json.dumps({**search, "query": "for"}), expect=409)
    ask("POST", "/api/v1/search", json.dumps({**search, "target": "unknown/users/"}), expect=404)
    ask("POST", "/api/v1/search", json.dumps({"target": "x"}), expect=400)
    ask("POST", "/api/v1/reindex", "{}", expect=200)
    ask("POST", "/api/v1/reindex", json.dumps({"usage": "unknown"}), expect=400)
    line = json.dumps({"user": "dave", "password": "dave"})
    ask("POST", "/api/v1/import?existing=keep", line + "\n{}\n", {"Content-Type": "application/x-ndjson"}, expect=200)
    ask("POST", "/api/v1/backup", json.dumps({"folder": os.path.join(folder, "backup")}), expect=200)
    ask("POST", "/api/v1/backup", json.dumps({"folder": "here"}), expect=400)
    ask("GET", "/api/v1/users", headers={"Origin": "http://evil.example"}, expect=403)
    ask("GET", "/api/v1/queue?limit=5", expect=200)
    ask("GET", "/api/v1/queue?after=nonsense", expect=400)
    ask("GET", "/api/v1/users/alice/queue", expect=200)
    ask("DELETE", "/api/v1/users/alice/queue?reference=none", expect=404)
    ask("DELETE", "/api/v1/users/alice/queue", expect=200)
    ask("POST", "/api/v1/users/alice/queue/retry", expect=202)
    ask("DELETE", "/api/v1/users/dave", expect=204)
    ask("DELETE", "/api/v1/users/dave?everything=no", expect=400)
    ask("DELETE", "/api/v1/users/dave?everything=true", expect=200)
    ask("GET", "/api/v1/erasures?limit=1", expect=200)
    ask("GET", "/api/v1/erasures?after=nonsense", expect=400)


def policy_exchanges(ask):
    decide = "/policy/v1/decide"
    ask("GET", decide + "?from=alice&to=bob&kind=session&reachable=no", expect=200)
    ask("GET", decide + "?from=alice&from=tel:%2B15550199&to=sip:team@example.com&media=audio&time=2026-01-05T10:00:00Z",
        expect=200)
    ask("GET", decide + "?from=eve&to=sip:team@example.com", expect=200)
    ask("GET", decide + "?to=ghost", expect=200)
    ask("GET", decide + "?to=bob", headers={"Accept": "application/xml"}, expect=200)
    ask("GET", decide + "?to=bob", headers={"Accept": "text/plain"}, expect=200)
    ask("GET", decide + "?form=bob", expect=400)
    ask("POST", decide, json.dumps({"from": ["alice"], "to": "bob", "anonymous": True, "members": False}), expect=200)
    ask("POST", decide, json.dumps({"questions": [{"from": "alice", "to": "team"}, {"to": "bob", "deferred": True}]}),
        expect=200)
    ask("POST", decide, json.dumps({"questions": []}), expect=400)
    for accept in ("application/json", "application/xml", "text/plain", "text/html"):
        ask("GET", "/policy/v1/explain?from=alice&to=team&invited=bob", headers={"Accept": accept}, expect=200)
        ask("GET", "/policy/v1/explain?from=alice&to=bob", headers={"Accept": accept}, expect=200)


def routes_of_the_program():
    """Method and path of each row in the table of the program."""
    source = open("xdms/service/admin.c", encoding="utf-8").read()
    table = source[source.index("routes[] = {"):]
    table = table[:table.index("};")]
    rows = re.findall(r'\{"([A-Z]+)", "([^"]+)",', table)
    assert len(rows) > 10
    return {(method.lower(), path) for method, path in rows}


def routes_of(description):
    return {(method, re.sub(r"\{\w+\}", "*", path)) for path, item in description["paths"].items()
            for method in item if method in ("get", "put", "post", "delete", "patch")}


def send_message(system, ask):
    """One message from alice to bob, who is away: it has a fate, which is written soon after the 202."""
    system.sipp("send.xml", "-s", "alice", "-ap", "alice", "-key", "target", "bob", "-key", "body", "hello")
    deadline = time.monotonic() + 10
    while not (fates := json.loads(ask("GET", "/api/v1/users/alice/messages", expect=200))["fates"]):
        assert time.monotonic() < deadline, "no fate of a message"
        time.sleep(0.1)
    ask("GET", f"/api/v1/messages/{fates[0]['messageId']}", expect=200)


def described(system):
    assert os.path.isdir(os.path.join(MODULES, "node_modules")), \
        f"{MODULES} has no validator: ./dev test puts it there, or npm ci there beside tests/openapi/package-lock.json"
    exchanges, copy = system.path("exchanges"), system.path("openapi.json")
    admin = Recorder(system.xdms.addresses["admin"], exchanges)
    policy = Recorder(system.xdms.addresses["policy"], os.devnull)
    text = admin.ask("GET", "/api/v1/openapi.json", expect=200)
    ours, theirs = routes_of_the_program(), routes_of(json.loads(text))
    assert ours == theirs, f"not the same routes: {sorted(ours ^ theirs)}"
    assert policy.ask("GET", "/api/v1/openapi.json", expect=200) == text
    admin_exchanges(admin.ask, system.folder)
    policy_exchanges(admin.ask)
    policy_exchanges(policy.ask)
    send_message(system, admin.ask)
    admin.ask("DELETE", TEAM, expect=204)
    admin.file.close()
    with open(copy, "w", encoding="utf-8") as file:
        file.write(text)
    done = subprocess.run(["node", "tests/openapi/check.mjs", MODULES, copy, exchanges], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout.strip())


harness.main(described, users=(), xdms_options=("--set", "listen.policy=127.0.0.1:0"))
