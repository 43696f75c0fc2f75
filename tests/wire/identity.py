#!/usr/bin/env python3
"""Who a request is taken for, over real connections: asserted identities from peers that are trusted and from peers that
are not, by address of both families and by certificate; what a client adds to be taken for somebody else; Basic over TLS;
aliases and roles; guesses that are slowed down, with their log line and metric."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import harness
from certificates import Certificate

LIST_XML = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>'
LISTS = "application/resource-lists+xml"
HOME = "/xcap-root/resource-lists/users/sip:alice@example.com/index"
BY_NUMBER = "/xcap-root/resource-lists/users/tel:+1-555-0100/index"
ASSERTED = "X-3GPP-Asserted-Identity: \"sip:alice@example.com\""
XUI = "X-XCAP-Asserted-Identity: sip:alice@example.com"
FORGED = [ASSERTED, XUI, "X-3GPP-Intended-Identity: \"sip:alice@example.com\"",
          "P-Asserted-Identity: <sip:alice@example.com>", "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1",
          "X-Forwarded-User: alice", "X-Real-IP: 192.0.2.1", "X-SSL-Client-S-DN: CN=proxy.example.com"]


class Server:
    def __init__(self, build, folder, name, http="127.0.0.1:0", options=(), tls=None):
        arguments = harness.settings(*options)
        if tls:
            arguments += ["--https", harness.FREE, *harness.settings(
                f"tls.certificate={tls[0].crt}", f"tls.key={tls[0].key}", f"tls.client-ca={tls[1].crt}",
                "tls.clients=optional")]
        self.build, self.tls = build, tls
        self.program = harness.start_xdms(build, os.path.join(folder, "data"), os.path.join(folder, name), *arguments, http=http)

    def curl(self, path=HOME, user=None, headers=(), port="http", arguments=(), method="GET", body=None, content_type=LISTS):
        host, number = self.program.addresses[port]
        command = ["curl", "-sS", "-g", "--path-as-is", "--max-time", "60", "-X", method, "-o", "/dev/null", "-D", "-",
                   "-w", "%{http_code}", *arguments]
        if port == "https":
            command += ["--cacert", self.tls[1].crt]
        if user:
            command += ["--digest", "-u", user if ":" in user else f"{user}:{user}"]
        if body is not None:
            command += ["--data-binary", body, "-H", f"Content-Type: {content_type}"]
        for header in headers:
            command += ["-H", header]
        scheme = "https" if port == "https" else "http"
        done = subprocess.run([*command, f"{scheme}://{host}:{number}{path}"], capture_output=True, text=True,
                              timeout=90, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        head, _, status = done.stdout.rpartition("\n")
        return int(status), head

    def status(self, *arguments, **options):
        return self.curl(*arguments, **options)[0]

    def ctl(self, *arguments):
        host, port = self.program.addresses["admin"]
        subprocess.run([os.path.join(self.build, "xdmctl"), "--admin", f"{host}:{port}", *arguments], check=True,
                       timeout=60, capture_output=True)

    def metrics(self):
        host, port = self.program.addresses["management"]
        return subprocess.run(["curl", "-sS", f"http://{host}:{port}/metrics"], capture_output=True, text=True,
                              timeout=60, check=True).stdout

    def logs(self, *words):
        """Lines are gathered for some milliseconds before they are written."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            log = open(self.program.log_path, encoding="utf-8", errors="replace").read()
            if any(word in log for word in words):
                return True
            time.sleep(0.02)
        return False

    def raw(self, head):
        """Status of a request whose bytes are given: nothing between here and there that would mend it."""
        host, port = self.program.addresses["http"]
        with socket.create_connection((host.strip("[]"), port), timeout=60) as sock:
            sock.sendall(head)
            return int(sock.makefile("rb").readline().split()[1])

    def stop(self):
        self.program.stop()


def request(*lines, target=HOME):
    return b"\r\n".join([f"GET {target} HTTP/1.1".encode(), b"Host: x", *lines, b"", b""])


def strangers(server):
    """127.0.0.1 is not trusted: whatever it says is noise."""
    for user, arguments in (("alice", ("--alias", "tel:+15550100")), ("bob", ()), ("reader", ("--role", "auditor")),
                            ("chief", ("--role", "operator"))):
        server.ctl("user", "add", *arguments, user, user)
    assert server.status(BY_NUMBER, "alice", method="PUT", body=LIST_XML) == 201
    assert server.status(HOME, "alice") == 200
    for header in FORGED:
        assert server.status(headers=[header]) == 401, header
        assert server.status(headers=[header, ASSERTED]) == 401, header
        # and it spoils nothing for who has a password
        assert server.status(user="bob", headers=[header]) == 403, header
    assert server.status(headers=FORGED[3:] + [ASSERTED, ASSERTED]) == 401
    # an intended identity is looked at after the password
    assert server.status(user="alice", headers=["X-3GPP-Intended-Identity: tel:+15550100"]) == 200
    assert server.status(user="alice", headers=["X-3GPP-Intended-Identity: \"sip:bob@example.com\""]) == 403
    # header injection: what ends a line does not get into a value
    for line in (b"X-Other: a\rX-3GPP-Asserted-Identity: sip:alice@example.com",
                 b"X-Other: a\n X-3GPP-Asserted-Identity: sip:alice@example.com",
                 b"X-3GPP-Asserted-Identity : sip:alice@example.com",
                 b"X-3GPP-Asserted-Identity: sip:alice@example.com\x00"):
        assert server.raw(request(line)) in (400, 401), line
    # Basic is never asked for, and not taken, without TLS
    status, head = server.curl(arguments=["--basic", "-u", "alice:alice"])
    assert status == 401 and "Basic" not in head, head


def roles(server):
    assert server.status(HOME, "reader") == 200
    assert server.status(HOME, "reader", method="PUT", body=LIST_XML) == 403
    assert server.status(HOME.replace("alice", "reader"), "reader", method="PUT", body=LIST_XML) == 403
    assert server.status(HOME, "chief", method="PUT", body=LIST_XML) == 200
    assert server.status(HOME, "bob") == 403


def guesses(server):
    """After ten wrong passwords within a minute the next is not looked at, for this user at this address alone."""
    for _ in range(10):
        assert server.status(user="bob:guess") == 401
    status, head = server.curl(user="bob:bob")
    assert status == 429 and 1 <= int(re.search(r"(?i)retry-after: (\d+)", head)[1]) <= 60, head
    assert server.status(user="alice") == 200  # at the same address, where she has logged in before
    assert 'xdms_auth_failures_total{result="waiting"} 1' in server.metrics()
    assert server.logs("authentication failed user=sip:bob@example.com address=127.0.0.1")
    assert server.logs("and has to wait")


def token(server):
    """Guesses at the admin token wait as well; xdmctl, which has it, has been here before."""
    port = server.program.addresses["admin"][1]
    def ask(given):
        done = subprocess.run(["curl", "-sS", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}", "-H",
                               f"Authorization: Bearer {given}", f"http://127.0.0.1:{port}/api/v1/users"],
                              capture_output=True, text=True, timeout=90, check=True)
        return int(done.stdout)
    assert ask("secret") == 200
    assert [ask("guess") for _ in range(3)] == [401, 401, 401]
    assert ask("guess") == 429
    assert server.logs("authentication failed user=admin peer=127.0.0.1")


def trusted(server):
    assert server.status(headers=[ASSERTED]) == 200
    assert server.status(headers=[XUI]) == 200
    assert server.status(BY_NUMBER, headers=['X-3GPP-Asserted-Identity: "tel:+15550100"']) == 200
    assert server.status(headers=["X-3GPP-Asserted-Identity: <sip:bob@example.com>, <sip:alice@example.com>"]) == 200
    assert server.status(headers=["X-3GPP-Asserted-Identity: sip:bob@example.com"]) == 403
    assert server.status(headers=["X-3GPP-Asserted-Identity: sip:bob@example.com",
                                  "X-3GPP-Intended-Identity: sip:alice@example.com"]) == 403
    assert server.status() == 401
    for twice in ([ASSERTED, ASSERTED], [XUI, XUI], [ASSERTED, "X-XCAP-Asserted-Identity: sip:bob@example.com"],
                  ["X-3GPP-Asserted-Identity: nonsense"], ["X-3GPP-Asserted-Identity: sip:a@b,"]):
        assert server.status(headers=twice) == 400, twice
    assert server.raw(request(b"X-3GPP-Asserted-Identity: sip:alice@example.com\rX-A: b")) == 400
    assert server.raw(request(b"X-3GPP-Asserted-Identity:")) == 400


def mapped(server):
    """A socket for both families shows an IPv4 peer as ::ffff:127.0.0.1: it is the one that is listed."""
    _, port = server.program.addresses["http"]
    for host, status in (("127.0.0.1", 200), ("[::1]", 401)):
        done = subprocess.run(["curl", "-sS", "-g", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}", "-H",
                               ASSERTED, f"http://{host}:{port}{HOME}"], capture_output=True, text=True, timeout=90,
                              check=False)
        assert done.returncode == 0 and int(done.stdout) == status, f"{host}: {done.stdout} {done.stderr}"
    assert server.logs("peer=127.0.0.1", "peer=[::ffff:127.0.0.1]")


def certified(server, proxy, other):
    who = ["--cert", proxy.crt, "--key", proxy.key]
    assert server.status(headers=[ASSERTED], port="https", arguments=who) == 200
    assert server.status(headers=[ASSERTED], port="https") == 401
    assert server.status(headers=[ASSERTED], port="https", arguments=["--cert", other.crt, "--key", other.key]) == 401
    assert server.status(headers=[ASSERTED]) == 401
    status, head = server.curl(port="https")
    assert status == 401 and 'Basic realm="example.com"' in head, head
    assert server.status(port="https", arguments=["--basic", "-u", "alice:alice"]) == 200
    assert server.status(port="https", arguments=["--basic", "-u", "alice:wrong"]) == 401
    assert server.status(arguments=["--basic", "-u", "alice:alice"]) == 401


def proxied(server):
    """The proxy's word is taken for the address that counts and is logged, and for nothing else."""
    assert server.status(headers=["X-Forwarded-For: 203.0.113.5"], user="alice") == 200
    assert server.logs("client=203.0.113.5")
    assert server.status(headers=["X-Forwarded-For: 203.0.113.5", ASSERTED]) == 401
    for _ in range(3):
        assert server.status(user="bob:guess", headers=["X-Forwarded-For: 10.0.0.1, 203.0.113.6"]) == 401
    assert server.status(user="bob:bob", headers=["X-Forwarded-For: 10.0.0.2, 203.0.113.6"]) == 429
    assert server.logs("address=203.0.113.6")


def message(sock, asserted, number, target="sip:alice@example.com"):
    """Status of a MESSAGE to somebody who is away, with that P-Asserted-Identity."""
    identity = f"P-Asserted-Identity: {asserted}\r\n" if asserted else ""
    sock.sendall((f"MESSAGE {target} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKid{number}\r\n"
                  f"Max-Forwards: 70\r\nFrom: <sip:bob@example.com>;tag={number}\r\nTo: <sip:alice@example.com>\r\n"
                  f"Call-ID: identity-{number}\r\nCSeq: 1 MESSAGE\r\n{identity}Content-Type: text/plain\r\n"
                  "Content-Length: 2\r\n\r\nhi").encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = sock.recv(65536)
        assert piece, answer
        answer += piece
    return int(answer.split()[1])


def changes(build, folder):
    """Whom im-glue has just found, or not found, xdms changes: the next message shows it, whatever is kept in memory."""
    server = Server(build, folder, "changes.log")
    glue = harness.start_glue(build, os.path.join(folder, "data"), os.path.join(folder, "glue.log"),
                              *harness.settings("identity.trusted-peers=127.0.0.0/8"))
    number, team = "tel:+15550199", "sip:team@example.com"
    group = "/xcap-root/org.openmobilealliance.groups/users/sip:alice@example.com/team"
    try:
        with socket.create_connection(glue.addresses["sip"], timeout=60) as sock:
            def status(target, mark):
                answers = {message(sock, "<sip:bob@example.com>", f"{mark}{again}", target) for again in range(3)}
                assert len(answers) == 1, answers
                return answers.pop()

            for turn in range(3):
                assert status("sip:zoe@example.com", f"a{turn}") == 404
                server.ctl("user", "add", "zoe", "zoe")
                assert status("sip:zoe@example.com", f"b{turn}") == 202
                assert status(number, f"c{turn}") == 404
                server.ctl("user", "alias", "add", "zoe", number)
                assert status(number, f"d{turn}") == 202
                server.ctl("user", "alias", "del", "zoe", number)
                assert status(number, f"e{turn}") == 404
                server.ctl("user", "del", "zoe")
                assert status("sip:zoe@example.com", f"f{turn}") == 404
                assert status(team, f"g{turn}") == 404
                assert server.curl(group, "alice", method="PUT", body=harness.group_xml(team, ["bob", "carol"]),
                                   content_type="application/vnd.oma.poc.groups+xml")[0] in (200, 201)
                assert status(team, f"h{turn}") == 202
                assert server.curl(group, "alice", method="DELETE")[0] == 200
        glue.stop()
    except BaseException:
        print(glue.tail(), file=sys.stderr)
        glue.kill()
        raise
    finally:
        server.stop()


def sip(build, folder, tls, proxy, other):
    """P-Asserted-Identity at im-glue: from a certificate that is trusted, one that is not, none, and an address."""
    def start(log, *settings):
        return harness.start_glue(build, os.path.join(folder, "data"), os.path.join(folder, log), *harness.settings(*settings))

    glue = start("sips.log", "listen.sips=127.0.0.1:0", f"tls.certificate={tls[0].crt}", f"tls.key={tls[0].key}",
                 f"tls.client-ca={tls[1].crt}", "tls.clients=optional", "identity.trusted-names=proxy.example.com")
    try:
        for number, (shown, status) in enumerate(((proxy, 202), (other, 407), (None, 407))):
            context = ssl.create_default_context(cafile=tls[1].crt)
            if shown:
                context.load_cert_chain(shown.crt, shown.key)
            with socket.create_connection(glue.addresses["sips"], timeout=60) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as sock:
                    assert message(sock, "<sip:bob@example.com>", f"s{number}") == status, (number, status)
        with socket.create_connection(glue.addresses["sip"], timeout=60) as sock:
            assert message(sock, "<sip:bob@example.com>", "t1") == 407
        glue.stop()
        glue = start("sip.log", "identity.trusted-peers=127.0.0.0/8")
        with socket.create_connection(glue.addresses["sip"], timeout=60) as sock:
            assert message(sock, "<sip:bob@example.com>", "u1") == 202
            assert message(sock, "<sip:bob@example.com>, <sip:carol@example.com>", "u2") == 400
            assert message(sock, "", "u3") == 407
        glue.stop()
    except BaseException:
        print(glue.tail(), file=sys.stderr)
        glue.kill()
        raise


def main():
    build = sys.argv[1]
    folder = tempfile.mkdtemp(prefix="xdm-wire-")
    authority = Certificate(folder, "ca", is_authority=True)
    tls = (Certificate(folder, "server", issuer=authority, names=("DNS:localhost", "IP:127.0.0.1")), authority)
    proxy = Certificate(folder, "proxy", issuer=authority, names=("DNS:proxy.example.com",))
    other = Certificate(folder, "other", issuer=authority, names=("DNS:other.example.com",))
    stages = [
        ("strangers.log", {}, strangers, roles, guesses),
        ("trusted.log", {"options": ["identity.trusted-peers=10.0.0.0/8, 127.0.0.1"]}, trusted),
        ("mapped.log", {"http": "[::]:0", "options": ["identity.trusted-peers=127.0.0.0/8"]}, mapped),
        ("certified.log", {"tls": tls, "options": ["identity.trusted-names=proxy.example.com", "identity.basic=yes"]},
         lambda server: certified(server, proxy, other)),
        ("token.log", {"options": ["admin.token=secret", "identity.failures-per-user=3"]}, token),
        ("proxied.log", {"options": ["http.proxies=127.0.0.0/8", "identity.failures-per-user=3"]}, proxied),
    ]
    server = None
    try:
        for name, options, *tests in stages:
            server = Server(build, folder, name, **options)
            for test in tests:
                test(server)
            server.stop()
            server = None
        sip(build, folder, tls, proxy, other)
        changes(build, folder)
    except BaseException:
        print(f"kept for inspection: {folder}", file=sys.stderr)
        if server:
            print(server.program.tail(), file=sys.stderr)
            server.program.kill()
        raise
    shutil.rmtree(folder)
    print("good")


if __name__ == "__main__":
    main()
