#!/usr/bin/env python3
"""A disk that is full, slow or broken under the real programs: nothing is acknowledged that is not stored, reads go on,
and when the disk is well again, so is the server, without a restart."""
import errno
import os
import random
import resource
import string
import subprocess
import tempfile
import threading

import clients
import harness

LISTS = "/xcap-root/resource-lists/users/sip:alice@example.com/"
TYPE = "application/resource-lists+xml"
DOCUMENTS_MAX = 400


def noise(size):
    """Always the same text, which cannot be packed: it takes the room of its length."""
    return "".join(random.Random(size).choices(string.ascii_letters + string.digits, k=size))


def document(name, size=20000):
    return ('<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">'
            f'<list name="{name}"><display-name>{noise(size)}</display-name></list></resource-lists>')


def put(client, name, size=20000):
    return client.request("PUT", LISTS + name, document(name, size), TYPE)[0]


def get(client, name):
    status, text, _ = client.request("GET", LISTS + name)
    return status, text.decode()


def fill(system, client, prefix):
    """PUTs until there is no room; gives the names that were acknowledged."""
    names = []
    for serial in range(DOCUMENTS_MAX):
        name = f"{prefix}{serial}"
        status = put(client, name)
        if status == 507:
            assert system.metric("xdms_store_full") == 1
            return names
        assert status == 201, f"{name}: {status}"
        names.append(name)
    raise AssertionError("there was always room")


def check_full(system, client, prefix, make_room):
    """Full, then with room again. While it is full, reads and deletions go on."""
    sender = clients.Sip(system.ports["sip"], "alice")
    names = fill(system, client, prefix)
    for name in names:
        assert get(client, name) == (200, document(name)), name
    assert get(client, prefix + str(len(names)))[0] == 404  # what was refused is not there
    answers = {sender.send("carol", noise(1000)) for _ in range(40)}
    assert answers <= {202, 500} and 500 in answers, answers
    assert client.request("DELETE", LISTS + names[0])[0] == 200
    assert get(client, names[0])[0] == 404
    make_room()
    assert put(client, prefix + "again") == 201
    assert system.metric("xdms_store_full") == 0
    assert sender.send("carol", "there is room") == 202
    sender.close()
    system.ctl("check", "--data", system.path("data"))


def a_file_that_may_not_grow(system, client):
    """The kernel refuses to let the data file grow (EFBIG), as a quota does."""
    size = os.path.getsize(os.path.join(system.path("data"), "data.mdb"))
    for program in (system.xdms, system.glue):
        resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (size + 500_000, resource.RLIM_INFINITY))

    def make_room():
        for program in (system.xdms, system.glue):
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, unlimited)
    check_full(system, client, "grow", make_room)


def no_space_left(system, client):
    """ENOSPC on every page that is written."""
    system.fail_disk(("write", 1, 0, errno.ENOSPC, 0))
    assert put(client, "nospace") == 507
    assert system.metric("xdms_store_full") == 1
    assert get(client, "nospace")[0] == 404
    system.fail_disk()
    assert put(client, "nospace") == 201
    assert system.metric("xdms_store_full") == 0


def a_broken_disk(system, client):
    """EIO: on pages, on the flush, and on the page that makes a commit valid, after which LMDB gives its environment up."""
    assert put(client, "well") == 201
    for call in ("write", "sync", "meta"):
        system.fail_disk((call, 1, 0, errno.EIO, 0))
        assert put(client, f"broken-{call}") in (500, 503), call
        status, text = get(client, "well")
        assert (status, text) == (200, document("well")), f"{call}: {status}"
        assert get(client, f"broken-{call}")[0] == 404, call
        system.fail_disk()
        assert put(client, f"broken-{call}") == 201, call
        assert get(client, f"broken-{call}")[0] == 200, call


HOLD = 0xffffffff  # microseconds: until told otherwise


def a_slow_disk(system, client):
    """While PUTs, and an admin who makes a user, wait for a flush, the only worker thread of each port answers others; those
    that wait go together."""
    writers = 16
    others = [clients.Http(system.ports["http"], "alice") for _ in range(writers)]
    for other in others:
        assert get(other, "well")[0] == 200  # has its nonce
    flushes = system.metric("xdms_store_batch_seconds_count")
    system.fail_disk(("sync", 0, 0, 0, HOLD))
    done = []
    threads = [threading.Thread(target=lambda n=number: done.append(put(others[n], f"slow{n}")))
               for number in range(writers)]
    threads.append(threading.Thread(target=lambda: done.append(system.ctl("user", "add", "erin", "erin"))))
    for thread in threads:
        thread.start()
    for _ in range(20):
        assert get(client, "well")[0] == 200
        assert get(client, "slow0")[0] == 404
    assert "alice" in system.ctl("user", "list")
    assert not done  # nothing is acknowledged while nothing is on the disk
    system.fail_disk()
    for thread in threads:
        thread.join()
    assert sorted(map(str, done))[:writers] == ["201"] * writers, done
    assert "erin" in system.ctl("user", "list")
    flushes = system.metric("xdms_store_batch_seconds_count") - flushes
    assert flushes < writers / 2, f"{flushes} flushes for {writers} writes"


def a_full_file_system(build):
    """A real one of 12 MiB, if this machine lets us make it."""
    place = tempfile.mkdtemp(prefix="xdm-full-")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", place], capture_output=True).returncode == 0
    if not mounted:
        os.rmdir(place)
        print("no file system of our own: not allowed here")
        return
    system = None
    try:
        system = harness.System(build, folder=place)
        ballast = os.path.join(place, "ballast")
        with open(ballast, "wb") as file:
            file.write(bytes(4_000_000))
        check_full(system, clients.Http(system.ports["http"], "alice"), "real", lambda: os.unlink(ballast))
        system.stop()
    finally:
        if system:
            system.close(keep=True)
        subprocess.run(["umount", place], check=True)
        os.rmdir(place)


def disk(system):
    client = clients.Http(system.ports["http"], "alice")
    a_broken_disk(system, client)
    no_space_left(system, client)
    a_slow_disk(system, client)
    a_file_that_may_not_grow(system, client)
    a_full_file_system(system.build)


harness.main(disk, faulty_disk=True, xdms_options=("--set", "http.threads=1"))
