#!/usr/bin/env python3
"""XCAP at the HTTP level, with curl as the client: every kind of URI, selector, insertion, deletion, attribute, condition and
refusal, once over the wire, and what HTTP promises around them. One xdms as it is by default, one with all leniency on."""
import gzip
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import harness

SCHEMA = os.path.join(harness.SOURCE, "schemas/common/xcap-error.xsd")
HOME = "resource-lists/users/sip:alice@example.com"
INDEX = HOME + "/index"
ROOT = INDEX + "/~~/resource-lists"
RULES = "pres-rules/users/sip:alice@example.com/index"
SERVICES = "rls-services/users/sip:{}@example.com/index"
CAPS = "xcap-caps/global/index"
TYPE = "application/resource-lists+xml"
EL, ATT, NS, ERROR = (f"application/xcap-{kind}+xml" for kind in ("el", "att", "ns", "error"))
OPEN = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists" xmlns:x="urn:x">'
LISTS = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- head -->
{OPEN}
 <list name="friends">
  <display-name xml:lang="en">Friends &amp; co</display-name>
  <entry uri="sip:bob@example.com"/>
  <!-- guests below -->
  <entry uri="sip:a/b@example.com" x:note="n"/>
  <entry uri='sip:"q"@example.com'/>
  <external anchor="http://h/~~/resource-lists/list%5B@name=%22m%22%5D"/>
 </list>
 <list name="a b"/>
 <list name="&#xe9;t&#233;"><entry uri="sip:one@example.com"/></list>
</resource-lists>
<!-- tail -->
"""
RULESET = """<cp:ruleset xmlns:cp="urn:ietf:params:xml:ns:common-policy" xmlns:pr="urn:ietf:params:xml:ns:pres-rules">
<cp:rule id="a"><cp:actions><pr:sub-handling>allow</pr:sub-handling></cp:actions></cp:rule></cp:ruleset>"""
ALLOW_ALL, ALLOW_READ = "GET, HEAD, PUT, DELETE, OPTIONS", "GET, HEAD, OPTIONS"


class Answer:
    def __init__(self, head, body):
        lines = head.split("\r\n")
        self.status = int(lines[0].split()[1])
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if ":" in line]
        self.body = body

    def __getitem__(self, name):
        return ", ".join(value for field, value in self.fields if field.lower() == name.lower())

    @property
    def text(self):
        return self.body.decode()


class Server:
    """One xdms with the users alice and bob, and curl."""

    def __init__(self, build, folder, *options):
        self.folder = folder
        os.makedirs(folder)
        self.program = harness.start_xdms(build, os.path.join(folder, "data"), os.path.join(folder, "xdms.log"), *harness.settings(
            "xcap.root-uri=http://xcap.example.com/xcap-root/", "xcap.roots=/xcap-root/,/services/", *options))
        self.port = self.program.addresses["http"][1]
        for user in ("alice", "bob"):
            subprocess.run([os.path.join(build, "xdmctl"), "--admin", "%s:%d" % self.program.addresses["admin"], "user",
                            "add", user, user], check=True, timeout=60, capture_output=True)

    def ask(self, method, path, body=None, content_type=None, *headers, user="alice", root="/xcap-root/", options=()):
        """One request; `path` is below the root, or a whole one that starts with '/'."""
        path = path if path.startswith("/") else root + path
        arguments = ["curl", "-sS", "-g", "--path-as-is", "--max-time", "60", "-D", "-", *options,
                     f"http://127.0.0.1:{self.port}{path}"]
        arguments += ["-I", "-o", os.devnull] if method == "HEAD" else ["-X", method]
        arguments += ["--digest", "-u", f"{user}:{user}"] if user else []
        if body is not None:
            arguments += ["--data-binary", "@-"]
            headers += (f"Content-Type: {content_type}" if content_type else "Content-Type:",)
        for header in headers:
            arguments += ["-H", header]
        body = body.encode() if isinstance(body, str) else body
        done = subprocess.run(arguments, input=body, capture_output=True, timeout=120)
        assert done.returncode == 0, f"{method} {path}: {done.stderr.decode()}"
        rest = done.stdout
        while rest.startswith(b"HTTP/1.1 "):  # digest: first the head of the challenge
            head, _, rest = rest.partition(b"\r\n\r\n")
            answer = Answer(head.decode(), rest)
        return answer

    def put(self, path, body, content_type, *headers, **options):
        return self.ask("PUT", path, body, content_type, *headers, **options)

    def get(self, path, *headers, **options):
        return self.ask("GET", path, None, None, *headers, **options)

    def delete(self, path, *headers, **options):
        return self.ask("DELETE", path, None, None, *headers, **options)

    def reset(self, document=LISTS, path=INDEX, content_type=TYPE):
        answer = self.put(path, document, content_type)
        assert answer.status in (200, 201), answer.text
        return answer["ETag"]

    def log(self):
        return open(os.path.join(self.folder, "xdms.log"), encoding="utf-8", errors="replace").read()


def expect(answer, status, body=None, what=""):
    assert answer.status == status, f"{what}: {answer.status}, not {status}: {answer.text}"
    assert body is None or answer.text == body, f"{what}: got {answer.text!r}, not {body!r}"
    return answer


def report(element, phrase, content=""):
    """A conflict report, byte for byte."""
    for raw, reference in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&apos;")):
        phrase = phrase.replace(raw, reference)
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error">'
            f'<{element} phrase="{phrase}">{content}</{element}></xcap-error>\n')


def conflict(server, answer, element, part="", what=""):
    """A valid report of this element whose phrase or content holds `part`."""
    expect(answer, 409, what=what or part)
    assert answer["Content-Type"] == ERROR, answer.fields
    assert f"<{element} " in answer.text and part in answer.text, f"{what}: no {element} with {part!r}: {answer.text}"
    done = subprocess.run(["xmllint", "--noout", "--nonet", "--schema", SCHEMA, "-"], input=answer.body, capture_output=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr.decode() + answer.text
    server.reports.add(element)
    return answer


def uris(server):
    server.reset()
    for path in (INDEX, HOME.replace(":", "%3A").replace("@", "%40") + "/index", HOME.replace("sip:", "") + "/index",
                 HOME.replace("example", "EXAMPLE") + "/%69ndex", INDEX + "?", INDEX + "?no(thing)", "/services/" + INDEX):
        expect(server.get(path), 200, LISTS, path)
    for path in ("/", "/xcap-root", "/xcap-root/", "//xcap-root/" + INDEX, "resource-lists", "resource-lists/users",
                 HOME, HOME + "/", INDEX.replace("users", "user"), INDEX.replace("users", "Users"), "no-such/users/sip:a@b/index",
                 "resource-lists/global/none", INDEX + "/", INDEX + "~~", INDEX + "/sub", "resource-lists/~~/x",
                 HOME + "%2Findex", "%23users/users/sip:alice@example.com/index"):
        expect(server.get(path), 404, what=path)
    for path in ("/", "/favicon.ico", "/xcap-rooted/" + INDEX):  # the roots are no secret: nobody is asked for a password
        expect(server.get(path, user=None), 404, what=path)
    expect(server.get("no-such/users/sip:a@b/index", user=None), 401)
    for path in ("/xcap-root//" + INDEX, HOME + "//index", HOME + "/./index", HOME + "/x/../index", HOME + "/%2e%2e/index",
                 INDEX + "%00", INDEX + "%", INDEX + "%4", INDEX + "%zz", INDEX + "%ff", INDEX + "%C0%AF", INDEX + "%0a",
                 INDEX + "/~~", INDEX + "/~~/", INDEX + "/~~//resource-lists", HOME + "/a%2fb"):
        expect(server.get(path), 400, what=path)
    expect(server.get(INDEX.replace("alice", "bob")), 403)
    expect(server.get(INDEX.replace("alice", "nobody")), 403)
    expect(server.get("/%7E%7E".join(ROOT.split("/~~")) + "/list%5b2%5D/%40name"), 200, '"a b"')
    conflict(server, server.put(HOME + "/sub/index", LISTS, TYPE), "no-parent", "no such directory")


def selectors(server):
    server.reset()
    good = {  # below /~~/resource-lists
        "/list[1]/@name": '"friends"', "/list[01]/@name": '"friends"', "/*[2]/@name": '"a b"', "/list[@name=%22a%20b%22]": '<list name="a b"/>',
        "/list[@name='a%20b']/@name": '"a b"', "/list[1][@name=%22friends%22]/@name": '"friends"', "/*[@name=%22a%20b%22]/@name": '"a b"',
        "/*[2][@name=%22a%20b%22]/@name": '"a b"', "/list[@name=%22%C3%A9t%C3%A9%22]/@name": '"&#xe9;t&#233;"',
        "/list[@name=%22%26%23xe9;t%26%23233;%22]/@name": '"&#xe9;t&#233;"',
        "/list[1]/entry[@uri=%22sip:a%2Fb@example.com%22]/@uri": '"sip:a/b@example.com"',
        "/list[1]/entry[@uri=%22sip:a/b@example.com%22]/@uri": '"sip:a/b@example.com"',
        "/list[1]/entry[@uri=%22sip:%26quot;q%26quot;@example.com%22]/@uri": "'sip:\"q\"@example.com'",
        "/list[1]/entry[@uri='sip:%22q%22@example.com']/@uri": "'sip:\"q\"@example.com'",
        "/list[1]/entry[2]/@y:note?xmlns(y=urn:x)": '"n"', "/list[1]/entry[@y:note='n']/@uri?foo&xmlns%28y=urn%3Ax%29": '"sip:a/b@example.com"',
        "/list[1]/entry[2]/@y:note?xmlns(y=urn:no)xmlns(z=^(^^^))xmlns(y=urn:x)": '"n"',
        "/list[1]/display-name/@xml:lang": '"en"', "/list[1]/display-name": '<display-name xml:lang="en">Friends &amp; co</display-name>',
        "/list[1]/external[@anchor=%22http://h/~~/resource-lists/list%255B@name=%2522m%2522%255D%22]/@anchor":
            '"http://h/~~/resource-lists/list%5B@name=%22m%22%5D"',
        "/list[2]/namespace::*": '<list xmlns="urn:ietf:params:xml:ns:resource-lists" xmlns:x="urn:x"/>',
    }
    for selector, body in good.items():
        answer = expect(server.get(ROOT + selector), 200, body, selector)
        kind = NS if "namespace::" in selector else ATT if re.search(r"/@[^]]*$", selector) else EL
        assert answer["Content-Type"] == kind, (selector, answer.fields)
    expect(server.get(INDEX + "/~~/r:resource-lists/r:list[2]/@name?xmlns(r=urn:ietf:params:xml:ns:resource-lists)"), 200, '"a b"')
    expect(server.get(INDEX + "/~~/*/*[2]/@name"), 200, '"a b"')
    for selector in ("/list", "/*", "/list[0]", "/list[99999999999999999999]", "/list[2][@name=%22friends%22]", "/list[@name=%22Friends%22]",
                     "/list[@name=%22a+b%22]", "/list[1]/@xmlns", "/@xmlns:x?xmlns(x=urn:x)", "/list[@xmlns=%22%22]", "/nothing/@x", "/list/entry",
                     "/text()", "/list[1]/node()", "/..", "/.", "/descendant::list", "/@*", "/id(%22x%22)", "/list[last()]", "/~~/list"):
        expect(server.get(ROOT + selector), 404, what=selector)
    for selector in ("/", "/list[1]/", "//list", "/x:list", "/@x:y", "/list[@x:y=%22%22]", "/list[%201%20]", "/list[@name%20=%22a%22]",
                     "/list[@name=friends]", "/list[@name=%22friends]", "/list[@name=%22friends%22", "/list]", "/list[]", "/list[@name]",
                     "/list[@name=%22friends%22][1]", "/list[1][1]", "/list[@a=%22%22][@b=%22%22]", "/@name/@name", "/namespace::*/x",
                     "/list[1]/external[@anchor=%22http://h/~~/resource-lists/list%5B@name=%22m%22%5D%22]", "/list[1]/@a?xmlns(p=)", "/p:a?xmlns(p=)"):
        expect(server.get(ROOT + selector), 400 if selector != "/list[1]/@a?xmlns(p=)" else 404, what=selector)
    expect(server.get(ROOT + "/a" * 32), 414)
    expect(server.get(ROOT + "/list[@name=%22" + "x" * 9000 + "%22]"), 414)
    defaults = {  # the default document namespace of each kind of service
        "xcap-caps/global/index/~~/xcap-caps/auids/auid[1]": None,
        "rls-services/global/index/~~/rls-services": 403,
    }
    for path, status in defaults.items():
        expect(server.get(path), status or 200, what=path)
    server.reset(RULESET, RULES, "application/auth-policy+xml")
    expect(server.get(RULES + "/~~/ruleset/rule"), 404)
    expect(server.get(RULES + "/~~/*/*[@id=%22a%22]/*/sub-handling"), 200, "<pr:sub-handling>allow</pr:sub-handling>")
    expect(server.get(RULES + "/~~/c:ruleset/c:rule/@id?xmlns(c=urn:ietf:params:xml:ns:common-policy)"), 200, '"a"')


def insertions(server):
    entry = '<entry uri="sip:new@example.com"/>'
    new = "[@uri=%22sip:new@example.com%22]"
    cases = {  # selector below list[1] -> what stands there afterwards
        "/entry" + new: f"""<entry uri='sip:"q"@example.com'/>{entry}\n""",
        "/entry[4]" + new: f"""<entry uri='sip:"q"@example.com'/>{entry}\n""",
        "/entry[2]" + new: f'<entry uri="sip:bob@example.com"/>{entry}\n  <!-- guests',
        "/entry[1]" + new: f'</display-name>\n  {entry}<entry uri="sip:bob',
        "/*[3]" + new: f'<entry uri="sip:bob@example.com"/>{entry}\n  <!-- guests',
        "/*" + new: f"""<entry uri='sip:"q"@example.com'/>{entry}\n""",
    }
    for selector, part in cases.items():
        server.reset()
        answer = server.put(ROOT + "/list[1]" + selector, entry, EL)
        expect(answer, 201, "", selector)
        expect(server.get(ROOT + "/list[1]" + selector), 200, entry, selector)
        document = server.get(INDEX)
        assert part in document.text and document.text.replace(entry, "", 1) == LISTS, f"{selector}: {document.text}"
        assert document["ETag"] == answer["ETag"], selector
    server.reset()
    expect(server.put(ROOT + "/list[2]/entry", entry, EL), 201)
    expect(server.get(ROOT + "/list[2]"), 200, f'<list name="a b">{entry}</list>')
    expect(server.put(ROOT + "/list[2]/list[1]", " \n<list/>\t", EL), 201)
    expect(server.get(ROOT + "/list[2]"), 200, f'<list name="a b">{entry}<list/></list>')
    before = server.get(INDEX).text
    refused = {
        ("/list[1]/entry[9]" + new, entry): ("cannot-insert", "no place"),
        ("/list[1]/entry[0]" + new, entry): ("cannot-insert", ""),
        ("/list[1]/entry[@uri=%22sip:c@d%22]", entry): ("cannot-insert", "step"),
        ("/list[1]/list", "<entry uri='sip:c@d'/>"): ("cannot-insert", "names an element 'list', but the body is a 'entry'".replace("'", "&apos;")),
        ("/list[1]/entry", entry): ("cannot-insert", "several"),
        ("/list[9]/entry", entry): ("no-parent", "<ancestor>resource-lists</ancestor>"),
        ("/list/entry", entry): ("no-parent", "<ancestor>resource-lists</ancestor>"),
        ("/list[1]/*[1]" + new, entry): ("schema-validation-error", "display-name"),
    }
    for (selector, body), (element, part) in refused.items():
        conflict(server, server.put(ROOT + selector, body, EL), element, part, selector)
    conflict(server, server.put(INDEX + "/~~/other", "<other/>", EL), "cannot-insert")
    assert server.get(INDEX).text == before


def replacements_and_deletions(server):
    server.reset()
    replaced = '<entry  uri="sip:bob@example.com" ><display-name/></entry>'
    expect(server.put(ROOT + "/list[1]/entry[1]", replaced, EL), 200, "")
    assert server.get(INDEX).text == LISTS.replace('<entry uri="sip:bob@example.com"/>', replaced)
    lines = LISTS.replace("\n", "\r\n")
    server.reset(lines)
    expect(server.put(ROOT + "/list[1]/entry[1]", replaced, EL), 200, "")
    assert server.get(INDEX).text == lines.replace('<entry uri="sip:bob@example.com"/>', replaced)
    whole = OPEN + "</resource-lists>"
    server.reset()
    expect(server.put(ROOT, whole, EL), 200)
    assert server.get(INDEX).text == f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- head -->\n{whole}\n<!-- tail -->\n'
    tag = server.reset()
    for selector in ("/list[1]", "/*[1]", "/list[1]/entry[1]"):
        conflict(server, server.delete(ROOT + selector), "cannot-delete", what=selector)
    conflict(server, server.delete(ROOT), "schema-validation-error")
    for selector in ("/list", "/list[4]", "/list[0]", "/none", "/list[1]/@none"):
        expect(server.delete(ROOT + selector), 404, what=selector)
    assert server.get(INDEX)["ETag"] == tag
    conflict(server, server.put(ROOT + "/list[@name=%22friends%22]", '<list name="foes"/>', EL), "cannot-insert")
    conflict(server, server.delete(ROOT + "/list[1]/entry[1]/@uri"), "schema-validation-error", "uri")
    answer = expect(server.delete(ROOT + "/list[1]/entry[@uri=%22sip:bob@example.com%22]"), 200, "")
    assert answer["ETag"] not in ("", tag)
    assert server.get(INDEX).text == LISTS.replace('<entry uri="sip:bob@example.com"/>', "")
    expect(server.delete(ROOT + "/*[1][@name=%22friends%22]"), 200)
    expect(server.delete(ROOT + "/list[2]/entry"), 200)
    expect(server.get(ROOT + "/list[2]"), 200, '<list name="&#xe9;t&#233;"></list>')
    expect(server.delete(ROOT + "/list[@name=%22a%20b%22]/@name"), 200)
    expect(server.get(ROOT + "/list[1]"), 200, "<list/>")
    answer = expect(server.delete(INDEX), 200, "")
    assert answer["ETag"] == ""
    expect(server.delete(INDEX), 404)
    expect(server.delete(ROOT), 404)


def attributes(server):
    server.reset()
    name = ROOT + "/list[2]/@name"
    for body, stored in (('"c"', '"c"'), ("'d'", "'d'"), ('"&amp;&#x41;&lt;"', '"&amp;&#x41;&lt;"'), ("raw", '"raw"'), ('say "x"', None),
                         ('\ufeff"bom"', '"bom"'), (' "sp" \n', '"sp"'), ('""', '""')):
        expect(server.put(name, body, ATT), 200, "", body)
        expect(server.get(name), 200, stored or '"say &quot;x&quot;"', body)
    for body in ("", '"', "'x", '"a"b"', '"<"', '"&"', "a&b", "a<b", '"&nbsp;"', '"a" "b"', '"\x01"'):
        conflict(server, server.put(name, body, ATT), "not-xml-att-value", what=body)
    conflict(server, server.put(name, b'"\xff"', ATT), "not-utf-8")
    expect(server.put(ROOT + "/list[1]/entry[1]/@y:note?xmlns(y=urn:x)", '"m"', ATT), 201)
    expect(server.get(ROOT + "/list[1]/entry[1]"), 200, '<entry uri="sip:bob@example.com" x:note="m"/>')
    conflict(server, server.put(ROOT + "/list[1]/entry[1]/@y:note?xmlns(y=urn:y)", '"m"', ATT),
             "cannot-insert", "No prefix")
    for attribute in ("@xmlns", "@xmlns:x?xmlns(x=urn:x)", "@xmlns:z"):
        answer = server.put(ROOT + "/list[1]/" + attribute, '"urn:z"', ATT)
        conflict(server, answer, "cannot-insert", what=attribute)
    conflict(server, server.put(ROOT + "/list[@name=%22friends%22]/@name", '"foes"', ATT), "cannot-insert")
    conflict(server, server.put(ROOT + "/list[9]/@name", '"x"', ATT), "no-parent", "<ancestor>resource-lists</ancestor>")
    conflict(server, server.put(ROOT + "/list[1]/@color", '"x"', ATT),
             "schema-validation-error", "as it would be, line 4: element &apos;list&apos;, attribute &apos;color&apos;")
    conflict(server, server.put(ROOT + "/list[1]/entry[2]/@uri", '"sip:bob@example.com"', ATT),
             "uniqueness-failure", "<exists field=")
    expect(server.delete(ROOT + "/list[1]/entry[@y:note='n']/@y:note?xmlns(y=urn:x)"), 200)


def conditions(server):
    server.delete(INDEX)
    expect(server.put(INDEX, LISTS, TYPE, 'If-Match: "1"'), 412)
    expect(server.put(INDEX, LISTS, TYPE, "If-Match: *"), 412)
    tag = expect(server.put(INDEX, LISTS, TYPE, "If-None-Match: *"), 201)["ETag"]
    expect(server.put(INDEX, LISTS, TYPE, "If-None-Match: *"), 412)
    name = ROOT + "/list[2]/@name"
    expect(server.put(name, '"c"', ATT, "If-None-Match: *"), 412)
    expect(server.put(ROOT + "/list[2]/entry", "<entry uri='sip:n@d'/>", EL, "If-None-Match: *"), 412)
    expect(server.put(name, '"c"', ATT, f"If-None-Match: {tag}"), 412)
    expect(server.delete(name, 'If-Match: "other"'), 412)
    expect(server.put(name, '"c"', ATT, f"If-Match: W/{tag}"), 412)
    assert server.get(INDEX)["ETag"] == tag
    seen = {tag}
    for header in (f"If-Match: {tag}", "If-Match: *", 'If-None-Match: "other"', "X-None: 1", "X-None: 2"):
        answer = expect(server.put(name, '"c"', ATT, header), 200)
        assert answer["ETag"] not in seen, "the tag of another PUT"
        seen.add(answer["ETag"])
    tag = server.get(INDEX)["ETag"]
    assert tag == answer["ETag"] and all(server.get(ROOT + node)["ETag"] == tag for node in ("", "/list[1]", "/list[2]/@name", "/namespace::*"))
    expect(server.put(name, '"d"', ATT, f'If-Match: "x", {tag.strip(chr(34))} , "y"'), 200)
    tag = server.get(INDEX)["ETag"]
    for path in (INDEX, ROOT + "/list[1]", name):
        for header in (f"If-None-Match: {tag}", f"If-None-Match: W/{tag}", f'If-None-Match: "x", {tag}', "If-None-Match: *"):
            answer = expect(server.get(path, header), 304, "", path)
            assert answer["ETag"] == tag and answer["Vary"] and answer["Cache-Control"], answer.fields
        expect(server.get(path, 'If-None-Match: "x"'), 200)
        expect(server.get(path, 'If-Match: "x"'), 412)
    # what would be refused anyhow is refused as if there were no condition
    expect(server.get(ROOT + "/none", f"If-None-Match: {tag}"), 404)
    expect(server.get(HOME + "/none", "If-Match: *"), 404)
    expect(server.delete(ROOT + "/none", 'If-Match: "x"'), 404)
    conflict(server, server.put(ROOT + "/none/x", "<x/>", EL, 'If-Match: "x"'), "no-parent")
    expect(server.put(name, '"d"', EL, 'If-Match: "x"'), 415)
    expect(server.put(name, "<", ATT, 'If-Match: "x"'), 412)
    expect(server.put(INDEX, "<", TYPE, 'If-Match: "x"'), 412)
    expect(server.put(ROOT + "/namespace::*", "<", EL, 'If-Match: "x"'), 405)


def errors(server):
    """Every element of the conflict report, byte for byte."""
    server.reset()
    exact = [
        (INDEX, "<a>\n</b>", TYPE, report("not-well-formed", "line 2, column 5: Opening and ending tag mismatch: a line 1 and b")),
        (INDEX, OPEN.encode() + b"\xe4", TYPE, report("not-utf-8", "the document is not UTF-8")),
        (INDEX, '<?xml version="1.0" encoding="latin1"?><a/>', TYPE, report("not-utf-8", "the declared encoding is not UTF-8")),
        (ROOT + "/list[1]", "<list>\n<entry></list>", EL,
         report("not-xml-frag", "line 2: Opening and ending tag mismatch: entry line 2 and list")),
        (ROOT + "/list[1]/@name", '"a"b"', ATT,
         report("not-xml-att-value", "The body must be the value of an attribute in quotes, with '<' and '&' as references.")),
        (ROOT + "/list[@name='%22%3C']/x/y", "<y/>", EL,
         report("no-parent", "There is not exactly one parent: look at step 'list[@name='\"<']'.", "<ancestor>resource-lists</ancestor>")),
        (INDEX + "/~~/r:resource-lists/r:list[@name=%22%C3%A9t%C3%A9%22]/r:x/y?xmlns(r=urn:ietf:params:xml:ns:resource-lists)", "<y/>", EL,
         report("no-parent", "There is not exactly one parent: look at step 'r:x'.",
                "<ancestor>r:resource-lists/r:list%5B@name=%22%C3%A9t%C3%A9%22%5D?xmlns(r=urn:ietf:params:xml:ns:resource-lists)</ancestor>")),
        (HOME + "/none/~~/resource-lists/list", "<list/>", EL,
         report("no-parent", "The document does not exist.",
                "<ancestor>http://xcap.example.com/xcap-root/resource-lists/users/sip:alice@example.com/</ancestor>")),
        (ROOT + "/list[7]", "<list/>", EL, report("cannot-insert", "There is no place for a new element at this position.")),
        (INDEX, OPEN + "\n <list>\n  <entry/>\n </list></resource-lists>", TYPE,
         report("schema-validation-error", "line 3: element 'entry': The attribute 'uri' is required but missing.")),
        (INDEX, "<resource-lists/>", TYPE,
         report("schema-validation-error", "the document element must be 'resource-lists' of namespace "
                "urn:ietf:params:xml:ns:resource-lists, not 'resource-lists' of no namespace")),
        (INDEX, f"<!DOCTYPE a>{OPEN}</resource-lists>", TYPE,
         report("constraint-failure", "line 1, column 1: a document type declaration (DTD) is not accepted")),
    ]
    for path, body, content_type, wanted in exact:
        answer = server.put(path, body, content_type)
        conflict(server, answer, re.search(r"<([a-z0-9-]+) phrase", wanted).group(1), what=path)
        assert answer.text == wanted, f"{path}\n{answer.text}\n{wanted}"
    answer = server.delete(ROOT + "/list[1]")
    conflict(server, answer, "cannot-delete")
    assert answer.text == report("cannot-delete", "The URI would select another node afterwards."), answer.text
    services = '<rls-services xmlns="urn:ietf:params:xml:ns:rls-services"><service uri="{}"><list/></service></rls-services>'
    put = lambda user, uri: server.put(SERVICES.format(user), services.format(uri), "application/rls-services+xml", user=user)
    expect(put("alice", "sip:team@example.com"), 201)
    answer = conflict(server, put("bob", "sip:team@example.com"), "uniqueness-failure")
    assert answer.text == report("uniqueness-failure", "sip:team@example.com is in use by another document.",
                                 '<exists field="rls-services/service/@uri"><alt-value>sip:team-2@example.com</alt-value>'
                                 "<alt-value>sip:team-3@example.com</alt-value></exists>"), answer.text
    expect(server.put(INDEX, LISTS, "text/xml"), 415)
    expect(server.put(INDEX, LISTS, None), 415)
    assert expect(server.put(INDEX, LISTS, TYPE, "Content-Encoding: gzip"), 415)["Accept-Encoding"] == "identity"
    expect(server.put(ROOT + "/list[1]", "<list/>", ATT), 415)
    conflict(server, server.put(INDEX, LISTS, TYPE + "; charset=latin1"), "not-utf-8")
    expect(server.put(INDEX, "\ufeff" + LISTS, 'Application/Resource-Lists+XML; a=b; charset="utf-8"'), 200)
    expect(server.get(INDEX), 200, LISTS)
    known = set(re.findall(r'name="([a-z0-9-]+)"[^>]*substitutionGroup="error-element"', open(SCHEMA, encoding="utf-8").read()))
    assert server.reports == known - {"extension"}, known ^ server.reports


def methods(server):
    server.reset()
    for path, allow in ((INDEX, ALLOW_ALL), (ROOT + "/list[1]", ALLOW_ALL), (ROOT + "/list[1]/@name", ALLOW_ALL),
                        (ROOT + "/namespace::*", ALLOW_READ), (CAPS, ALLOW_READ), (HOME + "/none", ALLOW_ALL)):
        for user in ("alice", None):
            answer = expect(server.ask("OPTIONS", path, user=user), 200, "", path)
            assert answer["Allow"] == allow, (path, answer.fields)
        for method in ("POST", "PATCH", "TRACE", "BREW") + (("PUT", "DELETE") if allow == ALLOW_READ else ()):
            answer = expect(server.ask(method, path, "x" if method in ("POST", "PUT") else None, EL), 405, what=f"{method} {path}")
            assert answer["Allow"] == allow, (method, path, answer.fields)
    answer = expect(server.ask("OPTIONS", "/", options=("--request-target", "*")), 200)
    assert answer["Allow"] == ALLOW_ALL
    expect(server.ask("OPTIONS", "no-such-usage/users/sip:alice@example.com/index", user=None), 404)
    for path in (INDEX, ROOT + "/list[1]", ROOT + "/list[1]/@name", ROOT + "/namespace::*", CAPS, HOME + "/none", ROOT + "/none"):
        get, head = server.get(path), server.ask("HEAD", path)
        assert head.status == get.status, (path, head.status)
        same = ("Content-Type", "Content-Length", "ETag", "Last-Modified", "Cache-Control", "Vary", "Server")
        assert [head[name] for name in same] == [get[name] for name in same], (path, head.fields, get.fields)


def headers(server):
    tag = server.reset()
    answer = server.get(INDEX)
    assert answer["ETag"] == tag and answer["Last-Modified"].endswith(" GMT") and answer["Server"].startswith("xdms"), answer.fields
    assert answer["Cache-Control"] == "private, no-cache" and answer["Vary"] == "Accept, Accept-Encoding", answer.fields
    assert server.get(ROOT)["Vary"] == "Accept-Encoding"
    assert server.get(HOME + "/none")["Cache-Control"] == "no-store"
    expect(server.get(INDEX, f"If-Modified-Since: {answer['Last-Modified']}"), 304, "")
    expect(server.put(INDEX, LISTS, TYPE, "If-Unmodified-Since: Mon, 05 Jan 2026 10:00:00 GMT"), 412)
    wanted = (r" request method=PUT status=412 user=sip:alice@example\.com auid=resource-lists bytes=\d+ us=\d+ "
              r"peer=127\.0\.0\.1:\d+ target=/xcap-root/" + HOME + r"/logged\n")
    expect(server.put(HOME + "/logged", LISTS, TYPE, "If-Match: *"), 412)
    deadline = time.monotonic() + 60  # lines are written a little later
    while not re.search(wanted, server.log()):
        assert time.monotonic() < deadline, server.log()[-2000:]
        time.sleep(0.05)
    expect(server.put(INDEX, LISTS, TYPE, "Transfer-Encoding: chunked"), 200)
    expect(server.get(INDEX), 200, LISTS)
    expect(server.get(INDEX, "Range: bytes=0-9", "Accept: application/json"), 200, LISTS)
    # one connection for several requests, as curl sees it
    url = f"http://127.0.0.1:{server.port}/xcap-root/{CAPS}"
    done = subprocess.run(["curl", "-sSv", url, url, url], capture_output=True, text=True, timeout=60)
    assert done.stderr.count("Connected to") == 1 and done.stderr.count("HTTP/1.1 200") == 3, done.stderr


def compression(server):
    entries = "".join(f'<entry uri="sip:friend-{number}@example.com"/>' for number in range(400))
    document = OPEN + f'<list name="many">{entries}</list></resource-lists>'
    tag = server.reset(document)
    plain = server.get(INDEX)
    assert plain["Content-Encoding"] == "" and plain["ETag"] == tag
    for path, whole in ((INDEX, document), (ROOT, document), (ROOT + "/list", document[len(OPEN):-len("</resource-lists>")])):
        answer = server.get(path, "Accept-Encoding: gzip")
        assert answer["Content-Encoding"] == "gzip" and gzip.decompress(answer.body).decode() == whole, path
        assert len(answer.body) == int(answer["Content-Length"]) < len(whole) / 4
        assert answer["ETag"] == tag[:-1] + '-gz"', answer.fields
        head = server.ask("HEAD", path, None, None, "Accept-Encoding: gzip")
        assert head["Content-Length"] == answer["Content-Length"] and head["ETag"] == answer["ETag"]
    expect(server.get(INDEX, options=("--compressed",)), 200, document)
    coded = answer["ETag"]
    assert server.get(INDEX, "Accept-Encoding: gzip;q=0, *")["Content-Encoding"] == ""
    assert expect(server.get(INDEX, "Accept-Encoding: gzip", f"If-None-Match: {coded}"), 304, "")["ETag"] == coded
    assert expect(server.get(INDEX, "Accept-Encoding: gzip", f"If-None-Match: {tag}"), 304, "")["ETag"] == tag
    expect(server.get(INDEX, f"If-None-Match: {coded}"), 200, document)
    expect(server.get(ROOT + "/list/@name", "Accept-Encoding: gzip"), 200, '"many"')
    expect(server.put(ROOT + "/list/@name", '"more"', ATT, f"If-Match: {coded}"), 200)
    expect(server.put(ROOT + "/list/@name", '"most"', ATT, f"If-Match: {coded}"), 412)


def talk(port, request):
    """All that the server says until it closes: the last request asks for that."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request.encode())
        said = b""
        while True:
            more = connection.recv(65536)
            if not more:
                return said.decode()
            said += more


def expectation(server):
    """100 Continue comes when nothing cheap refuses the body."""
    server.reset()
    waits = ("-v", "-H", "Expect: 100-continue")

    def continued(path, content_type, *headers_, user="alice"):
        arguments = ["curl", "-sSg", "-X", "PUT", "--data-binary", LISTS, "--digest", "-u", f"{user}:{user}", *waits,
                     f"http://127.0.0.1:{server.port}/xcap-root/{path}", "-H", f"Content-Type: {content_type}"]
        for header in headers_:
            arguments += ["-H", header]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
        codes = [int(code) for code in re.findall(r"^< HTTP/1\.1 (\d+)", done.stderr, re.M)]
        codes = codes[codes.index(401) + 1:]  # before that: the request without a body that fetches the challenge
        return 100 in codes, codes[-1]

    assert continued(INDEX, TYPE) == (True, 200)
    assert continued(INDEX, "text/plain") == (False, 415)
    assert continued(INDEX, TYPE, user="bob") == (False, 403)
    assert continued("no-such/users/sip:alice@example.com/index", TYPE) == (False, 404)
    assert continued(CAPS, TYPE) == (False, 405)
    assert continued(HOME + "/none/~~/x/y", EL) == (False, 409)
    for head, code in (("Content-Length: 99999999", 413), ("X-A: b", 400)):
        host = "Host: h\r\n" if code == 413 else ""
        said = talk(server.port, f"PUT /xcap-root/{INDEX} HTTP/1.1\r\n{host}{head}\r\nExpect: 100-continue\r\n\r\n")
        assert said.startswith(f"HTTP/1.1 {code} ") and "100 Continue" not in said, said


def pipelining(server):
    def request(path, method="GET", last=False):
        return f"{method} {path} HTTP/1.1\r\nHost: h\r\n" + ("Connection: close\r\n\r\n" if last else "\r\n")

    caps = "/xcap-root/" + CAPS
    said = talk(server.port, request(caps) + request("/xcap-root/none/global/x") + request(caps + '/~~/xcap-caps/auids/auid[1]') +
                request(caps, last=True))
    assert re.findall(r"HTTP/1\.1 (\d+)", said) == ["200", "401", "200", "200"], said
    said = talk(server.port, request(caps, "HEAD") + request(caps, last=True))
    assert re.findall(r"HTTP/1\.1 (\d+)", said) == ["200", "200"] and said.count("<xcap-caps") == 1, said
    # a fragment is no part of a request: here it is part of a name
    assert talk(server.port, request(caps + "#x", last=True)).startswith("HTTP/1.1 404 ")
    assert talk(server.port, request("http://other.example.com" + caps, last=True)).startswith("HTTP/1.1 200 ")


def security(server):
    server.reset()
    for path in (INDEX, HOME + "/none", INDEX.replace("alice", "nobody"), "no-such/users/sip:alice@example.com/index"):
        answer = expect(server.get(path, user=None), 401)
        assert "Digest " in answer["WWW-Authenticate"]
    for header in ("X-3GPP-Asserted-Identity: sip:alice@example.com", 'X-3GPP-Intended-Identity: "sip:alice@example.com"',
                   "X-XCAP-Asserted-Identity: sip:alice@example.com", "P-Asserted-Identity: sip:alice@example.com"):
        expect(server.get(INDEX, header, user=None), 401)
        expect(server.get(INDEX, header, user="bob"), 403)
    for method in ("GET", "PUT", "DELETE"):
        body = (LISTS, TYPE) if method == "PUT" else (None, None)
        expect(server.ask(method, INDEX, *body, user="bob"), 403)
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    conflict(server, server.put(INDEX, f"{bomb}{OPEN}<list name='&b;'/></resource-lists>", TYPE),
             "constraint-failure", "DTD")
    conflict(server, server.put(INDEX, OPEN + "<list>" * 40 + "</list>" * 40 + "</resource-lists>", TYPE),
             "constraint-failure", "more than 32")
    deep = "<list>" * 300 + "</list>" * 300
    conflict(server, server.put(ROOT + "/list[1]", deep, EL), "constraint-failure", "more than 64")
    wide = OPEN + "<list>" + "<a/>" * 60000 + "</list></resource-lists>"
    conflict(server, server.put(INDEX, wide, TYPE), "constraint-failure", "more than 50000 elements")
    conflict(server, server.put(INDEX, OPEN + "<list>" + " " * 1040000 + "</list></resource-lists>", TYPE),
             "constraint-failure", "more than 1000000 bytes")
    many = " ".join(f'a{number}=""' for number in range(70))
    conflict(server, server.put(INDEX, f"{OPEN}<list {many}/></resource-lists>", TYPE),
             "constraint-failure", "more than 64 attributes")
    expect(server.put(INDEX, "x" * 1100000, TYPE), 413)
    expect(server.get(INDEX), 200, LISTS)
    expect(server.get(INDEX, "X-Long: " + "x" * 40000), 431)
    expect(server.get(INDEX + "?" + "x" * 40000), 414)


def concurrency(server):
    tag, answers = server.reset(), []

    def write(number):
        answers.append(server.put(ROOT + "/list[2]/@name", f'"writer {number}"', ATT, f"If-Match: {tag}").status)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(answers) == [200] + [412] * 7, answers


def leniency(server):
    server.reset()
    expect(server.get(INDEX + "/"), 200, LISTS)
    expect(server.get(INDEX + "/?xmlns(a=b)"), 200, LISTS)
    expect(server.get(ROOT + "/list[2]/@name/"), 200, "a b")
    expect(server.get(ROOT + "/list[1]/entry[3]/@uri"), 200, 'sip:"q"@example.com')
    expect(server.get(INDEX + "//"), 404)
    expect(server.get(ROOT + "/list[2]//"), 400)
    expect(server.put(INDEX + "/", LISTS, TYPE), 200)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    expect(server.put(ROOT + "/list[2]", declaration + '<list name="c"/>', EL), 200)
    expect(server.get(ROOT + "/list[2]"), 200, '<list name="c"/>')
    conflict(server, server.put(ROOT + "/list[2]", '<?xml version="1.0" encoding="latin1"?><list/>', EL), "not-xml-frag")
    conflict(server, server.put(ROOT + "/list[2]", declaration, EL), "not-xml-frag", "empty")
    for user in ("alice", None):
        expect(server.get("no-such/users/sip:alice@example.com/index", user=user), 404)
        expect(server.get(INDEX.replace("alice", "nobody"), user=user), 404)
        expect(server.put(INDEX.replace("alice", "nobody"), LISTS, TYPE, user=user), 404)
    expect(server.get(INDEX, user=None), 401)
    expect(server.get(INDEX.replace("alice", "bob")), 403)
    server.reset(OPEN + f"<list name='{'x' * 1500}'/></resource-lists>")
    assert server.get(INDEX, "Accept-Encoding: gzip")["Content-Encoding"] == ""
    server.reset()
    # and the limits, as they are set there
    expect(server.get(ROOT + "/a/b/c"), 414)
    expect(server.get(INDEX + "?" + "x" * 500), 414)
    conflict(server, server.put(INDEX, OPEN + "<list>" + "<a/>" * 20 + "</list></resource-lists>", TYPE),
             "constraint-failure", "more than 20 elements")
    conflict(server, server.put(ROOT + "/list[2]", "<list><list><list><list/></list></list></list>", EL),
             "constraint-failure", "more than 4 elements inside")
    conflict(server, server.put(INDEX, OPEN + "x" * 2000 + "</resource-lists>", TYPE),
             "constraint-failure", "more than 2000 bytes")
    conflict(server, server.put(ROOT + "/list[2]", '<list a="" b="" c="" d=""/>', EL),
             "constraint-failure", "more than 3 attributes")
    expect(server.put(INDEX, "x" * 5000, TYPE), 413)


STRICT = ("xcap.document-bytes-max=1000000",)
STRICT_TESTS = (uris, selectors, insertions, replacements_and_deletions, attributes, conditions, errors, methods, headers,
                compression, expectation, pipelining, security, concurrency)
LENIENT = ("xcap.trailing-slash=yes", "xcap.raw-attributes=yes", "xcap.element-declarations=yes", "xcap.absent-first=yes",
           "xcap.selector-steps-max=3", "xcap.target-bytes-max=400", "xcap.document-elements-max=20", "xcap.document-depth-max=4",
           "xcap.document-bytes-max=2000", "xcap.element-attributes-max=3", "http.body-bytes-max=4000",
           "http.gzip-bytes-min=0")


def main():
    scratch, servers = tempfile.mkdtemp(prefix="xdm-curl-"), []
    try:
        for name, options, tests in (("strict", STRICT, STRICT_TESTS), ("lenient", LENIENT, (leniency,))):
            server = Server(sys.argv[1], os.path.join(scratch, name), *options)
            server.reports = set()
            servers.append(server)
            for test in tests:
                test(server)
            server.program.stop()
            log = server.log()
            assert "ERROR: " not in log and "WARNING: ThreadSanitizer" not in log and "runtime error" not in log, log[-6000:]
            assert not re.search(r" ERROR | status=5\d\d ", log), re.findall(r".*(?: ERROR | status=5\d\d ).*", log)[:3]
    finally:
        for server in servers:
            server.program.kill()
        shutil.rmtree(scratch)
    print("good")


main()
