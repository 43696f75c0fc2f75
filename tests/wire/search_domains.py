#!/usr/bin/env python3
"""One search in several domains: two real daemons, one that is down and one that never answers. What they find is merged, in
order, each once, and who is missing is named."""
import os
import re
import socket
import subprocess

import harness

TYPE = "application/vnd.oma.search+xml"
PROFILES = "org.openmobilealliance.user-profile"
TARGET = PROFILES + "/users/"
NAMES = {"example.com": {"alice": "Anna Bee", "bob": "Anna Dee"}, "example.org": {"carol": "Anna Cee", "dave": "Bert"}}


def start(server, name, *options):
    arguments = [os.path.join(server.build, "xdms"), "--data", server.path(name), "--schemas", "schemas", "--http", "127.0.0.1:0",
                 "--admin", "127.0.0.1:0", "--management", "127.0.0.1:0"]
    for option in options:
        arguments += ["--set", option]
    return harness.Program(arguments, server.path(name + ".log"))


def fill(server, program, domain):
    for user, shown in NAMES[domain].items():
        subprocess.run([os.path.join(server.build, "xdmctl"), "--admin", "127.0.0.1:%d" % program.addresses["admin"][1], "user", "add",
                        "--if-absent", user, user], check=True, capture_output=True, timeout=60)
        uri = f"sip:{user}@{domain}"
        status, text = server.curl("PUT", url(program, f"{PROFILES}/users/{uri}/user-profile"), user,
                                   f'<up:user-profiles xmlns:up="urn:oma:xml:xdm:user-profile"><up:user-profile uri="{uri}">'
                                   f"<up:display-name>{shown}</up:display-name></up:user-profile></up:user-profiles>",
                                   "application/vnd.oma.user-profile+xml")
        assert status == 201, text


def url(program, rest):
    return f"http://127.0.0.1:{program.addresses['http'][1]}/xcap-root/{rest}"


def search(program, domain, rest, most=""):
    """Status, what is found, who is missing."""
    body = (f'<search-set xmlns="urn:oma:xml:xdm:search"><search id="1"{most}><request><query><![CDATA[for $u in collection('
            f'"{TARGET}")/user-profiles/user-profile {rest} return <user-profile>{{$u/@uri}}{{$u/display-name}}</user-profile>]]>'
            "</query></request></search></search-set>").replace(
                "[CDATA[", '[CDATA[declare default element namespace "urn:oma:xml:xdm:user-profile"; ')
    done = subprocess.run(["curl", "-sS", "-g", "-D", "-", "--digest", "-u", "alice:alice", "-H", f"Content-Type: {TYPE}",
                           "--data-binary", body, url(program, f"org.openmobilealliance.search?target={TARGET}&domain={domain}")],
                          capture_output=True, text=True, timeout=60, check=True)
    last = done.stdout[done.stdout.rindex("HTTP/1.1"):]
    missing = re.search("(?im)^x-xdm-search-missing: (.*)$", last)
    return int(last.split()[1]), re.findall(' uri="([^"]*)"', last), missing.group(1).strip() if missing else ""


def test(server):
    server.xdms.stop()
    programs = []
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as gone:
        dead = gone.getsockname()[1]
        gone.close()
        try:
            other = start(server, "other", "identity.domain=example.org", "identity.trusted-peers=127.0.0.0/8")
            programs.append(other)
            home = start(server, "home", "search.domains=example.org=http://127.0.0.1:%d/xcap-root/, twin.example=http://127.0.0.1:%d/xcap-root, dead.example=http://127.0.0.1:%d"
                         "/xcap-root,silent.example=http://127.0.0.1:%d" % (other.addresses["http"][1], other.addresses["http"][1], dead, silent.getsockname()[1]),
                         "search.domain-ms-max=1500")
            programs.append(home)
            fill(server, other, "example.org")
            fill(server, home, "example.com")
            check(home)
        finally:
            for program in programs:
                program.stop()
    refused = subprocess.run([os.path.join(server.build, "xdms"), "--data", server.path("third"), "--schemas", "schemas", "--set",
                              "search.domains=example.org"], capture_output=True, text=True, timeout=60, cwd=harness.SOURCE, check=False)
    assert refused.returncode == 1 and "search.domains: 'example.org' is not DOMAIN=URL" in refused.stderr, refused.stderr


def check(home):
    anna = 'where starts-with($u/display-name, "Anna")'
    alice, bob, carol = "sip:alice@example.com", "sip:bob@example.com", "sip:carol@example.org"
    assert search(home, "home", anna) == (200, [alice, bob], "")
    assert search(home, "example.org", anna) == (200, [carol], "")
    assert search(home, "example.com,Example.ORG", anna) == (200, [alice, bob, carol], "")
    assert search(home, "home,example.org", anna + " order by $u/display-name") == (200, [alice, carol, bob], "")
    assert search(home, "home,example.org", anna + " order by $u/display-name descending", ' max-results="2"') == \
        (200, [bob, carol], "")
    status, found, missing = search(home, "all", anna)
    assert (status, found) == (200, [alice, bob, carol]), (status, found)
    assert re.fullmatch(r"dead\.example \(.*connect.*\), silent\.example \(no answer in time\)", missing), missing
    status, found, missing = search(home, "example.org,home,example.org", anna)
    assert found == [alice, bob, carol] and not missing, "each server is asked once"
    assert search(home, "twin.example,example.org", anna) == (200, [carol], ""), "what two servers find is told once"
    assert search(home, "unknown.example", anna)[0] == 400
    assert search(home, "all", "where matches($u, 'x')")[0] == 409, "nobody else is asked what is not understood here"


if __name__ == "__main__":
    harness.main(test)
