#!/usr/bin/env python3
"""Messages to many with the real programs: a list of recipients, reports about it across a restart of im-glue, and settings
that a client publishes. Nothing is looked at that depends on how fast the machine is."""
import time

import harness
from clients import Sip

PATIENCE = 60
LIST = ("--bx\r\nContent-Type: message/cpim\r\n\r\nFrom: <sip:alice@example.com>\r\nTo: <sip:exploder@example.com>\r\n"
        "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 9f2c81aa\r\n"
        "imdn.Disposition-Notification: positive-delivery\r\n\r\nContent-Type: text/plain\r\n\r\nLunch at noon?\r\n"
        "--bx\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n"
        '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists" xmlns:cp="urn:ietf:params:xml:ns:copycontrol">'
        '<list><entry uri="sip:bob@example.com" cp:copyControl="to"/><entry uri="sip:carol@example.com"/></list>'
        "</resource-lists>\r\n--bx--\r\n")
SETTINGS = ('<im-service-settings xmlns="urn:oma:xml:im:service-settings"><vis-settings><vis-status active="{}"/>'
            "</vis-settings></im-service-settings>")


def receive(phone, count):
    deadline = time.monotonic() + PATIENCE
    while len(phone.received) < count:
        assert time.monotonic() < deadline, (phone.user, phone.received)
        phone.listen(0.2)
    taken, phone.received = phone.received, []
    return taken


def report(phone):
    body = (f"From: <sip:{phone.user}@example.com>\r\nTo: <sip:alice@example.com>\r\n\r\n"
            "Content-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n"
            '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>9f2c81aa</message-id>'
            "<datetime>2026-01-05T10:00:00Z</datetime>"
            f"<recipient-uri>sip:{phone.user}@example.com</recipient-uri>"
            "<delivery-notification><status><delivered/></status></delivery-notification></imdn>")
    uri = "sip:alice@example.com"
    return phone.request("MESSAGE", uri, uri, "Content-Type: message/cpim\r\n", body)


def a_list_reaches_its_recipients(alice, bob, carol):
    uri = "sip:exploder@example.com"
    status = alice.request("MESSAGE", uri, uri, "Require: recipient-list-message\r\n"
                           "Content-Type: multipart/mixed;boundary=bx\r\n", LIST)
    assert status == 202, status
    copies = [receive(phone, 1)[0] for phone in (bob, carol)]
    assert copies[0] == copies[1] and "Lunch at noon?" in copies[0], copies
    assert 'uri="sip:bob@example.com"' in copies[0] and "sip:carol@" not in copies[0], copies[0]
    calls = [line for phone in (bob, carol) for line in phone.heads[-1].split("\r\n") if line.startswith("Call-ID:")]
    assert len(set(calls)) == 2, calls


def reports_arrive_as_one_after_a_restart(system, alice, bob, carol):
    assert report(bob) == 202
    system.glue.stop()
    system.start_glue()
    for phone in (bob, carol):
        phone.digest = type(phone.digest)(phone.user)
    assert report(carol) == 202
    both = receive(alice, 1)
    assert len(both) == 1 and both[0].count("<recipient-uri>") == 2, both


def settings_are_honoured_from_the_next_request_on(alice, bob):
    uri = "sip:bob@example.com"
    headers = ("Event: im-service-settings\r\nContent-Type: application/vnd.oma.im.service-settings+xml\r\n")
    assert bob.request("PUBLISH", uri, uri, headers, SETTINGS.format("false")) == 200, bob.answered
    tag = bob.answered.split("SIP-ETag: ")[1].split("\r\n")[0]
    assert alice.send("bob", "kept") == 202
    bob.listen(0.5)
    assert not bob.received, bob.received
    assert bob.request("PUBLISH", uri, uri, headers + f"SIP-If-Match: {tag}\r\n", SETTINGS.format("true")) == 200
    assert receive(bob, 1) == ["kept"]


def test(system):
    phones = [Sip(system.ports["sip"], user) for user in ("alice", "bob", "carol")]
    for phone in phones:
        assert phone.register() == 200
    alice, bob, carol = phones
    a_list_reaches_its_recipients(alice, bob, carol)
    reports_arrive_as_one_after_a_restart(system, alice, bob, carol)
    settings_are_honoured_from_the_next_request_on(alice, bob)
    for phone in phones:
        phone.close()


harness.main(test)
