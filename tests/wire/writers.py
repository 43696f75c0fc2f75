#!/usr/bin/env python3
"""8 writers that each PUT 200 different entries into one list by element PUT, at once: all 1,600 are there at the end. Half
of them write through a second xdms on the same data folder, while xdmctl checks it again and again."""
import threading
import time

import clients
import harness

WRITERS = 8
ENTRIES = 200
EMPTY = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="all"></list></resource-lists>'
PATH = "/xcap-root/resource-lists/users/sip:alice@example.com/index"


def write(port, number, problems):
    client = clients.Http(port, "alice")
    for serial in range(ENTRIES):
        uri = f"sip:w{number}e{serial}@example.com"
        node = f"{PATH}/~~/resource-lists/list%5B@name=%22all%22%5D/entry%5B@uri=%22{uri}%22%5D"
        status = 503
        while status == 503:  # lost against the other server too often
            status, text, _ = client.request("PUT", node, f'<entry uri="{uri}"/>', "application/xcap-el+xml")
        if status != 201:
            problems.append((uri, status, text))


def writers(system):
    reader = clients.Http(system.ports["http"], "alice")
    assert reader.request("PUT", PATH, EMPTY, "application/resource-lists+xml")[0] == 201
    second = harness.start_xdms(system.build, system.path("data"), system.path("second.log"))
    ports = [system.ports["http"], second.addresses["http"][1]]
    problems = []
    threads = [threading.Thread(target=write, args=(ports[number % 2], number, problems)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    checks = 0
    while checks == 0 or any(thread.is_alive() for thread in threads):
        system.ctl("check", "--data", system.path("data"))
        checks += 1
        time.sleep(0.3)
    for thread in threads:
        thread.join()
    second.stop()
    assert not problems, problems[:3]
    text = reader.request("GET", PATH)[1].decode()
    missing = [f"w{w}e{e}" for w in range(WRITERS) for e in range(ENTRIES) if f'"sip:w{w}e{e}@example.com"' not in text]
    assert not missing, f"{len(missing)} lost, such as {missing[0]}"
    assert text.count("<entry ") == WRITERS * ENTRIES


harness.main(writers)
