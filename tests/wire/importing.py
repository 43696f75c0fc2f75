#!/usr/bin/env python3
"""Many users, groups and documents brought in by xdmctl import, what it refuses and how that is mended, and the way out by
xdmctl export into another server: what was imported comes out again, byte for byte."""
import filecmp
import hashlib
import os
import pty
import subprocess

import harness

USERS, GROUPS, MANY, LISTS = 1000, 300, 10000, 1000
REFUSED, USAGE, UNREACHABLE = 1, 2, 3
ANONYMOUS_KB_MAX = 100 * 1024
OLD_LIST = "resource-lists/users/sip:old@example.com/index"
LIST_XML = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="l%d"/></resource-lists>'


class Server:
    def __init__(self, build, folder, name, *options):
        self.build, self.data = build, os.path.join(folder, name)
        self.program = harness.start_xdms(build, self.data, self.data + ".log", *options)
        self.admin = "%s:%d" % self.program.addresses["admin"]

    def ctl(self, *arguments, code=0, entered=None, text=True):
        environment = {**os.environ, "XDM_ADMIN": self.admin}
        done = subprocess.run([os.path.join(self.build, "xdmctl"), *arguments], capture_output=True, text=text,
                              input=entered, env=environment, timeout=280, check=False)
        assert done.returncode == code, f"xdmctl {arguments}: {done.returncode} {done.stdout}{done.stderr}"
        return done

    def imported(self, *arguments, code=0, entered=None):
        """added, replaced, unchanged, refused; and what was said of the refused"""
        done = self.ctl("import", *arguments, code=code, entered=entered)
        words = done.stdout.split()
        return tuple(int(word) for word in words[::2]), done.stderr

    def status(self, user, path, secret=None):
        host, port = self.program.addresses["http"]
        return subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--digest", "-u",
                               f"{user}:{secret or user}", f"http://{host}:{port}/xcap-root/{path}"],
                              capture_output=True, text=True, timeout=60, check=True).stdout


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return path


def users(server, folder):
    rows = "".join(f'u{i},"p,""{i}",User {i}\r\n' for i in range(USERS))
    path = write(folder, "users.csv", "\ufeffname,password,display-name\r\n" + rows)
    assert server.imported(path)[0] == (USERS, 0, 0, 0)
    assert server.imported("--if-absent", path)[0] == (0, 0, USERS, 0)
    assert server.status("u7", "resource-lists/users/sip:u7@example.com/index", 'p,"7') == "404"
    assert server.status("u7", "resource-lists/users/sip:u7@example.com/index", "p") == "401"
    # a table of another server, with tabs and MD5 hashes alone
    ha1 = hashlib.md5(b"old:example.com:a").hexdigest().upper()
    other = ("username\tdomain\tha1\tha1b\talias\n", "username\tdomain\tha1\taliases\n"
             f"old\texample.com\t{ha1}\ttel:+15550100\n")
    server.ctl("import", write(folder, "typo.csv", other[0]), code=REFUSED)
    assert server.imported(write(folder, "old.csv", other[1]))[0] == (1, 0, 0, 0)
    assert server.status("old", OLD_LIST, "a") == "401"  # curl prefers SHA-256


def groups(server, folder):
    rows = "".join(f"sip:g{g}@example.com,u{g},Group {g},u{m},Member {m}\n" for m in range(5) for g in range(GROUPS))
    bad = "sip:bad@example.com,nobody,,u1,\nsip:g1@example.com,u1,,u9,\nsip:bad@example.com,,,u2,\na,b,c,d,e,f\n"
    path = write(folder, "groups.csv", "group,owner,group-name,member,member-name\n" + rows + bad)
    report = os.path.join(folder, "refused.csv")
    counts, said = server.imported("--refused", report, path, code=REFUSED)
    assert counts == (GROUPS, 0, 0, 2), counts
    line = 2 + 5 * GROUPS
    assert f"groups.csv:{line}: The owner is no user of this server." in said, said
    assert f"groups.csv:{line + 3}: The row has more fields" in said, said
    with open(report, encoding="utf-8") as file:
        refused = file.read()
    assert refused.count("sip:bad@example.com") == 2 and refused.startswith("group,owner,"), refused
    mended = refused.replace("nobody", "u2").replace("a,b,c,d,e", "sip:c@example.com,u3,,u3,")
    assert server.imported(write(folder, "mended.csv", mended))[0] == (2, 0, 0, 0)
    team = server.ctl("group", "show", "sip:g1@example.com").stdout
    assert team.count("<entry ") == 6 and '<entry uri="sip:u9@example.com"/>' in team, team
    assert server.imported("--replace", path, code=REFUSED)[0] == (0, 0, GROUPS, 2)
    server.ctl("import", "--refused", report, path, code=REFUSED)  # it is there already


def folder_of_files(server, folder):
    tree = os.path.join(folder, "tree")
    alice = "resource-lists/users/sip:u1@example.com"
    write(tree, f"{alice}/index", LIST_XML % 1)
    write(tree, f"{alice}/.hidden", "no document")
    write(tree, "users.csv", "name,password\nfirst,first\n")
    write(tree, "resource-lists/users/sip:first@example.com/index", LIST_XML % 2)
    broken = write(tree, "resource-lists/users/sip:u2@example.com/index", "<resource-lists>")
    report = os.path.join(folder, "refused.ndjson")
    counts, said = server.imported("--refused", report, tree, code=REFUSED)
    assert counts == (3, 0, 0, 1) and f"xdmctl: {broken}: " in said, (counts, said)
    assert server.status("first", "resource-lists/users/sip:first@example.com/index") == "200"
    with open(report, encoding="utf-8") as file:
        line = file.read()
    assert '"error":' in line and line.count("\n") == 1, line
    mended = line.replace('"<resource-lists>"', '"' + (LIST_XML % 3).replace('"', '\\"') + '"')
    assert server.imported("-", entered=mended)[0] == (1, 0, 0, 0)


def lists(server):
    lines = "".join('{"document":"resource-lists/users/sip:u%d@example.com/d%d","body":"%s"}\n'
                    % (i % USERS, i, (LIST_XML % i).replace('"', "'")) for i in range(LISTS))
    assert server.imported("-", entered=lines)[0] == (LISTS, 0, 0, 0)


def lists_of_groups(server):
    body = "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:many%d@example.com'/></group>"
    lines = "".join('{"document":"org.openmobilealliance.groups/users/sip:u%d@example.com/m%d","body":"%s"}\n'
                    % (i % 10, i, body % i) for i in range(MANY))
    assert server.imported("-", entered=lines)[0] == (MANY, 0, 0, 0)
    assert len(server.ctl("group", "list").stdout.splitlines()) == MANY + GROUPS + 2
    process = server.program.process.pid
    if "libasan" not in open(f"/proc/{process}/maps").read() and "libtsan" not in open(f"/proc/{process}/maps").read():
        status = open(f"/proc/{process}/status").read()
        anonymous = int(status.split("RssAnon:")[1].split()[0])
        assert anonymous < ANONYMOUS_KB_MAX, f"{anonymous} kB of memory"


def same(left, right):
    compared = filecmp.dircmp(left, right)
    assert not (compared.left_only or compared.right_only or compared.funny_files), compared.report()
    match, mismatch, errors = filecmp.cmpfiles(left, right, compared.common_files, shallow=False)
    assert not mismatch and not errors, (mismatch, errors)
    return len(match) + sum(same(os.path.join(left, name), os.path.join(right, name)) for name in compared.common_dirs)


def cut_short(build, folder, started):
    """The server is killed under an import, which is run again when it is back."""
    server = Server(build, folder, "cut")
    started.append(server)
    server.imported("-", entered="name,password\nu1,u1\n")
    lines = ['{"document":"resource-lists/users/sip:u1@example.com/c%d","body":"%s"}\n'
             % (i, (LIST_XML % i).replace('"', "'")) for i in range(8000)]
    process = subprocess.Popen([os.path.join(build, "xdmctl"), "--admin", server.admin, "import", "-"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdin.write("".join(lines[:4000]))
    process.stdin.flush()
    server.program.kill()
    try:
        process.stdin.write("".join(lines[4000:]))
        process.stdin.close()
    except BrokenPipeError:  # it has ended already
        pass
    process.stdin = None  # communicate() must not touch it
    said, errors = process.communicate(timeout=120)
    assert process.returncode == UNREACHABLE and "--if-absent" in errors, (process.returncode, said, errors)
    again = Server(build, folder, "cut")
    started.append(again)
    added, replaced, unchanged, refused = again.imported("--if-absent", "-", entered="".join(lines))[0]
    assert added + unchanged == len(lines) and (replaced, refused) == (0, 0), (added, replaced, unchanged, refused)
    assert unchanged >= int(said.split()[0]), "what was acknowledged is there"
    again.ctl("check", "--data", again.data)


def way_out(build, server, folder, started):
    first, second = os.path.join(folder, "out"), os.path.join(folder, "again")
    server.ctl("export", "--data", server.data, first)
    server.ctl("export", "--data", server.data, first, code=REFUSED)  # it is there already
    other = Server(build, folder, "other", "--set", "identity.sha256=no")
    started.append(other)
    counts = other.imported(first)[0]
    assert counts[0] > USERS + GROUPS + MANY + LISTS and counts[1:] == (0, 0, 0), counts
    other.ctl("export", "--data", other.data, second)
    assert same(first, second) > GROUPS + MANY + LISTS
    lines = server.ctl("export", "--data", server.data, "-").stdout
    assert lines == other.ctl("export", "--data", other.data, "-").stdout
    assert other.imported("--replace", "-", entered=lines)[0][2] >= GROUPS + MANY + LISTS
    assert other.status("u7", "resource-lists/users/sip:u7@example.com/index", 'p,"7') == "404"
    assert other.status("old", OLD_LIST, "a") == "404"
    assert other.status("old", OLD_LIST, "b") == "401"
    other.ctl("check", "--data", other.data)


def progress(server, folder):
    """A bar on a terminal, and not a byte of it elsewhere."""
    path = os.path.join(folder, "users.csv")
    assert server.imported("--if-absent", path)[1] == ""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([os.path.join(server.build, "xdmctl"), "--admin", server.admin, "import", "--if-absent",
                                path], stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    assert process.wait(timeout=120) == 0
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert f"[{'#' * 30}] {USERS} done, " in shown and " 0 refused" in shown, shown


def usage(server, folder):
    for arguments in (["import"], ["import", "--unknown", "x"], ["export", folder], ["export", "--data", folder]):
        server.ctl(*arguments, code=USAGE)
    server.ctl("import", os.path.join(folder, "missing.csv"), code=REFUSED)
    server.ctl("import", write(folder, "empty.csv", ""), code=REFUSED)
    server.ctl("--admin", "127.0.0.1:1", "import", os.path.join(folder, "users.csv"), code=UNREACHABLE)
    server.ctl("export", "--data", folder, os.path.join(folder, "no-store"), code=REFUSED)


def importing(build, folder, started):
    server = Server(build, folder, "data")
    started.append(server)
    users(server, folder)
    progress(server, folder)
    usage(server, folder)
    groups(server, folder)
    folder_of_files(server, folder)
    lists(server)
    lists_of_groups(server)
    way_out(build, server, folder, started)
    cut_short(build, folder, started)


harness.alone(importing)
