#!/usr/bin/env python3
"""SIGKILL to both programs while 36 clients PUT and send: every acknowledged document, every accepted message, and every entry of
a history whose message was said to have arrived is there afterwards."""
import random
import threading

import clients
import harness

ROUNDS = 4
HTTP_CLIENTS = SIP_CLIENTS = 16
ACKNOWLEDGED_MIN = 150  # of both kinds together, before the programs are killed
RECIPIENTS = ["bob", "carol", "dave"]  # away until the end, at most 1,000 messages each
MESSAGES_MAX = 800  # each, over all rounds
LISTENER = "erin"  # is there all the time, and has a history
LISTENED_CLIENTS = 4
SETTINGS = ('<s xmlns="urn:oma:xml:im:service-settings"><hist-settings><hist-activation type="pager-large-mode" active="true"/>'
            "</hist-settings></s>")


class Load:
    """What was acknowledged, and what to stop for."""

    def __init__(self):
        self.documents = {}  # path -> body
        self.messages = {name: set() for name in RECIPIENTS}
        self.arrived = set()  # subjects of what the listener was sent
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.enough = threading.Event()
        self.count = 0

    def acknowledge(self):
        self.count += 1
        if self.count >= ACKNOWLEDGED_MIN:
            self.enough.set()


def put_documents(system, load, round_number, number):
    try:
        client = clients.Http(system.ports["http"], "alice")
        for serial in range(100000):
            if load.stopping.is_set():
                return
            name = f"r{round_number}c{number}n{serial}"
            body = ('<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">'
                    f'<list name="{name}"/></resource-lists>')
            path = f"/xcap-root/resource-lists/users/sip:alice@example.com/{name}"
            status = client.request("PUT", path, body, "application/resource-lists+xml")[0]
            assert status == 201, status
            with load.lock:
                load.documents[path] = body
                load.acknowledge()
    except (OSError, EOFError, clients.http.client.HTTPException):
        pass  # the server was killed: this one was not acknowledged


def send_messages(system, load, round_number, number):
    client = clients.Sip(system.ports["sip"], "alice")
    try:
        for serial in range(100000):
            target = RECIPIENTS[serial % len(RECIPIENTS)]
            body = f"message {round_number} {number} {serial}"
            with load.lock:
                full = len(load.messages[target]) >= MESSAGES_MAX
            if load.stopping.is_set() or full:
                return
            if client.send(target, body, patience_seconds=2) == 202:
                with load.lock:
                    load.messages[target].add(body)
                    load.acknowledge()
    finally:
        client.close()


def send_what_arrives(system, load, round_number, number):
    client = clients.Sip(system.ports["sip"], "alice")
    uri = f"sip:{LISTENER}@example.com"
    try:
        for serial in range(100000):
            subject = f"arrived-{round_number}-{number}-{serial}-"
            with load.lock:
                full = len(load.arrived) >= MESSAGES_MAX
            if load.stopping.is_set() or full:
                return
            if client.request("MESSAGE", uri, uri, f"Content-Type: text/plain\r\nSubject: {subject}\r\n", "hello", 2) == 200:
                with load.lock:
                    load.arrived.add(subject)
    finally:
        client.close()


def answer(phone, done):
    phone.socket.settimeout(0.2)
    while not done.is_set():
        try:
            phone.take()
        except (TimeoutError, ConnectionError):
            pass


def begin_listening(system, done):
    phone = clients.Sip(system.ports["sip"], LISTENER)
    uri = f"sip:{LISTENER}@example.com"
    status = phone.request("PUBLISH", uri, uri, "Event: im-service-settings\r\nExpires: 3600\r\nContent-Type: "
                           "application/vnd.oma.im.service-settings+xml\r\n", SETTINGS)
    assert status == 200 and phone.register() == 200, phone.answered
    thread = threading.Thread(target=answer, args=(phone, done))
    thread.start()
    return thread


def check_history(system, load):
    url = f"/xcap-root/org.openmobilealliance.conv-history/users/sip:{LISTENER}@example.com/conv-history"
    status, text, _ = clients.Http(system.ports["http"], LISTENER).request("GET", url)
    lost = [subject for subject in load.arrived if subject not in text.decode()]
    assert status == 200 and load.arrived and not lost, f"{len(lost)} of {len(load.arrived)} not in the history, such as {lost[:3]}"


def one_round(system, load, round_number, generator):
    load.stopping.clear()
    load.enough.clear()
    load.count = 0
    threads = [threading.Thread(target=work, args=(system, load, round_number, number))
               for work, total in ((put_documents, HTTP_CLIENTS), (send_messages, SIP_CLIENTS),
                                   (send_what_arrives, LISTENED_CLIENTS))
               for number in range(total)]
    for thread in threads:
        thread.start()
    assert load.enough.wait(120), f"only {load.count} acknowledged\n{system.xdms.tail()}\n{system.glue.tail()}"
    load.stopping.wait(generator.random() / 2)
    system.kill()
    load.stopping.set()
    for thread in threads:
        thread.join(60)
    system.start()


def crash(system):
    generator = random.Random(1)
    load = Load()
    done = threading.Event()
    listening = begin_listening(system, done)
    try:
        for round_number in range(ROUNDS):
            one_round(system, load, round_number, generator)
    finally:
        done.set()
        listening.join(60)
    check_history(system, load)
    reader = clients.Http(system.ports["http"], "alice")
    for path, body in load.documents.items():
        status, text, _ = reader.request("GET", path)
        assert (status, text.decode()) == (200, body), f"{path}: {status}"
    for name in RECIPIENTS:
        client = clients.Sip(system.ports["sip"], name)
        assert client.register() == 200
        client.listen(quiet_seconds=5)
        lost = load.messages[name] - set(client.received)
        assert not lost, f"{len(lost)} of {len(load.messages[name])} messages for {name} lost, such as {lost.pop()}"
        client.close()
    system.ctl("check", "--data", system.path("data"))
    print(f"{len(load.documents)} documents, {sum(map(len, load.messages.values()))} messages and {len(load.arrived)} entries "
          f"survived {ROUNDS} kills")


harness.main(crash, users=("alice", *RECIPIENTS, LISTENER))
