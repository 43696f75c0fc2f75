#!/usr/bin/env python3
"""One search in several domains: real daemons that list each other, one of which stops and comes back, and servers that are
down, silent, hostile or not to be trusted. What is found is merged, in order, each once, in pages; who is missing is named; and
each server says itself whose word it takes, and for what."""
import concurrent.futures
import http.server
import os
import re
import socket
import subprocess
import threading

import harness
from certificates import Certificate

TYPE = "application/vnd.oma.search+xml"
PROFILES = "org.openmobilealliance.user-profile"
TARGET = PROFILES + "/users/"
NAMES = {"example.com": {"alice": "Anna Bee", "bob": "Anna Dee"}, "example.org": {"carol": "Anna Cee", "dave": "Bert"},
         "example.net": {"erin": "Anna Aye", "eve": "Anna Aye"}}
ANNA = 'where starts-with($u/display-name, "Anna")'
ALICE, BOB, CAROL, ERIN, EVE = ("sip:alice@example.com", "sip:bob@example.com", "sip:carol@example.org", "sip:erin@example.net",
                                "sip:eve@example.net")
MANY = 9  # people of each of two servers, whose names take turns
CROWD = 31  # servers behind one URL; nine searches of so many are more than wait at once


class Hostile(http.server.BaseHTTPRequestHandler):
    """Answers 200 with what is no answer; counts what a redirect would lead here."""
    BODIES = {"long": b"<a>" + 9 * b"x" * (1 << 20), "tags": b"<a>" + 210000 * b"<b/>" + b"</a>", "text": b"no XML <<",
              "other": b"<a/>", "deep": 400 * b"<a>" + 400 * b"</a>"}
    BODIES["pages"] = (b'<search-set xmlns="urn:oma:xml:xdm:search"><search id="1"><response><p uri="sip:x@example.edu">'
                       b'<d/></p></response></search></search-set>')
    BODIES.update(dict.fromkeys(("huge", "same", "zero"), BODIES["pages"]))
    # a server that pages in another way, and servers that nobody could go on with
    LINKS = {"pages": '</x?page=2>; rel="next"', "huge": f'<?after={5000 * "x"}>; rel="next"', "same": '<?after=>; rel=next',
             "zero": '</x?target=y&after=a%00b>; rel="next"'}
    redirected = []

    def do_POST(self):
        name = self.path.split("/")[1]
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(307 if name == "moved" else 200)
        if name in self.LINKS:
            self.send_header("Link", self.LINKS[name])
        body = self.BODIES.get(name, b"")
        if name == "redirected":
            self.redirected.append(self.headers["X-XCAP-Asserted-Identity"])
        self.send_header("Location", "/redirected/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass # it has read enough

    def log_message(self, *_):
        pass


class Servers:
    def __init__(self, server):
        self.server, self.running, self.ports = server, {}, {}

    def start(self, name, *options, arguments=()):
        """The second time on the same port."""
        program = self.running[name] = harness.start_xdms(
            self.server.build, self.server.path(name), self.server.path(name + ".log"), *arguments, *harness.settings(*options),
            http=f"127.0.0.1:{self.ports.get(name, 0)}", environment={"http_proxy": "http://127.0.0.1:1"})
        self.ports[name] = program.addresses["http"][1]
        return program

    def stop(self, name):
        self.running.pop(name).stop()

    def close(self):
        for name in list(self.running):
            self.stop(name)

    def url(self, name, rest=""):
        return f"http://127.0.0.1:{self.ports[name]}/xcap-root/{rest}"

    def fill(self, name, domain, people=None):
        admin = "127.0.0.1:%d" % self.running[name].addresses["admin"][1]
        for user, shown in (people or NAMES[domain]).items():
            subprocess.run([os.path.join(self.server.build, "xdmctl"), "--admin", admin, "user", "add", user, user], check=True,
                           capture_output=True, timeout=60)
            uri = f"sip:{user}@{domain}"
            status, text = self.server.curl("PUT", self.url(name, f"{PROFILES}/users/{uri}/user-profile"), user,
                                            f'<up:user-profiles xmlns:up="urn:oma:xml:xdm:user-profile"><up:user-profile uri="{uri}">'
                                            f"<up:display-name>{shown}</up:display-name></up:user-profile></up:user-profiles>",
                                            "application/vnd.oma.user-profile+xml")
            assert status == 201, text

    def search(self, name, domain, rest=ANNA, most="", who=("--digest", "-u", "alice:alice"), made="{$u/@uri}{$u/display-name}"):
        """Status, what is found, who is missing."""
        return self.page(name, f"domain={domain}", rest, most, who, made)[:3]

    def page(self, name, where, rest=ANNA, most="", who=("--digest", "-u", "alice:alice"), made="{$u/@uri}{$u/display-name}"):
        """The same, and where it goes on."""
        body = (f'<search-set xmlns="urn:oma:xml:xdm:search"><search id="1"{most}><request><query><![CDATA[declare default element '
                f'namespace "urn:oma:xml:xdm:user-profile"; for $u in collection("{TARGET}")/user-profiles/user-profile {rest} '
                f"return <user-profile>{made}</user-profile>]]></query></request></search></search-set>")
        done = subprocess.run(["curl", "-sS", "-g", "--noproxy", "*", "-D", "-", *who, "-H", f"Content-Type: {TYPE}", "--data-binary",
                               body, self.url(name, f"org.openmobilealliance.search?target={TARGET}&{where}")],
                              capture_output=True, text=True, timeout=60, check=True)
        last = done.stdout[done.stdout.rindex("HTTP/1.1"):]
        missing = re.search("(?im)^x-xdm-search-missing: (.*)$", last)
        found = re.findall(' uri="([^"]*)"', last) or re.findall("display-name[^>]*>([^<]+)</", last)
        link = re.search('(?im)^link: <[?]target=[^&]*&(.*)>; rel="next"', last)
        return int(last.split()[1]), found, missing.group(1).strip() if missing else "", link.group(1) if link else ""

    def pages(self, name, where, rest, most):
        """Of all: what is found, who is missing."""
        pages = []
        while where:
            status, found, missing, where = self.page(name, where, rest, f' max-results="{most}"')
            assert status == 200 and len(found) <= most and len(pages) < 100, (status, found, missing)
            pages.append((found, missing))
        return pages


def asserted(*identities):
    return [word for identity in identities for word in ("-H", f'X-XCAP-Asserted-Identity: "{identity}"')]


def test(server):
    server.xdms.stop()
    servers = Servers(server)
    authority = Certificate(server.folder, "ca", is_authority=True)
    home, secure = (Certificate(server.folder, name, authority, ["IP:127.0.0.1", f"DNS:{name}.example"]) for name in ("home", "secure"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as hostile, \
            socket.create_server(("127.0.0.1", 0), backlog=512) as silent, socket.create_server(("127.0.0.1", 0)) as gone:
        dead = gone.getsockname()[1]
        gone.close()
        threading.Thread(target=hostile.serve_forever, daemon=True).start()
        try:
            tls = servers.start("secure", "identity.domain=example.net", f"tls.certificate={secure.crt}", f"tls.key={secure.key}",
                                f"tls.client-ca={authority.crt}", "tls.clients=optional", "search.peers=example.com=home.example",
                                arguments=("--https", "127.0.0.1:0")).addresses["https"][1]
            other = ["identity.domain=example.org", "search.peers=example.com=127.0.0.1, example.edu=192.0.2.0/24, "
                     "example.edu=xdm.example.edu"]
            servers.start("other", *other)
            listed = {"example.org": servers.url("other"), "twin.example": servers.url("other")[:-1], "example.net": f"https://127.0.0.1:"
                      f"{tls}/xcap-root", "dead.example": f"http://127.0.0.1:{dead}", "silent.example": "http://127.0.0.1:%d" %
                      silent.getsockname()[1]}
            listed.update({f"{name}.hostile": f"http://127.0.0.1:{hostile.server_port}/{name}" for name in [*Hostile.BODIES, "moved"] if name not in Hostile.LINKS})
            servers.start("home", "search.domains=" + ", ".join(f"{domain}={url}" for domain, url in listed.items()),
                          "search.domain-ms-max=2000", "search.peers=example.org=127.0.0.1", f"tls.certificate={home.crt}",
                          f"tls.key={home.key}", f"tls.server-ca={authority.crt}")
            for name, domain in (("home", "example.com"), ("other", "example.org"), ("secure", "example.net")):
                servers.fill(name, domain)
            check_merged(servers)
            check_missing(servers)
            check_secure(servers, tls)
            check_whose_word_is_taken(servers)
            check_pages(servers, other, hostile.server_port)
            check_one_stops(servers, [*other, f"search.domains=example.com={servers.url('home')}"])
            check_hops(servers)
            check_crowd(servers, silent.getsockname()[1])
            check_nobody_waits_along(servers)
        finally:
            servers.close()
            hostile.shutdown()
    log = open(server.path("home.log"), encoding="utf-8").read() # whole now that nobody writes it
    assert log.count("search of example.org ") == 4 and "search of example.org works again" in log, "told once, not for each search"
    check_settings(server)


def check_merged(servers):
    def search(*arguments, **more):
        return servers.search("home", *arguments, **more)
    assert search("home") == (200, [ALICE, BOB], "")
    assert search("example.org") == (200, [CAROL], "")
    assert search("example.com,Example.ORG") == (200, [ALICE, BOB, CAROL], "")
    assert search("home,example.org", ANNA + " order by $u/display-name") == (200, [ALICE, CAROL, BOB], "")
    assert search("home,example.org", ANNA + " order by $u/display-name descending", ' max-results="2"') == (200, [BOB, CAROL], "")
    assert search("example.org,home,example.org") == (200, [ALICE, BOB, CAROL], ""), "each server is asked once, the home first"
    assert search("twin.example,example.org") == (200, [CAROL], ""), "what two servers find is told once"
    assert search("unknown.example")[0] == 400
    assert search("all", "where matches($u, 'x')")[0] == 409, "nobody else is asked what is not understood here"


def check_pages(servers, options, hostile):
    """Each once, in order, however large the pages are; a server that was away goes on where it was."""
    for name, domain, first in (("home", "example.com", 0), ("other", "example.org", 1)):
        servers.fill(name, domain, {f"z{i:02d}": f"Zoe {i:02d}" for i in range(first, 2 * MANY, 2)})
    zoe = 'where starts-with($u/display-name, "Zoe") order by $u/display-name'
    whole = [f"sip:z{i:02d}@example.{'org' if i % 2 else 'com'}" for i in range(2 * MANY)]
    for domains in ("home,example.org", "twin.example,home,example.org"):
        for order, wanted in (("", whole), (" descending", whole[::-1])):
            for most in (1, 3, 5, 2 * MANY):
                pages = servers.pages("home", f"domain={domains}", zoe + order, most)
                assert [uri for found, _ in pages for uri in found] == wanted, (domains, most, pages)
                assert not any(missing for _, missing in pages), pages
    unordered = servers.pages("home", "domain=example.org,home", zoe.partition(" order")[0], 4)
    assert [uri for found, _ in unordered for uri in found] == whole[::2] + whole[1::2], unordered
    three = ' max-results="3"'
    _, found, _, where = servers.page("home", "domain=home,example.org", zoe, three)
    assert found == whole[:3] and where.startswith("places=home:2:"), where
    servers.stop("other")
    status, found, missing, where = servers.page("home", where, zoe, three)
    assert (status, found, missing) == (200, whole[4:5], "example.org (cannot be reached)"), (status, found, missing)
    servers.start("other", *options)
    pages = servers.pages("home", where, zoe, 3)
    assert [uri for found, _ in pages for uri in found] == [whole[3], *whole[5:]], pages
    long = "x" * 150 + ".example"
    servers.start("pager", "identity.trusted-peers=127.0.0.1", "search.domains=" + ",".join(
        f"{name}.hostile=http://127.0.0.1:{hostile}/{name}" for name in Hostile.LINKS))
    for name in Hostile.LINKS:
        alone = servers.page("pager", f"domain={name}.hostile", who=asserted(ALICE))
        assert alone == (200, ["sip:x@example.edu"], f"{name}.hostile (has more)", ""), alone
    servers.start("tight", "identity.trusted-peers=127.0.0.1", "xcap.target-bytes-max=256", f"search.domains={long}={servers.url('other')}")
    alone = servers.page("tight", "domain=all", zoe, ' max-results="1"', asserted(ALICE))
    assert alone == (200, whole[1:2], f"{long} (has more)", ""), (alone, "there is no room for its place")
    for wrong in ("places=", "places=home", "places=unknown.example:0:", "places=home:0:&domain=home", "places=home:0:&after=x",
                  "places=home:0:,HOME:1:", "domain=all&after=x"):
        assert servers.page("home", wrong, zoe)[0] == 400, wrong
    passed_on = ("-H", "X-XDM-Search-From: example.edu", "--digest", "-u", "alice:alice")
    assert servers.page("home", "places=example.org:0:", zoe, who=passed_on)[0] == 400, "a search makes one hop"


def check_missing(servers):
    status, found, missing = servers.search("home", "all")
    assert (status, found) == (200, [ALICE, BOB, CAROL, ERIN, EVE]), (status, found)
    assert missing == ("dead.example (cannot be reached), silent.example (no answer in time), long.hostile (answers too much), "
                       "tags.hostile (answers no search-set), text.hostile (answers no search-set), other.hostile (answers no "
                       "search-set), deep.hostile (answers no search-set), moved.hostile (answers 307)"), missing
    assert not Hostile.redirected, "nobody tells others where to send who asks"


def check_secure(servers, port):
    """Certificates of both sides; namesakes are as many as their server says."""
    namesakes = servers.search("home", "example.net", made="{$u/display-name}")
    assert namesakes == (200, ["Anna Aye", "Anna Aye"], ""), namesakes
    servers.start("doubter", "identity.trusted-peers=127.0.0.1", f"search.domains=example.net=https://127.0.0.1:{port}/xcap-root")
    refused = servers.search("doubter", "example.net", who=asserted(ALICE))
    assert refused == (200, [], "example.net (shows no good certificate)"), refused
    servers.stop("doubter")
    servers.start("doubter", "identity.trusted-peers=127.0.0.1", f"search.domains=example.net=https://127.0.0.1:{port}/xcap-root",
                  "tls.verify-servers=no")
    refused = servers.search("doubter", "example.net", who=asserted(ALICE))
    assert refused == (200, [], "example.net (answers 401)"), ("who shows no certificate says nothing", refused)
    servers.stop("doubter")


def check_hops(servers):
    """Home and the other list each other."""
    assert servers.search("home", "home,example.org") == (200, [ALICE, BOB, CAROL], "")
    assert servers.search("other", "all", who=("--digest", "-u", "carol:carol")) == (200, [CAROL, ALICE, BOB], "")
    passed_on = ("-H", "X-XDM-Search-From: example.edu", "--digest", "-u", "alice:alice")
    assert servers.search("home", "home", who=passed_on) == (200, [ALICE, BOB], "")
    for domain in ("all", "example.org"):
        assert servers.search("home", domain, who=passed_on)[0] == 400, "a search makes one hop"


def check_whose_word_is_taken(servers):
    def search(*identities):
        return servers.search("other", "home", who=asserted(*identities))[:2]
    assert search(ALICE) == (200, [CAROL])
    assert search(CAROL)[0] == 403, "nobody else speaks for users of a server"
    assert search("sip:boss@example.net")[0] == 403, "nor for users of other domains"
    assert search("sip:boss@example.edu")[0] == 403, "nor from elsewhere"
    assert search("tel:+15550100")[0] == 403, "a number is of no domain"
    assert search(ALICE, BOB)[0] == search(f"{ALICE}\", \"{BOB}")[0] == search("alice@@")[0] == 400
    home = f"{PROFILES}/users/{CAROL}/user-profile"
    for identity in (ALICE, CAROL):
        for method in ("GET", "PUT"):
            done = subprocess.run(["curl", "-sS", "-g", "--noproxy", "*", "-X", method, "-o", os.devnull, "-w", "%{http_code}",
                                   *asserted(identity), servers.url("other", home)], capture_output=True, text=True, timeout=60, check=True)
            assert done.stdout == "401", f"{method} by the word of a server that may search: {done.stdout}"
    hidden = ('<up:user-profiles xmlns:up="urn:oma:xml:xdm:user-profile"><up:user-profile uri="sip:dave@example.org"><up:display-name>'
              'Anna Zed</up:display-name><oxe:searchable xmlns:oxe="urn:oma:xml:xdm:extensions">false</oxe:searchable>'
              "</up:user-profile></up:user-profiles>")
    status, text = servers.server.curl("PUT", servers.url("other", f"{PROFILES}/users/sip:dave@example.org/user-profile"), "dave",
                                       hidden, "application/vnd.oma.user-profile+xml")
    assert status == 200, text
    assert search(ALICE) == (200, [CAROL]), "who is not to be found is not found from elsewhere either"


def check_one_stops(servers, options):
    """The connection to it is still open when it goes."""
    assert servers.search("home", "home,example.org,example.net") == (200, [ALICE, BOB, CAROL, ERIN, EVE], "")
    servers.stop("other")
    for _ in range(2):
        assert servers.search("home", "home,example.org,example.net") == \
            (200, [ALICE, BOB, ERIN, EVE], "example.org (cannot be reached)")
    assert servers.search("home", "example.org") == (200, [], "example.org (cannot be reached)")
    servers.start("other", *options)
    assert servers.search("home", "home,example.org,example.net") == (200, [ALICE, BOB, CAROL, ERIN, EVE], "")


def check_crowd(servers, silent):
    servers.start("crowd", "identity.trusted-peers=127.0.0.1", "search.domain-ms-max=5000", "search.domains=" + ",".join(
        f"s{i}.example=http://127.0.0.1:{silent}" for i in range(CROWD)))
    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        answers = list(pool.map(lambda _: servers.search("crowd", "all", who=asserted(ALICE)), range(9)))
    for status, found, missing in answers:
        assert status == 429 or (status == 200 and not found and missing.count("no answer in time") == CROWD), (status, missing)
    assert any(status == 429 for status, _, _ in answers) and any(status == 200 for status, _, _ in answers), answers
    assert servers.search("crowd", "home", who=asserted(ALICE)) == (200, [], "")


def check_nobody_waits_along(servers):
    """The only worker serves others while a search waits."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        servers.start("narrow", "identity.trusted-peers=127.0.0.1", "http.threads=1", "search.domain-ms-max=60000",
                      f"search.domains=example.org=http://127.0.0.1:{silent.getsockname()[1]}")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(servers.search, "narrow", "all", who=asserted(ALICE))
            connection, _ = silent.accept()
            with connection:
                for _ in range(3):
                    assert servers.search("narrow", "home", who=asserted(ALICE)) == (200, [], "")
                assert not waiting.done()
            assert waiting.result(timeout=60) == (200, [], "example.org (cannot be reached)")


def check_settings(server):
    for wrong, said in (("search.domains=example.org", "search.domains: 'example.org' is not DOMAIN=URL"),
                        ("search.domains=example.org=https://xdm.example.org/?a=", "search.domains: 'example.org=https"),
                        ("search.domains=example.org=https://me:pass@xdm.example.org/", "search.domains: 'example.org=https"),
                        ("search.domains=example.org=http://a,Example.ORG=http://b", "search.domains: 'Example.ORG=http://b'"),
                        ("search.peers=example.org", "search.peers: 'example.org' is not another DOMAIN=ADDRESS or DOMAIN=NAME"),
                        ("search.peers=example.org=192.0.2.300", "search.peers: 'example.org=192.0.2.300'"),
                        ("search.peers=example.com=192.0.2.1", "search.peers: 'example.com=192.0.2.1'")):
        refused = subprocess.run([os.path.join(server.build, "xdms"), "--data", server.path("wrong"), "--schemas", "schemas", "--set",
                                  wrong], capture_output=True, text=True, timeout=60, cwd=harness.SOURCE, check=False)
        assert refused.returncode == 1 and said in refused.stderr, refused.stderr


if __name__ == "__main__":
    harness.main(test)
