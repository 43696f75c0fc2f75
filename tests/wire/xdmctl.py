#!/usr/bin/env python3
"""xdmctl against a running xdms: every command, its exit code, and the one line that says why not. Then the backup is
opened by another xdms, which knows what the first one knew."""
import os
import subprocess

import harness

TEAM = "sip:team@example.com"
REFUSED, USAGE, UNREACHABLE = 1, 2, 3


class Server:
    def __init__(self, build, data, log):
        self.build = build
        self.program = harness.start_xdms(build, data, log)
        self.admin = "%s:%d" % self.program.addresses["admin"]

    def ctl(self, *arguments, code=0, entered=None, cwd=None):
        environment = {**os.environ, "XDM_ADMIN": self.admin}
        done = subprocess.run([os.path.join(self.build, "xdmctl"), *arguments], capture_output=True, text=True,
                              input=entered, env=environment, cwd=cwd, timeout=60, check=False)
        assert done.returncode == code, f"xdmctl {arguments}: {done.returncode} {done.stdout}{done.stderr}"
        if code in (REFUSED, UNREACHABLE):
            assert done.stderr.startswith("xdmctl: ") and done.stderr.count("\n") == 1, done.stderr
        return done.stderr if code == USAGE else done.stdout


def users(server):
    assert server.ctl("user", "add", "alice", "alice") == "added sip:alice@example.com\n"
    server.ctl("user", "add", "alice", "other", code=REFUSED)
    assert server.ctl("user", "add", "--if-absent", "alice", "other") == "exists sip:alice@example.com\n"
    server.ctl("user", "add", "--display-name", "Bob B.", "bob", entered="a password\n")
    server.ctl("user", "add", "carol", entered="", code=REFUSED)
    lines = server.ctl("user", "list").splitlines()
    assert [line.split() for line in lines] == [["sip:alice@example.com"], ["sip:bob@example.com", "Bob", "B."]], lines
    server.ctl("user", "alias", "add", "bob", "tel:+1-555-0100")
    server.ctl("user", "alias", "add", "alice", "tel:+15550100", code=REFUSED)
    server.ctl("user", "role", "bob", "auditor", "server")
    server.ctl("user", "role", "bob", "king", code=REFUSED)
    line = server.ctl("user", "list").splitlines()[1]
    assert line.endswith("Bob B.  also tel:+15550100  role server  role auditor"), line
    server.ctl("user", "keep", "bob", "3600")
    assert server.ctl("user", "list").splitlines()[1].endswith("role auditor  keep 3600")
    server.ctl("user", "keep", "bob", "4000000000", code=REFUSED)
    server.ctl("user", "keep", "bob")
    server.ctl("user", "role", "tel:+15550100")
    server.ctl("user", "alias", "del", "bob", "tel:+15550100")
    line = server.ctl("user", "list").splitlines()[1]
    assert line.endswith("Bob B."), line
    server.ctl("user", "add", "--alias", "tel:+15550101", "--role", "operator", "dave", "dave")
    assert "also tel:+15550101  role operator" in server.ctl("user", "list")
    server.ctl("user", "del", "tel:+15550101")
    server.ctl("user", "del", "bob")
    server.ctl("user", "del", "bob", code=REFUSED)


def groups(server, folder):
    path = os.path.join(folder, "team.xml")
    text = harness.group_xml(TEAM, ["alice"])
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    server.ctl("group", "put", path, code=REFUSED)
    assert server.ctl("group", "put", "--owner", "alice", path) == f"added {TEAM}\n"
    assert server.ctl("group", "put", "-", entered=text + "\n") == f"replaced {TEAM}\n"
    assert server.ctl("group", "show", TEAM) == text + "\n"
    assert server.ctl("group", "list").split() == [TEAM, "sip:alice@example.com", "team"]
    server.ctl("group", "put", "-", entered="<group/>", code=REFUSED)
    server.ctl("group", "put", os.path.join(folder, "missing.xml"), code=REFUSED)
    server.ctl("group", "del", "sip:other@example.com", code=REFUSED)


def waiting(server):
    assert server.ctl("queue") == server.ctl("queue", "--user", "alice", "--json") == ""
    server.ctl("queue", "--user", " ", code=REFUSED)
    server.ctl("queue", "drop", "alice", "none", code=REFUSED)
    assert server.ctl("queue", "drop", "alice", "--all") == "0 dropped\n"
    assert server.ctl("queue", "retry", "alice") == "0 are tried again if their recipient is there\n"
    server.ctl("user", "add", "erin", "erin")
    assert "account    1" in server.ctl("user", "erase", "--yes", "erin")
    assert "account    0" in server.ctl("user", "erase", "--yes", "erin")
    server.ctl("user", "erase", "--yes", " ", code=REFUSED)


def usage(server):
    for arguments in ([], ["user"], ["user", "add"], ["user", "add", "--unknown"], ["group", "put"], ["trace"],
                      ["user", "erase", "alice"], ["queue", "drop", "alice"], ["queue", "drop", "alice", "--none"],
                      ["queue", "retry"], ["user", "keep", "alice", "long"], ["queue", "alice"], ["backup"], ["unknown"], ["--admin"]):
        assert server.ctl(*arguments, code=USAGE)
    assert server.ctl("unknown", code=USAGE) == "xdmctl: there is no command 'unknown'; xdmctl help tells of all\n"
    calls = server.ctl("group", "kick", code=USAGE).splitlines()
    assert [line.split(" xdmctl group ")[1].split()[0] for line in calls] == ["put", "show", "del", "list"], calls
    assert "group put" in server.ctl("--help")
    server.ctl("--admin", "127.0.0.1:1", "user", "list", code=UNREACHABLE)


def commands(build, folder, started):
    first = Server(build, os.path.join(folder, "data"), os.path.join(folder, "first.log"))
    started.append(first)
    users(first)
    groups(first, folder)
    waiting(first)
    usage(first)
    assert first.ctl("trace", "alice") == "no messages yet\n"
    first.ctl("trace", "nobody", code=REFUSED)
    copy = os.path.join(folder, "copy")
    size = first.ctl("backup", "--check", "copy", cwd=folder)
    assert size == f"backup in {copy}: {os.path.getsize(os.path.join(copy, 'data.mdb'))} bytes, checked\n", size
    first.ctl("backup", copy, code=REFUSED)
    first.ctl("group", "del", TEAM)
    second = Server(build, copy, os.path.join(folder, "second.log"))
    started.append(second)
    assert second.ctl("group", "list").split()[0] == TEAM


harness.alone(commands)
