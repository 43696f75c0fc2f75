#!/usr/bin/env python3
"""Document services of the real daemon: --check-usage over every folder and over broken copies, made documents, pages, and
new folders that come into force by SIGHUP or are refused by it while requests go on."""
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import harness

LISTS = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="a"/></resource-lists>'
LISTS_TYPE = "application/resource-lists+xml"
BOOKMARKS = '<bookmarks xmlns="urn:example:bookmarks"/>'
BOOKMARKS_TYPE = "application/vnd.example.bookmarks+xml"
MANIFEST = f"""<usage auid="org.example.bookmarks" mime="{BOOKMARKS_TYPE}" namespace="urn:example:bookmarks"
    root="bookmarks"><document name="*"/></usage>"""
SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:example:bookmarks"
    elementFormDefault="qualified"><xs:element name="bookmarks"/></xs:schema>"""
BREAKAGES = { # what is done to a good folder, and what its report says
    "manifest.xml": (lambda text: text.replace("<document ", "<dokument "), "manifest.xml, line"),
    "document.xsd": (lambda text: text.replace("</xs:schema>", ""), "document.xsd"),
    "constraints.xsl": (lambda text: text.replace("xsl:choose", "xsl:chose"), "constraints.xsl"),
}


def check(build, folder, where=harness.SOURCE):
    done = subprocess.run([os.path.abspath(os.path.join(build, "xdms")), "--check-usage", folder], capture_output=True,
                          text=True, timeout=120, cwd=where)
    return done.returncode, done.stdout + done.stderr


def check_folders(build, scratch):
    schemas = os.path.join(harness.SOURCE, "schemas")
    folders = [name for name in sorted(os.listdir(schemas)) if os.path.exists(os.path.join(schemas, name, "manifest.xml"))]
    assert len(folders) >= 18, folders
    for name in folders:
        code, report = check(build, os.path.join("schemas", name))
        assert code == 0 and re.fullmatch(rf"schemas/{re.escape(name)}: good, \d+ examples hold\n", report), report
    code, report = check(build, ".", os.path.join(schemas, "rls-services"))
    assert code == 0 and report.endswith("/rls-services: good, %s examples hold\n" % report.split()[-3]), report
    for file, (change, expected) in BREAKAGES.items():
        copy = os.path.join(scratch, "broken")
        shutil.copytree(schemas, copy)
        path = os.path.join(copy, "rls-services", file)
        text = change(open(path, encoding="utf-8").read())
        open(path, "w", encoding="utf-8").write(text)
        code, report = check(build, os.path.join(copy, "rls-services"))
        assert code == 1 and expected in report and report.count("\n") == 1, f"{file}: {code} {report}"
        shutil.rmtree(copy)
    copy = os.path.join(scratch, "broken")
    shutil.copytree(schemas, copy)
    os.remove(os.path.join(copy, "rls-services", "constraints.xsl"))
    code, report = check(build, os.path.join(copy, "rls-services"))
    assert code == 1 and "list_of_another_user.xml: expected constraint-failure, but it is accepted" in report, report
    shutil.rmtree(copy)


def write(folder, **files):
    os.makedirs(folder, exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(folder, name.replace("_", ".")), "w", encoding="utf-8") as file:
            file.write(text)


class Server:
    """xdms alone, with its own copy of schemas/."""

    def __init__(self, build, folder):
        self.folder, self.log = folder, os.path.join(folder, "xdms.log")
        self.schemas = os.path.join(folder, "schemas")
        shutil.copytree(os.path.join(harness.SOURCE, "schemas"), self.schemas)
        self.program = harness.start_xdms(build, os.path.join(folder, "data"), self.log, *harness.settings(
            "xcap.root-uri=http://xdm.example.com/xcap-root/", "identity.servers=rls",
            "identity.operators=chief@example.com, sip:boss@example.com"), schemas=self.schemas)
        for user in ("alice", "rls", "chief", "boss"):
            subprocess.run([os.path.join(build, "xdmctl"), "--admin", "%s:%d" % self.program.addresses["admin"], "user",
                            "add", user, user], check=True, timeout=60, capture_output=True)

    def curl(self, method, path, user="alice", body=None, content_type=None, headers=(), port=None):
        arguments = ["curl", "-sS", "-g", "--max-time", "60", "-X", method, "-w", "\n%{http_code}",
                     "http://127.0.0.1:%d/xcap-root/%s" % (port or self.program.addresses["http"][1], path)]
        if user:
            arguments += ["--digest", "-u", f"{user}:{user}"]
        if body is not None:
            arguments += ["--data-binary", body, "-H", f"Content-Type: {content_type}"]
        for header in headers:
            arguments += ["-H", header]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        text, _, status = done.stdout.rpartition("\n")
        return int(status), text

    def lines(self):
        return open(self.log, encoding="utf-8", errors="replace").read().splitlines()

    def reload(self):
        """Sends SIGHUP and waits for the line that tells how it went."""
        before = sum("document services" in line for line in self.lines())
        self.program.process.send_signal(signal.SIGHUP)
        return self.told(before)

    def told(self, before):
        while True:
            told = [line for line in self.lines() if "document services" in line]
            if len(told) > before:
                return told[before:]
            assert self.program.process.poll() is None, self.program.tail()
            time.sleep(0.05)


def made_documents(server):
    lists = "resource-lists/users/sip:alice@example.com/index"
    assert server.curl("PUT", lists, body=LISTS, content_type=LISTS_TYPE)[0] == 201
    directory = "org.openmobilealliance.xcap-directory/users/sip:alice@example.com/directory.xml"
    code, text = server.curl("GET", directory)
    assert code == 200 and re.search(f'uri="http://xdm.example.com/xcap-root/{lists}" etag="[0-9a-f]+" '
                                     f'last-modified="20[^"]*Z" size="{len(LISTS)}"', text), text
    assert server.curl("GET", directory + "/~~/xcap-directory/folder%5b@auid=%22resource-lists%22%5d/entry/@size") == \
        (200, f'"{len(LISTS)}"')
    rls = '<rls-services xmlns="urn:ietf:params:xml:ns:rls-services"><service uri="{}"><list/></service></rls-services>'
    services = "rls-services/users/sip:alice@example.com/index"
    assert server.curl("PUT", services, body=rls.format("sip:chief@example.com"),
                       content_type="application/rls-services+xml")[0] == 409
    assert server.curl("PUT", services, body=rls.format("sip:team@example.com"),
                       content_type="application/rls-services+xml")[0] == 201
    assert server.curl("GET", "rls-services/global/index")[0] == 403
    code, text = server.curl("GET", "rls-services/global/index", "rls")
    assert code == 200 and "sip:team@example.com" in text, text
    for operator in ("chief", "boss"):
        assert server.curl("GET", "rls-services/global/index", operator)[0] == 200
    assert server.curl("GET", lists, headers=["Accept: text/html"])[1].startswith("<!DOCTYPE html")
    assert server.curl("GET", lists)[1] == LISTS


def reloads(server):
    bookmarks = "org.example.bookmarks/users/sip:alice@example.com/index"
    folder = os.path.join(server.schemas, "org.example.bookmarks")
    assert server.curl("PUT", bookmarks, body=BOOKMARKS, content_type=BOOKMARKS_TYPE)[0] == 404
    write(folder, manifest_xml=MANIFEST.replace("<document", "<dokument"), document_xsd=SCHEMA)
    told = server.reload()
    assert len(told) == 1 and " ERROR " in told[0] and "org.example.bookmarks: manifest.xml, line 2" in told[0], told
    assert server.curl("PUT", bookmarks, body=BOOKMARKS, content_type=BOOKMARKS_TYPE)[0] == 404
    assert server.curl("GET", "resource-lists/users/sip:alice@example.com/index")[0] == 200
    write(folder, manifest_xml=MANIFEST)
    told = server.reload()
    assert len(told) == 1 and "loaded anew" in told[0], told
    assert server.curl("PUT", bookmarks, body=BOOKMARKS, content_type=BOOKMARKS_TYPE)[0] == 201
    assert "org.example.bookmarks" in server.curl("GET", "xcap-caps/global/index", None)[1]
    directory = "org.openmobilealliance.xcap-directory/users/sip:alice@example.com/directory.xml"
    assert bookmarks in server.curl("GET", directory)[1]
    shutil.rmtree(folder)
    server.reload()
    assert server.curl("GET", bookmarks)[0] == 404
    assert bookmarks not in server.curl("GET", directory)[1]


def failing_sheets(server):
    """A sheet that breaks over a document is a 500, and the log says what it said."""
    sheet = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">
        <xsl:if test="%s"><xsl:message terminate="yes">nobody thought of this</xsl:message></xsl:if>%s
        </xsl:template></xsl:stylesheet>"""
    folder = os.path.join(server.schemas, "org.example.bookmarks")
    all_of_them = '<document name="all" computed="all.xsl" from="home"/>'
    write(folder, manifest_xml=MANIFEST.replace("<document", all_of_them + "<document", 1), document_xsd=SCHEMA,
          constraints_xsl=sheet % ("*/@break", ""),
          all_xsl=sheet % ("//document[@name='odd']", '<bookmarks xmlns="urn:example:bookmarks"/>'))
    assert "loaded anew" in server.reload()[0]
    home = "org.example.bookmarks/users/sip:alice@example.com/"
    for name, broken, path, why in (("index", True, "index", "nobody thought of this"),
                                    ("odd", False, "all", "nobody thought of this")):
        body = BOOKMARKS.replace("/>", ' break="1"/>') if broken else BOOKMARKS
        before = len(server.lines())
        code, text = server.curl("PUT", home + name, body=body, content_type=BOOKMARKS_TYPE)
        if not broken:
            assert code == 201, text
            code, text = server.curl("GET", home + path)
        assert code == 500 and "its log says why" in text, (code, text)
        told = [line for line in server.lines()[before:] if " ERROR " in line]
        assert len(told) == 1 and f"name={path} why=" in told[0] and why in told[0], told
    shutil.rmtree(folder)
    server.reload()


def worked_example(build, server):
    """docs/new-usage.md, played to the letter: its files are written, its commands typed."""
    page = open(os.path.join(harness.SOURCE, "docs", "new-usage.md"), encoding="utf-8").read()
    folder = os.path.join(server.schemas, "org.example.bookmarks")
    files = {}
    for match in re.finditer(r"```xml\n(.*?)```", page, re.S):
        named = re.findall(r"(?:^## \d\. |`)((?:examples/\w+/)?\w+\.\w+)`?", page[:match.start()], re.M)
        files.setdefault(named[-1], match.group(1))
    assert {"manifest.xml", "document.xsd", "constraints.xsl", "examples/valid/two_pages.xml",
            "examples/invalid/mail_address.xml", "examples/invalid/marked_twice.xml"} <= set(files), sorted(files)
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    before = sum("document services" in line for line in server.lines())
    outputs = []
    for commands in re.findall(r"```sh\n(.*?)```", page, re.S):
        for said, meant in (("build/release/", os.path.join(build, "")), ("schemas/", os.path.join(server.schemas, "")),
                            ("$(pidof xdms)", str(server.program.process.pid)), ("curl", "curl -sS --max-time 60"),
                            ("127.0.0.1:8080", "127.0.0.1:%d" % server.program.addresses["http"][1])):
            commands = commands.replace(said, meant)
        done = subprocess.run(["bash", "-ec", commands], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout)
        if "kill" in commands:
            assert "loaded anew" in server.told(before)[0]
    assert re.fullmatch(r"\S+: good, 3 examples hold\n", outputs[0]), outputs
    assert outputs[-1].startswith('"http://www.example.com/"') and "only web pages can be marked" in outputs[-1], outputs
    assert "org.example.bookmarks" in server.curl("GET", "xcap-caps/global/index", None)[1]
    for name in ("manifest.xml", "document.xsd", "constraints.xsl"):
        assert "urn:example:bookmarks" in files[name]
    shutil.rmtree(folder)
    server.reload()


def two_processes(build, server):
    """What one process kept of the global index is right after another process wrote."""
    second = harness.start_xdms(build, os.path.join(server.folder, "data"), os.path.join(server.folder, "second.log"),
                                *harness.settings("identity.servers=rls"), schemas=server.schemas)
    try:
        rls = '<rls-services xmlns="urn:ietf:params:xml:ns:rls-services"><service uri="{}"><list/></service></rls-services>'
        index = "rls-services/global/index"
        for turn, name in enumerate(("sip:one@example.com", "sip:two@example.com", "sip:three@example.com")):
            assert server.curl("PUT", "rls-services/users/sip:alice@example.com/index", body=rls.format(name),
                               content_type="application/rls-services+xml")[0] == 200
            for _ in range(2):
                code, text = server.curl("GET", index, "rls", port=second.addresses["http"][1])
                assert code == 200 and name in text, f"{turn}: {text}"
            assert name in server.curl("GET", index, "rls")[1]
        second.stop()
    finally:
        second.kill()


def messaging_reloads(build, server):
    """im-glue takes its services anew as well, and goes on."""
    glue = harness.start_glue(build, os.path.join(server.folder, "data"), os.path.join(server.folder, "glue.log"),
                              schemas=server.schemas)

    def options():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            peer.settimeout(60)
            peer.sendto(("OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%d\r\n"
                         "From: <sip:alice@example.com>;tag=1\r\nTo: <sip:example.com>\r\nCall-ID: %d@x\r\nCSeq: 1 OPTIONS\r\n"
                         "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n" % (peer.getsockname()[1], time.monotonic_ns(),
                                                                         time.monotonic_ns())).encode(),
                        glue.addresses["sip"])
            return peer.recv(65536).decode(errors="replace")

    def reload():
        lines = lambda: [line for line in open(glue.log_path, errors="replace") if "document services" in line]
        before = len(lines())
        glue.process.send_signal(signal.SIGHUP)
        while len(lines()) == before:
            assert glue.process.poll() is None, glue.tail()
            time.sleep(0.05)
        return lines()[-1]

    manifest = os.path.join(server.schemas, "org.openmobilealliance.im-rules", "manifest.xml")
    good = open(manifest, encoding="utf-8").read()
    try:
        assert options().startswith("SIP/2.0 ")
        write(os.path.dirname(manifest), manifest_xml=good.replace("<document ", "<dokument "))
        assert "org.openmobilealliance.im-rules: manifest.xml" in reload()
        assert options().startswith("SIP/2.0 ")
        write(os.path.dirname(manifest), manifest_xml=good)
        for _ in range(3):
            assert "loaded anew" in reload()
            assert options().startswith("SIP/2.0 ")
        glue.stop()
    finally:
        glue.kill()


def reloads_under_load(server):
    """Requests in flight keep the services they began with, and none of them notices."""
    wrong, stop = [], threading.Event()

    def work(number):
        path = f"resource-lists/users/sip:alice@example.com/load-{number}"
        round_ = 0
        while not stop.is_set():
            round_ += 1
            body = LISTS + " " * (round_ % 2)
            code, text = server.curl("PUT", path, body=body, content_type=LISTS_TYPE)
            if code not in (200, 201):
                wrong.append((code, text))
            answer = server.curl("GET", path)
            if answer != (200, body):
                wrong.append(answer)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(8):
            assert "loaded anew" in server.reload()[0]
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert not wrong, wrong[:3]


def main():
    import sys
    import tempfile
    build = sys.argv[1]
    scratch = tempfile.mkdtemp(prefix="xdm-services-")
    server = None
    try:
        check_folders(build, scratch)
        server = Server(build, scratch)
        made_documents(server)
        two_processes(build, server)
        messaging_reloads(build, server)
        reloads(server)
        failing_sheets(server)
        worked_example(build, server)
        reloads_under_load(server)
        server.program.stop()
        log = "\n".join(server.lines())
        assert "ERROR: " not in log and "WARNING: ThreadSanitizer" not in log and "runtime error" not in log, log[-6000:]
    finally:
        if server:
            server.program.kill()
        shutil.rmtree(scratch)
    print("good")


main()
