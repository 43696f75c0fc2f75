#!/usr/bin/env python3
"""xdms behind TLS, with curl, openssl and Python's ssl as clients: both ports at once, versions and ciphers, certificates
of clients, certificates exchanged under open connections, and what is said when a file is wrong."""
import contextlib
import hashlib
import http.client
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import harness
from certificates import Certificate, context

NOBODY = 65534
LIST = "/xcap-root/resource-lists/users/sip:alice@example.com/index"
LIST_XML = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="friends"/></resource-lists>'
SEED = 20260105


class Server:
    """xdms with XCAP on a plain and an encrypted port, and an admin port that wants certificates."""

    def __init__(self, build, folder, certificate, authority, options=()):
        self.build, self.folder = build, folder
        self.program = harness.start_xdms(
            build, os.path.join(folder, "data"), os.path.join(folder, "xdms.log"), "--https", harness.FREE,
            *harness.settings(f"tls.certificate={certificate.crt}", f"tls.key={certificate.key}",
                              f"tls.client-ca={authority.crt}"), *options)
        self.authority = authority

    def port(self, name):
        return self.program.addresses[name][1]

    def curl(self, url, *arguments, code=0):
        done = subprocess.run(["curl", "-sS", "-g", "--max-time", "60", "--cacert", self.authority.crt, *arguments,
                               "-w", "\n%{http_code}", url], capture_output=True, text=True, timeout=90, check=False)
        assert (done.returncode == 0) == (code == 0), f"curl {url} {arguments}: {done.returncode} {done.stderr}"
        text, _, status = done.stdout.rpartition("\n")
        return int(status), text

    def ctl(self, *arguments, certificate=None, code=0, scheme="https"):
        who = ["--cert", certificate.crt, "--key", certificate.key] if certificate else []
        done = subprocess.run([os.path.join(self.build, "xdmctl"), "--admin", f"{scheme}://127.0.0.1:{self.port('admin')}",
                               "--cacert", self.authority.crt, *who, *arguments], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == code, f"xdmctl {arguments}: {done.returncode} {done.stderr}"
        return done.stderr if code else done.stdout

    def reload(self, word):
        """Waits for a new line of the log with that word."""
        before = self.log().count(word)
        self.program.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while self.log().count(word) == before:
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def log(self):
        return open(self.program.log_path, encoding="utf-8", errors="replace").read()


def served(server, name="https"):
    """Fingerprint of the certificate that a new connection is shown."""
    with socket.create_connection(("127.0.0.1", server.port(name)), timeout=60) as plain:
        with context(server.authority).wrap_socket(plain, server_hostname="127.0.0.1") as sock:
            return hashlib.sha256(sock.getpeercert(binary_form=True)).hexdigest().upper()


def s_client(server, *arguments, name="https"):
    """The whole output of openssl s_client, whose client would speak anything."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port(name)}", "-CAfile",
                           server.authority.crt, *arguments], input=b"", capture_output=True, timeout=60, check=False,
                          env={**os.environ, "OPENSSL_CONF": "/dev/null"})
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def both_ports_lead_to_the_same_documents(server, alice):
    server.ctl("user", "add", "alice", "alice", certificate=alice)
    https, plain = (f"{scheme}://127.0.0.1:{server.port(scheme)}" for scheme in ("https", "http"))
    who = ["--digest", "-u", "alice:alice"]
    status, _ = server.curl(https + LIST, "-X", "PUT", "-H", "Content-Type: application/resource-lists+xml",
                            "--data-binary", LIST_XML, *who)
    assert status == 201
    assert server.curl(https + LIST, *who) == (200, LIST_XML)
    assert server.curl(plain + LIST, *who) == (200, LIST_XML)
    status, directory = server.curl(
        https + "/xcap-root/org.openmobilealliance.xcap-directory/users/sip:alice@example.com/directory.xml", *who)
    assert status == 200 and f"https://127.0.0.1:" in directory and "http://" not in directory.replace(
        "http://www.w3.org", ""), directory


def old_versions_and_weak_ciphers_are_refused(server):
    for version in ("-tls1_2", "-tls1_3"):
        code, said = s_client(server, version, "-alpn", "h2,http/1.1", "-verify_return_error")
        assert code == 0 and "Verify return code: 0 (ok)" in said and "ALPN protocol: http/1.1" in said, said
    for version in ("-tls1", "-tls1_1"):
        code, said = s_client(server, version, "-cipher", "ALL:@SECLEVEL=0")
        assert code != 0 and "Cipher is (NONE)" in said and "alert protocol version" in said, said
    for cipher in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "NULL"):
        code, said = s_client(server, "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0")
        assert code != 0 and "Cipher is (NONE)" in said, f"{cipher}: {said}"


def sessions_are_taken_up_again(server):
    session = os.path.join(server.folder, "session")
    for version in ("-tls1_2", "-tls1_3"):
        with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port('https')}", version,
                               "-sess_out", session, "-ign_eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as client:
            said, _ = client.communicate(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", timeout=60)
        assert b"New, TLS" in said, said
        _, said = s_client(server, version, "-sess_in", session)
        assert "Reused, TLS" in said, said


def admins_show_certificates(server, alice, foreign, late):
    assert "alice" in server.ctl("user", "list", certificate=alice)
    for nobody in (None, foreign, late):
        server.ctl("user", "list", certificate=nobody, code=3)
    assert "does it want a certificate" in server.ctl("user", "list", code=3)
    assert "400: This port speaks TLS" in server.ctl("user", "list", certificate=alice, code=1, scheme="http")
    status, _ = server.curl(f"https://127.0.0.1:{server.port('admin')}/api/v1/users", "--cert", alice.crt, "--key",
                            alice.key)
    assert status == 200
    status, _ = server.curl(f"https://127.0.0.1:{server.port('admin')}/api/v1/users", "--cert", alice.crt, "--key",
                            alice.key, "-H", "Origin: https://evil.example")
    assert status == 403
    _, said = s_client(server, "-cert", late.crt, "-key", late.key, "-ign_eof", name="admin")
    assert "certificate expired" in said, said
    _, said = s_client(server, "-cert", foreign.crt, "-key", foreign.key, "-ign_eof", name="admin")
    assert "unknown ca" in said, said
    _, said = s_client(server, "-ign_eof", name="admin")
    assert "certificate required" in said, said


def clients_may_show_certificates(server, alice, foreign):
    """tls.clients is optional here: none is as good as one of ours; a foreign one is refused."""
    url = f"https://127.0.0.1:{server.port('https')}/xcap-root/xcap-caps/global/index"
    assert server.curl(url)[0] == 200
    assert server.curl(url, "--cert", alice.crt, "--key", alice.key)[0] == 200
    server.curl(url, "--cert", foreign.crt, "--key", foreign.key, code=1)


def plain_http_is_told_so(server):
    status, text = server.curl(f"http://127.0.0.1:{server.port('https')}/")
    assert (status, text) == (400, "This port speaks TLS: use https instead of http\n")


def fetch(connection):
    connection.request("GET", "/xcap-root/xcap-caps/global/index")
    response = connection.getresponse()
    assert response.status == 200 and b"xcap-caps" in response.read()


def certificates_are_exchanged_under_open_connections(server, certificate, names):
    with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", server.port("https"), timeout=60,
                                                        context=context(server.authority))) as open_one:
        fetch(open_one)
        sock = open_one.sock
        before = served(server)
        assert before == certificate.fingerprint().replace(":", "")
        certificate.make(names, 60, False, "renewed")
        assert served(server) == before
        server.reload("TLS certificate in force")
        assert served(server) == certificate.fingerprint().replace(":", "") != before
        assert served(server, "management") == served(server)
        fetch(open_one)
        good = served(server)
        shutil.copy(certificate.crt, certificate.crt + ".good")
        with open(certificate.crt, "w", encoding="ascii") as file:
            file.write("-----BEGIN CERTIFICATE-----\nhalf a fi")
        server.reload("TLS certificate is as before, the new one does not load: tls.certificate holds no chain")
        assert served(server) == good
        os.replace(certificate.crt + ".good", certificate.crt)
        server.reload("TLS certificate in force")
        assert served(server) == good
        fetch(open_one)
        assert open_one.sock is sock, "the connection was not kept"


def the_end_of_the_certificate_is_measured(server, certificate):
    status, text = server.curl(f"https://127.0.0.1:{server.port('management')}/metrics")
    end = ssl.cert_time_to_seconds(
        subprocess.run(["openssl", "x509", "-in", certificate.crt, "-noout", "-enddate"], capture_output=True, text=True,
                       check=True).stdout.strip().partition("=")[2])
    assert status == 200 and f"xdm_tls_certificate_expires_timestamp_seconds {int(end)}\n" in text, text
    assert 'xdm_tls_handshakes_total{role="server",result="failed"}' in text
    assert 'xdm_tls_handshakes_total{role="server",result="good"}' in text


def garbage_hurts_nobody(server):
    generator = random.Random(SEED)
    hello = bytes.fromhex("16030100a5010000a10303") + generator.randbytes(160)
    for name in ("https", "admin", "management"):
        for i in range(60):
            data = [generator.randbytes(300), hello, hello[:20], b"\x15\x03\x01\x00\x02\x01\x00", b"\x80\x2e\x01\x00\x02",
                    b"\x16\x03\x01\xff\xff" + generator.randbytes(70000)][i % 6]
            with socket.create_connection(("127.0.0.1", server.port(name)), timeout=60) as sock:
                with contextlib.suppress(OSError):
                    sock.sendall(data)
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(65536):
                        pass
    assert served(server)


def refused(build, folder, line, *options, user=None):
    """xdms does not start, and says this in one line."""
    done = subprocess.run([os.path.join(build, "xdms"), "--data", os.path.join(folder, "never"), "--schemas", "schemas",
                           "--http", "127.0.0.1:0", "--management", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                           *[word for option in options for word in ("--set", option)]], capture_output=True, text=True,
                          timeout=60, check=False, user=user)
    said = [text for text in done.stderr.splitlines() if text.startswith("xdms: ")]
    assert done.returncode == 1 and len(said) == 1 and line in said[0], f"{options}: {done.returncode} {done.stderr}"


def what_is_wrong_is_said_at_the_start(build, folder, certificate, alice, late, authority):
    pair = [f"tls.certificate={certificate.crt}", f"tls.key={certificate.key}"]
    refused(build, folder, "tls.certificate cannot be read: /nowhere.crt: No such file", "tls.certificate=/nowhere.crt")
    refused(build, folder, "tls.key names no file", pair[0])
    refused(build, folder, "tls.key does not belong to tls.certificate", pair[0], f"tls.key={alice.key}")
    refused(build, folder, "tls.certificate holds no chain of PEM certificates", f"tls.certificate={certificate.key}",
            pair[1])
    refused(build, folder, "tls.key, tls.client-ca and tls.client-crl are nothing without tls.certificate", pair[1])
    refused(build, folder, "listen.https shall speak TLS, but there is no tls.certificate", "listen.https=127.0.0.1:0")
    refused(build, folder, "tls.clients asks for certificates, but tls.client-ca names no CA", *pair,
            "tls.clients=required")
    refused(build, folder, "tls.clients is none, optional or required", *pair, "tls.clients=perhaps")
    refused(build, folder, "tls.admin-clients asks for certificates, but tls.admin is not on", *pair,
            f"tls.client-ca={authority.crt}", "tls.admin-clients=required")
    refused(build, folder, "listen.http and listen.https are both empty", "listen.http=")
    refused(build, folder, "tls.priority is not understood", *pair, "tls.priority=NORMAL:+NOTHING")
    refused(build, folder, "admin.token must be set", *pair, f"tls.client-ca={authority.crt}", "tls.admin=yes",
            "tls.admin-clients=optional", "listen.admin=0.0.0.0:0")
    os.chmod(certificate.key, 0)
    if os.geteuid() != 0 or can_run_as_nobody(build, folder):
        refused(build, folder, "tls.key cannot be read: %s: Permission denied" % certificate.key, *pair,
                user=NOBODY if os.geteuid() == 0 else None)
    os.chmod(certificate.key, 0o600)


def can_run_as_nobody(build, folder):
    os.chmod(folder, 0o755)
    with contextlib.suppress(OSError):
        return subprocess.run([os.path.join(build, "xdms"), "--version"], user=NOBODY, capture_output=True, timeout=60,
                              check=False).returncode == 0
    return False


def an_expired_certificate_is_served_with_a_warning(build, folder, late_server, authority):
    other = os.path.join(folder, "late")
    os.mkdir(other)
    server = Server(build, other, late_server, authority)
    try:
        assert "WARNING xdms TLS certificate has expired" in server.log()
        _, said = s_client(server)
        assert "certificate has expired" in said, said
    finally:
        server.program.kill()


def main():
    build = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="xdm-tls-")
    names = ("DNS:localhost", "IP:127.0.0.1")
    authority = Certificate(folder, "ca", is_authority=True, subject="Test CA")
    foreign_authority = Certificate(folder, "foreign-ca", is_authority=True, subject="Foreign CA")
    certificate = Certificate(folder, "server", authority, names)
    alice = Certificate(folder, "alice", authority, ("DNS:alice.example.com", "URI:sip:alice@example.com"))
    foreign = Certificate(folder, "foreign", foreign_authority)
    late = Certificate(folder, "late-client", authority, days=-1)
    late_server = Certificate(folder, "late-server", authority, names, days=-1)
    what_is_wrong_is_said_at_the_start(build, folder, certificate, alice, late, authority)
    an_expired_certificate_is_served_with_a_warning(build, folder, late_server, authority)
    server = Server(build, folder, certificate, authority,
                    ("--set=tls.admin=yes", "--set=tls.admin-clients=required", "--set=tls.management=yes",
                     "--set=http.header-ms-max=5000"))
    try:
        both_ports_lead_to_the_same_documents(server, alice)
        old_versions_and_weak_ciphers_are_refused(server)
        sessions_are_taken_up_again(server)
        admins_show_certificates(server, alice, foreign, late)
        plain_http_is_told_so(server)
        certificates_are_exchanged_under_open_connections(server, certificate, names)
        the_end_of_the_certificate_is_measured(server, certificate)
        garbage_hurts_nobody(server)
        server.program.stop()
        server = Server(build, folder, certificate, authority, ("--set=tls.clients=optional", "--set=listen.http="))
        assert "http" not in server.program.addresses
        clients_may_show_certificates(server, alice, foreign)
        server.program.stop()
        assert "ERROR: " not in server.log() and "runtime error" not in server.log(), server.log()
    except BaseException:
        print(server.log()[-4000:], file=sys.stderr)
        raise
    finally:
        server.program.kill()
    shutil.rmtree(folder)
    print("good")


main()
