"""Decisions: in process, with few rules and with many for others, with a list of 10,000; and over HTTP, beside what the
HTTP library can do alone with answers of that size."""
import copy
import json
import subprocess
import urllib.request

import bench_servers

RULES = 1000
CONNECTIONS = 64
FIGURES = {"few": "10 rules", "many": f"{RULES} rules", "list": f"{RULES} rules, list of 10000"}
RULES_XML = """<ruleset xmlns="urn:ietf:params:xml:ns:common-policy" xmlns:poc="urn:oma:xml:poc:poc-rules">{rules}
  <rule id="alice"><conditions><identity><one id="sip:u0@example.com"/></identity></conditions>
    <actions><poc:allow-invite>accept</poc:allow-invite></actions></rule></ruleset>"""
RULE = """<rule id="r{n}"><conditions><identity><one id="sip:x{n}@example.com"/></identity></conditions><actions>
  <poc:allow-invite>reject</poc:allow-invite></actions></rule>"""


def in_process(bench, number):
    done = subprocess.run([bench.program("policy_speed"), str(bench.seconds / 2), bench.path(f"policy-{number}", "")],
                          capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    for name, ns in json.loads(done.stdout).items():
        key, _, documents = name.partition("_")
        bench.sample(f"decision, {FIGURES[key]}", "by documents" if documents else "rules alone",
                     {"per_second": 1e9 / ns, "us": ns / 1000})


def put_rules(bench, server):
    """As u1 himself, by the one digest client that there is here: import."""
    line = {"document": "org.openmobilealliance.im-rules/users/sip:u1@example.com/im-rules",
            "body": RULES_XML.format(rules="".join(RULE.format(n=n) for n in range(RULES - 1)))}
    request = urllib.request.Request(f"http://127.0.0.1:{server.ports['admin']}/api/v1/import",
                                     data=(json.dumps(line) + "\n").encode(),
                                     headers={"Content-Type": "application/x-ndjson"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        said = json.load(answer)
    if said["added"] != 1:
        raise RuntimeError(said)


def run(bench):
    target = "/policy/v1/decide?from=sip:u0@example.com&to=sip:u1@example.com&kind=message"
    xdms = bench_servers.xdms(bench, 2)
    put_rules(bench, xdms)
    asked = copy.copy(xdms)
    asked.port = xdms.ports["admin"]
    with urllib.request.urlopen(f"http://127.0.0.1:{asked.port}{target}", timeout=60) as answer:
        size = len(answer.read())
    fixed = bench_servers.bare_http(bench, size)
    connections = 8 if bench.quick else CONNECTIONS
    for number in range(bench.rounds):
        in_process(bench, number)
        for server in (asked, fixed):
            bench.sample(f"decide over HTTP, {connections} connections", server.name,
                         bench_servers.load(bench, server, target, connections))
            bench.sample(f"304, {connections} connections", server.name,
                         bench_servers.load(bench, server, target, connections, conditional=True))
    few, many, lists = (f"decision, {FIGURES[key]}" for key in ("few", "many", "list"))
    bench.goal("1000 rules to 10 rules", bench.ratio(many, "rules alone", "rules alone", few), least=0.5)
    bench.goal("list of 10000 to 10 rules", bench.ratio(lists, "rules alone", "rules alone", few), least=0.5)
    bench.goal("decide over HTTP to bare MHD",
               bench.ratio(f"decide over HTTP, {connections} connections", "xdms", "bare MHD"), least=0.5)
    bench.note(f"Answers of {size} bytes; u1 has {RULES} rules, the last one for u0. In process: one thread.")
