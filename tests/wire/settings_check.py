#!/usr/bin/env python3
"""Settings that cannot work: --check says so in one line that names the setting, as the start does, and makes nothing."""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile

from certificates import Certificate
from harness import FREE, SOURCE, free_port, settings

BOTH = (
    ("store.folder", "{folder}/file"), ("store.folder", "{folder}/none/data"), ("store.folder", "{folder}/strange"),
    ("xcap.schemas", "{folder}/none"), ("xcap.schemas", "{folder}/strange"), ("xcap.roots", "xcap-root"),
    ("xcap.roots", "/xcap root/"), ("identity.domain", "example..com"), ("identity.realm", ""),
    ("identity.trusted-peers", "192.0.2.0/33"), ("identity.trusted-names", "a,,b"), ("tls.certificate", "{folder}/none"),
    ("tls.certificate", "{folder}/file"), ("tls.key", "{folder}/key.pem"), ("tls.client-ca", "{folder}/ca.pem"),
    ("tls.client-crl", "{folder}/crl.pem"), ("tls.server-ca", "{folder}/none"), ("tls.clients", "some"),
    ("tls.clients", "required"), ("listen.management", "127.0.0.1"), ("listen.management", "127.0.0.1:65536"),
    ("listen.management", "nowhere.invalid:0"), ("listen.management", "192.0.2.1:0"),
)
XDMS = (
    ("listen.http", "here"), ("listen.https", FREE), ("listen.admin", "192.0.2.1:0"), ("listen.policy", "[::1:80"),
    ("xcap.root-uri", "foo"), ("xcap.root-uri", "http:///xcap-root/"), ("xcap.root-uri", "ftp://xdm.example.com/"),
    ("xcap.root-uri", "http://xdm.example.com/xcap-root"), ("xcap.root-uri", "http://xdm.example.com/a b/"),
    ("search.domains", "example.org"), ("search.peers", "example.net=192.0.2.0/99"), ("identity.servers", "@"),
    ("identity.auditors", ",,"), ("http.proxies", "proxy"), ("http.forwarded-header", "Via"), ("policy.peers", "x"),
    ("admin.token", "two words"), ("policy.token", "two words"), ("tls.admin-clients", "some"),
    ("tls.admin-clients", "required"), ("tls.management", "yes", "listen.management"),
)
GLUE = (
    ("listen.sip", ""), ("listen.sip", "127.0.0.1"), ("listen.sips", FREE), ("listen.ws", "x"), ("listen.wss", FREE),
    ("sip.service-route", "foo"), ("sip.service-route", "<sip:proxy.example.com>"), ("sip.service-route", "<tel:1;lr>"),
    ("sip.service-route", "<sip:proxy.example.com;lr>, x"), ("sip.registration-watchers", "a b"), ("sip.cores", "core"),
    ("sip.core-routes", "example.com=sip:core"), ("sip.registrars-watched", "*.*"), ("sip.orig-parameter", "or;ig"),
    ("sip.host", "two hosts"), ("sip.host", "[::1"), ("sip.expires", "86400000"), ("sip.expires-min", "7200"),
    ("sip.t2", "200"), ("peering.domains-out", "a..b"), ("peering.domains-in", "@"), ("peering.domains-asserted", "a b"),
    ("peering.peers", "example.net"), ("peering.routes", "example.net"), ("peering.transports", "sctp"),
    ("dns.servers", "dns"), ("im.exploder", "a b"), ("im.list-senders", "all"), ("im.types-allowed", "("),
    ("im.types-allowed", "text"), ("im.types-allowed", "te*t/plain"), ("im.types-refused", "video/"),
    ("im.block-status", "500"), ("im.settings-event", "two words"), ("im.settings-type", "xml"),
    ("im.list-events", "a b"), ("im.list-events", "a,b,c,d,e"), ("im.deferred-address", "<>"),
)
GOOD = {
    "xdms": ("xcap.root-uri=https://[2001:db8::1]:8443/xcap-root/", "admin.token=a.b~c", "tls.server-ca={folder}/ca.pem",
             "store.folder={folder}/new"),
    "im-glue": ("sip.service-route=<sip:proxy.example.com;lr>, <sips:[2001:db8::1]:5061;lr;transport=tcp>", "sip.host=[::1]",
                "im.types-allowed=text/*, image/png, application/vnd.oma.*", "im.types-refused=*/*", "im.settings-event=",
                "im.settings-type=application/x+xml", "im.exploder=sip:list@im.example.com", "store.folder={folder}/new"),
}


def run(build, folder, program, *options):
    listen = ["--sip", FREE] if program == "im-glue" else ["--http", FREE, "--management", FREE, "--admin", FREE]
    return subprocess.run([os.path.join(build, program), "--data", os.path.join(folder, "data"), "--schemas", "schemas",
                           *listen, *options], capture_output=True, text=True, timeout=120, cwd=SOURCE, check=False)


def refused(build, folder, program, starts, name, value, named=None):
    """`named`: of which setting the line speaks, if it is another. A start does what --check does: some are enough."""
    wrong = settings(f"{name}={value}".format(folder=folder))
    for how in (["--check"], [])[:1 + starts]:
        done = run(build, folder, program, *wrong, *how)
        lines = done.stderr.splitlines()
        assert done.returncode == 1 and lines, (program, name, value, how, done)
        assert lines[-1].startswith(f"{program}: ") and (named or name) in lines[-1], (program, name, value, how, done.stderr)
        assert "good" not in done.stdout and "ready" not in done.stdout, (name, value, how, done.stdout)
    assert not os.path.exists(os.path.join(folder, "none")), (program, name, value)


def what_works_is_good(build, folder, certificate):
    for program, assignments in GOOD.items():
        with_tls = settings(f"tls.certificate={certificate.crt}", f"tls.key={certificate.key}")
        done = run(build, folder, program, *with_tls, *settings(*(one.format(folder=folder) for one in assignments)), "--check")
        assert done.returncode == 0 and done.stdout == "settings are good\n", (program, done)
        assert not os.path.exists(os.path.join(folder, "new")), "a check makes nothing"


def two_listeners_have_two_addresses(build, folder):
    port = f"127.0.0.1:{free_port()}"
    done = run(build, folder, "xdms", *settings(f"listen.admin={port}", f"listen.policy={port}"), "--check")
    assert done.returncode == 1 and "listen.policy" in done.stderr and "listen.admin" in done.stderr, done
    done = run(build, folder, "im-glue", *settings(f"listen.sip={port}", f"listen.ws={port}"), "--check")
    assert done.returncode == 1 and "listen.ws" in done.stderr and "listen.sip" in done.stderr, done


def main():
    build, folder = sys.argv[1], tempfile.mkdtemp(prefix="xdm-wire-")
    certificate = Certificate(folder, "server", None, ("IP:127.0.0.1",))
    shutil.copy(certificate.key, os.path.join(folder, "key.pem"))
    shutil.copy(certificate.crt, os.path.join(folder, "ca.pem"))
    open(os.path.join(folder, "file"), "w", encoding="ascii").close()
    os.mkdir(os.path.join(folder, "strange"))
    open(os.path.join(folder, "strange", "letter.txt"), "w", encoding="ascii").close()
    for program, rows in (("xdms", BOTH + XDMS), ("im-glue", BOTH + GLUE)):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda number, row: refused(build, folder, program, number % 4 == 0, *row), range(len(rows)), rows))
    what_works_is_good(build, folder, certificate)
    two_listeners_have_two_addresses(build, folder)
    shutil.rmtree(folder)
    print("good")


main()
