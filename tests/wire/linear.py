#!/usr/bin/env python3
"""Single documents are linearizable over HTTP: clients that PUT with If-Match and clients that read, at once. Their
history of entity tags is proved to be one that could have happened one request at a time; the proof is then shown to
fail when one answer is bent."""
import threading
import time

import clients
import harness

PATH = "/xcap-root/resource-lists/users/sip:alice@example.com/one"
TYPE = "application/resource-lists+xml"
CLIENTS = 8
REQUESTS = 150  # of each
READ, WRITE, REFUSED = "read", "write", "refused"


def document(value):
    return ('<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">'
            f'<list name="{value}"/></resource-lists>')


def is_linear(history):
    """Operations are (kind, called, returned, tag expected, tag written or seen, body). Each write names the tag that it
    replaces, so that the tags are a chain; an operation's place is that of its tag in it."""
    after = {}  # tag -> the write that replaced it
    for operation in history:
        if operation[0] == WRITE:
            if operation[3] in after:
                return False  # two writers replaced one version
            after[operation[3]] = operation
    place, bodies, tag = {None: 0}, {}, None
    while tag in after:
        operation = after[tag]
        tag = operation[4]
        if tag in place:
            return False
        place[tag] = len(place)
        bodies[tag] = operation[5]
    if len(place) != len(after) + 1:
        return False  # a write that stands in no chain
    for kind, _, _, expected, tag, body in history:
        if tag not in place or (kind == READ and tag and bodies[tag] != body) or (kind == REFUSED and tag == expected):
            return False
    by_call = sorted(history, key=lambda operation: operation[1])
    by_return = sorted(history, key=lambda operation: operation[2])
    newest = done = 0
    for kind, called, _, _, tag, _ in by_call:
        while by_return[done][2] < called:
            newest = max(newest, place[by_return[done][4]])
            done += 1
        if place[tag] < newest + (kind == WRITE):
            return False
    return True


def read(client, history):
    called = time.monotonic_ns()
    status, body, answer = client.request("GET", PATH)
    returned = time.monotonic_ns()
    assert status in (200, 404), status
    tag = answer.headers["ETag"] if status == 200 else None
    history.append((READ, called, returned, None, tag, body.decode() if tag else None))
    return tag


def write(client, tag, value, history):
    condition = {"If-Match": tag} if tag else {"If-None-Match": "*"}
    body = document(value)
    called = time.monotonic_ns()
    status, _, answer = client.request("PUT", PATH, body, TYPE, condition)
    returned = time.monotonic_ns()
    assert status in (200, 201, 412), status
    if status != 412:  # who was refused does not hear what stands there: the next read tells
        history.append((WRITE, called, returned, tag, answer.headers["ETag"], body))


def work(system, number, history):
    client = clients.Http(system.ports["http"], "alice")
    for serial in range(REQUESTS):
        tag = read(client, history)
        if number % 4 != 3:
            write(client, tag, f"{number}-{serial}", history)


def linear(system):
    histories = [[] for _ in range(CLIENTS)]
    threads = [threading.Thread(target=work, args=(system, number, histories[number])) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = [operation for one in histories for operation in one]
    writes = [operation for operation in history if operation[0] == WRITE]
    assert len(history) > CLIENTS * REQUESTS and CLIENTS < len(writes) < CLIENTS * REQUESTS * 3 // 4
    assert is_linear(history)
    late = max((operation for operation in history if operation[0] == READ), key=lambda operation: operation[1])
    early = min(writes, key=lambda operation: operation[1])
    stale = [operation for operation in history if operation is not late] + [late[:4] + early[4:]]
    assert not is_linear(stale)
    twice = history + [writes[-1][:4] + ('"forged"', document("forged"))]
    assert not is_linear(twice)
    print(f"{len(history)} operations, {len(writes)} of them writes")


harness.main(linear)
