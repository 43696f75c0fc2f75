#!/usr/bin/env python3
"""The tour of the README with curl and sipp: a group by XCAP, a message to it that arrives, is refused and is kept, a
restart of both programs, and the hand-over to the member who comes back."""
import os
import time

import harness

BLOCK_ALICE = """<ruleset xmlns="urn:ietf:params:xml:ns:common-policy" xmlns:oxe="urn:oma:xml:xdm:extensions">
  <rule id="no-alice">
    <conditions><identity><one id="sip:alice@example.com"/></identity></conditions>
    <actions><oxe:allow-reject-invite>true</oxe:allow-reject-invite></actions>
  </rule>
</ruleset>
"""
GROUP_TYPE = "application/vnd.oma.poc.groups+xml"


def wait_bound(port, transport):
    """Until somebody has the port: a message that comes earlier is kept, not delivered."""
    table = "/proc/net/udp" if transport == "u1" else "/proc/net/tcp"
    for _ in range(200):
        if any(f":{port:04X} " in line.split("0100007F", 1)[-1][:12] for line in open(table, encoding="ascii")):
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens on port {port}")


ANY_BODY = 'regexp="\\r\\n\\r\\n(.*)"'
ANY_SUCCESS = '<recv response="200" optional="true" next="end"/>\n  <recv response="202"/>'


def scenario(system, name, general, wanted):
    """The example of the docs, with what it leaves open replaced by what must happen here."""
    with open(os.path.join(harness.SOURCE, "docs/examples/sipp", f"{name}.xml"), encoding="utf-8") as file:
        text = file.read()
    assert general in text, f"{name}.xml: no {general}"
    path = system.path(f"{name}-{time.monotonic_ns()}.xml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(general, wanted))
    return path


def receive(system, port, body, transport="u1"):
    exact = scenario(system, "receive", ANY_BODY, ANY_BODY.replace(".*", body) + ' check_it="true"')
    process = system.sipp(exact, port=port, background=True, transport=transport)
    wait_bound(port, transport)
    return process


def arrived(system, process, what):
    code = process.wait(timeout=90)
    assert code == 0, f"{what}: exit {code}\n{system.sipp_errors()}\n{system.glue.tail()}"


def register(system, user, contact_port, transport="u1"):
    system.sipp("register.xml", "-s", user, "-ap", user, "-key", "contact", str(contact_port), transport=transport)


def send(system, user, target, body, answer, transport="u1"):
    exact = scenario(system, "send", ANY_SUCCESS, f'<recv response="{answer}"/>')
    system.sipp(exact, "-s", user, "-ap", user, "-key", "target", target, "-key", "body", body, transport=transport)


def tour(system):
    team = harness.group_xml("sip:team@example.com", ["alice", "bob", "carol", "dave"])
    url = system.url(harness.GROUPS, "alice", "team")
    assert system.curl("PUT", url, "alice", team, GROUP_TYPE)[0] == 201
    assert system.curl("GET", url, "alice") == (200, team)
    assert system.curl("GET", url)[0] == 401
    assert system.curl("GET", url, "bob")[0] == 403
    assert system.curl("PUT", system.url(harness.RULES, "carol", "im-rules"), "carol", BLOCK_ALICE,
                       "application/auth-policy+xml")[0] == 201

    bob, carol, dave = harness.free_port(), harness.free_port(), harness.free_port()
    bob_got = receive(system, bob, "to the team")
    register(system, "bob", bob)
    register(system, "carol", carol)
    send(system, "alice", "team", "to the team", "202")
    arrived(system, bob_got, "bob gets the group message")
    for _ in range(50):  # the record of bob's 200 is written after it
        story = system.ctl("trace", "alice")
        if "delivered" in story:
            break
        time.sleep(0.1)
    assert "delivered" in story and "no-alice" in story and "stored" in story, story

    system.stop()
    system.start()
    dave_got = receive(system, dave, "to the team")
    register(system, "dave", dave)
    arrived(system, dave_got, "dave gets what was kept")

    bob_got = receive(system, bob, "after the restart")
    send(system, "alice", "bob", "after the restart", "200")
    arrived(system, bob_got, "bob's binding survived")
    send(system, "alice", "carol", "hello", "403")
    send(system, "alice", "nobody", "hello", "404")

    # A rule by XCAP is in force for the next message, and so is its end.
    rules = system.url(harness.RULES, "bob", "im-rules")
    assert system.curl("PUT", rules, "bob", BLOCK_ALICE, "application/auth-policy+xml")[0] == 201
    send(system, "alice", "bob", "blocked now", "403")
    assert system.curl("DELETE", rules, "bob")[0] == 200
    bob_got = receive(system, bob, "and welcome")
    send(system, "alice", "bob", "and welcome", "200")
    arrived(system, bob_got, "bob hears alice again")
    # So is a member who leaves the group, by an element DELETE.
    assert system.curl("DELETE", system.url(harness.GROUPS, "alice", "team", "group/list-service/list/"
                                            "entry%5B@uri=%22sip:bob@example.com%22%5D"), "alice")[0] == 200
    send(system, "bob", "team", "still in?", "403")

    tcp = harness.free_port()
    tcp_got = receive(system, tcp, "over TCP", transport="t1")
    register(system, "alice", tcp, transport="t1")
    send(system, "bob", "alice", "over TCP", "200", transport="t1")
    arrived(system, tcp_got, "alice gets a message over TCP")
    assert system.ctl("user", "list").split()[:1] != []
    assert "sip:team@example.com" in system.ctl("group", "show", "sip:team@example.com")
    system.ctl("backup", system.path("backup"))
    assert os.listdir(system.path("backup"))


if __name__ == "__main__":
    harness.main(tour)
