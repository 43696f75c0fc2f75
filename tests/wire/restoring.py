#!/usr/bin/env python3
"""Backups under load, restored elsewhere: the restored store is one moment of the first one, exactly, and no entity tag comes
back. Then what a restore refuses, and that it leaves the folder as it was."""
import http.client
import json
import os
import subprocess
import threading

import harness

WRITERS, OWN_GROUPS, ROUNDS = 8, 5, 3
WRITES_BEFORE = 25  # of each writer, before the first backup may begin
REFUSED, USAGE = 1, 2


class Server:
    def __init__(self, build, data, log):
        self.build, self.data = build, data
        self.program = harness.start_xdms(build, data, log)
        self.address = self.program.addresses["admin"]

    def connection(self):
        return http.client.HTTPConnection(*self.address, timeout=120)


def ctl(server_or_build, *arguments, code=0):
    build = getattr(server_or_build, "build", server_or_build)
    environment = dict(os.environ)
    if hasattr(server_or_build, "address"):
        environment["XDM_ADMIN"] = "%s:%d" % server_or_build.address
    done = subprocess.run([os.path.join(build, "xdmctl"), *arguments], capture_output=True, text=True, timeout=280,
                          env=environment, check=False)
    assert done.returncode == code, f"xdmctl {arguments}: {done.returncode} {done.stdout}{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def call(connection, method, path, body=None, content_type=None):
    connection.request(method, "/api/v1/" + path, body, {"Content-Type": content_type} if content_type else {})
    answer = connection.getresponse()
    return answer.status, answer.getheader("ETag"), answer.read().decode()


def version_of(tag):
    return int(tag.strip('"'), 16)


class Writer(threading.Thread):
    """Writes its own groups in turn and deletes some; makes a user before each write. All in one order."""

    def __init__(self, server, number, stop):
        super().__init__()
        self.server, self.number, self.stop = server, number, stop
        self.history = []  # (version or None for a deletion, name, body); every one was acknowledged
        self.failure = None

    def run(self):
        try:
            connection = self.server.connection()
            step = 0
            while not self.stop.is_set():
                self.step(connection, step)
                step += 1
        except Exception as failure:  # shown by the main thread
            self.failure = failure

    def step(self, connection, step):
        user = f"w{self.number}s{step}"
        status, _, said = call(connection, "POST", "users", json.dumps({"name": user, "password": user}),
                               "application/json")
        assert status == 201, said
        name = f"w{self.number}g{step % OWN_GROUPS}"
        if step % 7 == 6 and step > OWN_GROUPS:
            status, _, said = call(connection, "DELETE", f"groups/sip:{name}@example.com")
            assert status in (204, 404), said
            self.history.append((None, name, None))
            return
        body = harness.group_xml(f"sip:{name}@example.com", [f"{user}m{i}" for i in range(1 + step % 60)])
        status, tag, said = call(connection, "PUT", f"groups/sip:{name}@example.com?owner=owner&name={name}", body,
                                 "application/vnd.oma.poc.groups+xml")
        assert status in (200, 201), said
        self.history.append((version_of(tag), name, body))


def states(history, name, moment):
    """What the group may be at this change number; a deletion has one too, but does not tell it."""
    now = {None}
    for version, written, body in history:
        if written != name:
            continue
        if version is None:
            now = now | {None}
        elif version <= moment:
            now = {(version, body)}
        else:
            break
    return now


def read_groups(server):
    connection = server.connection()
    found = {}
    for number in range(WRITERS):
        for group in range(OWN_GROUPS):
            name = f"w{number}g{group}"
            status, tag, body = call(connection, "GET", f"groups/sip:{name}@example.com")
            assert status in (200, 404), status
            found[name] = (version_of(tag), body) if status == 200 else None
    return found


def check_moment(server, writers):
    """All groups and users are those of one moment."""
    found = read_groups(server)
    moment = max(state[0] for state in found.values() if state)
    for writer in writers:
        for group in range(OWN_GROUPS):
            name = f"w{writer.number}g{group}"
            allowed = states(writer.history, name, moment)
            assert found[name] in allowed, f"{name} at {moment}: {found[name]} is none of {allowed}"
        written = [i for i, (version, _, _) in enumerate(writer.history) if version and version <= moment]
        last = written[-1] if written else -1
        later = next((i for i, (version, _, _) in enumerate(writer.history) if version and version > moment),
                     len(writer.history))
        connection = server.connection()
        for step in (last, later + 1):
            wanted = 200 if step == last else 404
            if 0 <= step < len(writer.history):
                status = call(connection, "GET", f"users/w{writer.number}s{step}")[0]
                assert status == wanted, f"user of step {step} of writer {writer.number}: {status}"
    return moment


def backups_under_load(server, folder):
    stop = threading.Event()
    writers = [Writer(server, number, stop) for number in range(WRITERS)]
    call(server.connection(), "POST", "users", '{"name": "owner", "password": "x"}', "application/json")
    for writer in writers:
        writer.start()
    try:
        for number in range(ROUNDS):
            while any(len(w.history) < WRITES_BEFORE * (number + 1) and not w.failure for w in writers):
                stop.wait(0.05)
            ctl(server, "backup", *(["--check"] if number else []), os.path.join(folder, f"copy{number}"))
        while any(len(w.history) < WRITES_BEFORE * (ROUNDS + 1) and not w.failure for w in writers):
            stop.wait(0.05)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    for writer in writers:
        if writer.failure:
            raise writer.failure
    return writers


def write_once(server):
    status, tag, said = call(server.connection(), "PUT", "groups/sip:w0g0@example.com?owner=owner&name=w0g0",
                             harness.group_xml("sip:w0g0@example.com", ["owner"]), "application/vnd.oma.poc.groups+xml")
    assert status in (200, 201), said
    return version_of(tag)


def restores(build, folder, writers, started):
    newest = max(version for writer in writers for version, _, _ in writer.history if version)
    moments = []
    for number in range(ROUNDS):
        data = os.path.join(folder, f"restored{number}")
        ctl(build, "restore", "--data", data, os.path.join(folder, f"copy{number}"))
        ctl(build, "check", "--data", data)
        server = Server(build, data, os.path.join(folder, "restored.log"))
        started.append(server)
        moments.append(check_moment(server, writers))
        written = write_once(server)
        assert written > newest, f"version {written} is not above {newest}"
        newest = written
        ctl(build, "restore", "--replace", "--data", data, os.path.join(folder, "copy0"), code=REFUSED)
        server.program.stop()
        ctl(build, "check", "--data", data)
    assert moments == sorted(moments) and moments[0] < moments[-1], moments
    return newest


def restore_over(build, folder, writers, newest, started):
    """Back to the first backup in the folder of the last."""
    data = os.path.join(folder, f"restored{ROUNDS - 1}")
    copy = os.path.join(folder, "copy0")
    before = open(os.path.join(data, "data.mdb"), "rb").read()
    assert "already" in ctl(build, "restore", "--data", data, copy, code=REFUSED)
    assert open(os.path.join(data, "data.mdb"), "rb").read() == before
    os.makedirs(os.path.join(data, "restore.part"))  # of a restore that was cut short
    with open(os.path.join(data, "restore.part", "data.mdb"), "wb") as file:
        file.write(b"half a copy")
    ctl(build, "restore", "--replace", "--data", data, copy)
    assert open(os.path.join(data, "data.mdb.before-restore"), "rb").read() == before
    assert sorted(os.listdir(data)) == ["data.mdb", "data.mdb.before-restore", "store.lock"], os.listdir(data)
    server = Server(build, data, os.path.join(folder, "over.log"))
    started.append(server)
    check_moment(server, writers)
    assert write_once(server) > newest
    server.program.stop()
    ctl(build, "check", "--data", data)


def refusals(build, folder):
    data, copy = os.path.join(folder, "restored0"), os.path.join(folder, "copy0")
    before = open(os.path.join(data, "data.mdb"), "rb").read()
    ctl(build, "restore", copy, code=USAGE)
    ctl(build, "restore", "--data", data, code=USAGE)
    assert "holds no store" in ctl(build, "restore", "--data", data, os.path.join(folder, "nothing"), code=REFUSED)
    assert "itself" in ctl(build, "restore", "--replace", "--data", data, data, code=REFUSED)
    broken = os.path.join(folder, "broken")
    os.makedirs(broken)
    whole = open(os.path.join(copy, "data.mdb"), "rb").read()
    for damaged in (b"no database" * 1000, whole[:8192]):
        with open(os.path.join(broken, "data.mdb"), "wb") as file:
            file.write(damaged)
        done = subprocess.run([os.path.join(build, "xdmctl"), "restore", "--replace", "--data", data, broken],
                              capture_output=True, timeout=120, check=False)
        assert done.returncode == REFUSED, done
        assert done.stderr.startswith(b"xdmctl: " + broken.encode()), done
        assert open(os.path.join(data, "data.mdb"), "rb").read() == before
        ctl(build, "check", "--data", broken, code=REFUSED)
    strangers = os.path.join(folder, "strangers")
    os.makedirs(strangers)
    open(os.path.join(strangers, "letter.txt"), "w").close()
    assert "not of a store" in ctl(build, "restore", "--data", strangers, copy, code=REFUSED)


def restoring(build, folder, started):
    server = Server(build, os.path.join(folder, "data"), os.path.join(folder, "first.log"))
    started.append(server)
    writers = backups_under_load(server, folder)
    check_moment(server, writers)
    ctl(build, "check", "--data", server.data)
    server.program.stop()
    newest = restores(build, folder, writers, started)
    restore_over(build, folder, writers, newest, started)
    refusals(build, folder)


harness.alone(restoring)
