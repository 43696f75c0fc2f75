#!/usr/bin/env python3
"""The search service of the real daemon: people and groups are found as far as the asker may know of them, pages follow one
another, what the query language does not have is refused with its place, and limits end in an answer."""
import concurrent.futures
import html
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as tree

import harness

TYPE = "application/vnd.oma.search+xml"
PROFILES = "org.openmobilealliance.user-profile"
GROUPS = "org.openmobilealliance.groups"
LISTS = "resource-lists"
KNOWN = "org.openmobilealliance.group-usage-list"
PROFILE_TYPE = "application/vnd.oma.user-profile+xml"
SEARCH = "{urn:oma:xml:xdm:search}"
PEOPLE = 30
LONG = 320  # documents of one user, more than three times of what one request may read


def profile(user, name, extra=""):
    return (f'<user-profiles xmlns="urn:oma:xml:xdm:user-profile"><user-profile uri="sip:{user}@example.com">'
            f"<display-name>{name}</display-name>{extra}</user-profile></user-profiles>")


def group(name, title, members, searchable):
    entries = "".join(f'<entry uri="sip:{one}@example.com"/>' for one in members)
    return (f'<group xmlns="urn:oma:xml:poc:list-service" xmlns:oxe="urn:oma:xml:xdm:extensions"><list-service '
            f'uri="sip:{name}@example.com"><display-name>{title}</display-name><list>{entries}</list>'
            f"<oxe:searchable>{searchable}</oxe:searchable></list-service></group>")


class Searcher:
    def __init__(self, server):
        self.server = server

    def post(self, user, target, query, most=None, after=None, headers=()):
        attribute = f' max-results="{most}"' if most else ""
        body = (f'<?xml version="1.0"?><search-set xmlns="urn:oma:xml:xdm:search"><search id="q"{attribute}><request>'
                f"<query><![CDATA[{query}]]></query></request></search></search-set>")
        url = (f"http://127.0.0.1:{self.server.ports['http']}/xcap-root/org.openmobilealliance.search?target={target}"
               + (f"&after={after}" if after else ""))
        status, text = self.server.curl("POST", url, user, body, TYPE, [*headers])
        return status, html.unescape(text) if status == 409 else text

    def find(self, user, target, rest, most=None, after=None):
        """Attributes and texts of what is found."""
        path = {PROFILES: "user-profiles/user-profile", GROUPS: "group/list-service", LISTS: "resource-lists/list"}
        status, text = self.post(user, target, f'for $x in collection("{target}")/{path[target.split("/")[0]]} {rest}', most,
                                 after)
        assert status == 200, f"{rest}: {status} {text}"
        root = tree.fromstring(text)
        assert root.tag == SEARCH + "search-set" and root[0].get("id") == "q" and root[0][0].tag == SEARCH + "response"
        return [{**one.attrib, **{child.tag.rpartition("}")[2]: child.text for child in one}} for one in root[0][0]]


def fill(server):
    for i in range(PEOPLE):
        server.ctl("user", "add", f"p{i:02}", f"p{i:02}")
    people = [(f"p{i:02}", profile(f"p{i:02}", f"{'Anna' if i % 3 else 'Bert'} Müller {i:02}",
                                   f"<address><locality>{'Berlin' if i % 2 else 'Paris'}</locality></address>"))
              for i in range(PEOPLE)]
    people.append(("carol", profile("carol", "Anna Hidden", '<oxe:searchable xmlns:oxe="urn:oma:xml:xdm:extensions">false'
                                    "</oxe:searchable>")))
    for user, document in people:
        status, text = server.curl("PUT", server.url(PROFILES, user, "user-profile"), user, document, PROFILE_TYPE)
        assert status == 201, text
    for owner, name, title, members, searchable in [
            ("alice", "hikers", "Sunday Hikers", ["alice", "bob"], "true"), ("alice", "secret", "Secret Hikers", ["bob"], "false"),
            ("bob", "bikers", "Bikers", ["bob", "carol"], "true")]:
        status, text = server.curl("PUT", server.url(GROUPS, owner, name), owner, group(name, title, members, searchable),
                                   "application/vnd.oma.poc.groups+xml")
        assert status == 201, text
    lists = ('<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="friends"><entry '
             'uri="sip:{}@example.com"><display-name>{}</display-name></entry></list></resource-lists>')
    for user, friend in (("alice", "bob"), ("bob", "carol")):
        server.curl("PUT", server.url(LISTS, user, "index"), user, lists.format(friend, friend.title()),
                    "application/resource-lists+xml")


def check_people(searcher):
    users = PROFILES + "/users/"
    found = searcher.find("alice", users, 'where contains(lower-case($x/display-name), "müller 0") '
                          "return <user-profile>{$x/@uri}{$x/display-name}</user-profile>")
    assert [one["uri"] for one in found] == [f"sip:p{i:02}@example.com" for i in range(10)], found
    assert found[0]["display-name"] == "Bert Müller 00"
    found = searcher.find("alice", users, 'where $x/display-name = "Anna Hidden" return <r>{$x/@uri}</r>')
    assert found == [], "who does not want to be found"
    found = searcher.find("alice", users, 'where starts-with($x/display-name, "Anna") and $x/address/locality = "Berlin" '
                          "order by $x/display-name descending return <r>{$x/@uri}</r>")
    assert [one["uri"] for one in found] == [f"sip:p{i:02}@example.com" for i in range(PEOPLE - 1, 0, -1) if i % 2 and i % 3]
    one = searcher.find("alice", PROFILES + "/users/sip:p07@example.com/", "return <r>{$x/display-name}</r>")
    assert one == [{"display-name": "Anna Müller 07"}], one


def check_groups(searcher):
    users = GROUPS + "/users/"
    found = searcher.find("carol", users, 'where contains($x/display-name, "ikers") return <g>{$x/@uri}</g>')
    assert sorted(one["uri"] for one in found) == ["sip:bikers@example.com", "sip:hikers@example.com"], found
    status, text = searcher.post("carol", users, f'for $x in collection("{users}")/group/list-service where '
                                 '$x/ruleset = "x" return <g/>')
    assert status == 409 and "'ruleset' cannot be asked for here; these can: @uri, display-name" in text, text
    found = searcher.find("alice", users, 'where $x/list/entry/@uri = "sip:bob@example.com" return <g>{$x/@uri}</g>')
    assert [one["uri"] for one in found] == ["sip:hikers@example.com"], f"members are known to the owner alone: {found}"
    found = searcher.find("carol", users, "return <g>{$x/@uri}{$x/list}</g>")
    assert found == [], found


def check_own(searcher):
    users = LISTS + "/users/"
    found = searcher.find("alice", users, "return <l>{$x/@name}{$x/entry/@uri}</l>")
    assert found == [{"name": "friends", "uri": "sip:bob@example.com"}], found
    query = f'for $x in collection("{LISTS}/users/sip:bob@example.com/")/resource-lists/list return <l>{{$x/@name}}</l>'
    assert searcher.post("alice", LISTS + "/users/sip:bob@example.com/", query)[0] == 403
    assert searcher.post(None, users, query)[0] == 401


def check_pages(searcher, server):
    users = PROFILES + "/users/"
    for order in ("", "order by $x/address/locality, $x/display-name descending "):
        query = f'for $x in collection("{users}")/user-profiles/user-profile {order}return <r>{{$x/@uri}}</r>'
        whole = re.findall('uri="([^"]*)', searcher.post("alice", users, query)[1])
        pages, after = [], None
        while after != "":
            status, text = searcher.post("alice", users, query, 7, after, ["Accept: */*"])
            url = (f"http://127.0.0.1:{server.ports['http']}/xcap-root/org.openmobilealliance.search")
            status, head = link_of(server, url, users, query, 7, after)
            assert status == 200, (status, after)
            page = re.findall('uri="([^"]*)', text)
            assert len(page) == 7 or not head, (page, head)
            pages += page
            after = re.search("after=([^&>]*)", head).group(1) if head else ""
        assert pages == whole and len(whole) == PEOPLE, (pages, whole)


def link_of(server, url, target, query, most, after):
    """Status and Link of one page."""
    body = (f'<search-set xmlns="urn:oma:xml:xdm:search"><search id="q" max-results="{most}"><request><query><![CDATA[{query}]]>'
            "</query></request></search></search-set>")
    done = subprocess.run(["curl", "-sS", "-g", "-o", "/dev/null", "-D", "-", "--digest", "-u", "alice:alice", "-H",
                           f"Content-Type: {TYPE}", "--data-binary", body, f"{url}?target={target}" +
                           (f"&after={after}" if after else "")], capture_output=True, text=True, timeout=60, check=True)
    last = done.stdout.strip().split("\n\n")[-1]
    link = re.search("(?im)^link: (.*)$", last)
    return int(last.split()[1]), link.group(1).strip() if link else ""


def check_header(server):
    """Admins see whether an index helped and what was read, also of what is refused; nobody else does."""
    server.ctl("user", "add", "chief", "chief")
    server.ctl("user", "role", "chief", "auditor")
    users = PROFILES + "/users/"

    def told(user, rest):
        query = f'for $x in collection("{users}")/user-profiles/user-profile {rest} return <r>{{$x/@uri}}</r>'
        body = (f'<search-set xmlns="urn:oma:xml:xdm:search"><search id="q"><request><query><![CDATA[{query}]]></query></request></search>'
                "</search-set>")
        done = subprocess.run(["curl", "-sS", "-g", "-o", os.devnull, "-D", "-", "--digest", "-u", f"{user}:{user}", "-H",
                               f"Content-Type: {TYPE}", "--data-binary", body, f"http://127.0.0.1:{server.ports['http']}/xcap-root/"
                               f"org.openmobilealliance.search?target={users}"], capture_output=True, text=True, timeout=60, check=True)
        return re.findall("(?im)^x-xdm-search: (.*?)\r?$", done.stdout)

    assert told("chief", 'where $x/display-name = "Anna Müller 07"') == ["indexed; documents=1"]
    assert told("chief", 'where $x/display-name != ""') == [f"not-indexed; documents={PEOPLE + 1}"]
    assert told("alice", 'where $x/display-name != ""') == []


def check_refusals(searcher, server):
    users = PROFILES + "/users/"
    for query, place in [('for $x in collection("%s")/user-profiles/user-profile\nwhere matches($x/@uri, "a") return <r/>' % users,
                          "query, line 2, column 7: the function 'matches' is not known here"),
                         ('for $x in collection("other/users/")/a return <r/>', "query, line 1, column 22: the collection must be"),
                         ('for $x in collection("%s")/user-profiles return <r/>' % users, "what is found here is /user-profiles")]:
        status, text = searcher.post("alice", users, query)
        assert status == 409 and "<constraint-failure" in text and place in text, text
    for target, expected in (("unknown/users/", 404), ("org.openmobilealliance.pres-rules/users/", 404), (PROFILES, 400),
                             (PROFILES + "/global/", 404)):
        status, text = searcher.post("alice", target, f'for $x in collection("{target}")/a return <r/>')
        assert status == expected, (target, status, text)
    url = f"http://127.0.0.1:{server.ports['http']}/xcap-root/org.openmobilealliance.search"
    assert server.curl("GET", url, "alice")[0] == 405
    assert server.curl("POST", url + "?target=" + users, "alice", "<x/>", "text/xml")[0] == 415
    status, text = server.curl("POST", url + "?target=" + users, "alice", "<x/>", TYPE)
    assert status == 409 and "schema-validation-error" in text, text
    status, text = server.curl("POST", url, "alice", "<x/>", TYPE)
    assert status == 400 and "target" in text, text


def check_limits(searcher, server):
    """Long searches of many at once neither stop others nor are lost."""
    users = PROFILES + "/users/"
    query = f'for $x in collection("{users}")/user-profiles/user-profile where $x/display-name != "" return <r>{{$x/@uri}}</r>'
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(searcher.post, "alice", users, query) for _ in range(24)]
        assert server.curl("GET", server.url(PROFILES, "p00", "user-profile"), "alice")[0] == 200
        assert all(answer.result()[0] == 200 and answer.result()[1].count("uri=") == PEOPLE for answer in answers)


NESTED = """<group xmlns="urn:oma:xml:poc:list-service"><list-service uri="sip:{}@example.com"><list>{}</list></list-service>
</group>"""


def check_memberships(server):
    """Himself, through a list, through a group inside, and through both; also in a group of too many words for an index."""
    wordy = '<list-service uri="sip:wordy@example.com"><display-name>' + "wordy" * 1400 + "</display-name>"
    status, text = server.curl("PUT", server.url(GROUPS, "alice", "wordy"), "alice", NESTED.format(
        "wordy", '<entry uri="sip:bob@example.com"/>').replace('<list-service uri="sip:wordy@example.com">', wordy),
                               "application/vnd.oma.poc.groups+xml")
    assert status == 201, text
    anchor = f"http://127.0.0.1:{server.ports['http']}/xcap-root/resource-lists/users/sip:alice@example.com/index/~~/resource-lists"
    for name, members in [("outer", '<entry uri="sip:bikers@example.com"/>'), ("outest", '<entry uri="sip:outer@example.com"/>'),
                          ("listed", f'<external anchor="{anchor}"/>'), ("above", '<entry uri="sip:listed@example.com"/>')]:
        status, text = server.curl("PUT", server.url(GROUPS, "alice", name), "alice", NESTED.format(name, members),
                                   "application/vnd.oma.poc.groups+xml")
        assert status == 201, text
    lines = server.ctl("user", "groups", "bob").splitlines()
    found = {line.split()[0][4:].split("@")[0]: line.partition("through ")[2] for line in lines}
    assert found == {"hikers": "", "secret": "", "bikers": "", "wordy": "", "listed": "external list", "outer": "sip:bikers@example.com",
                     "outest": "sip:outer@example.com", "above": "sip:listed@example.com"}, found
    assert server.ctl("user", "groups", "dave") == ""
    refused = server.run_ctl("user", "groups", "nobody")
    assert refused.returncode == 1 and "no such user, and no group with that address" in refused.stderr, refused


def check_memberships_by_lists(server):
    """Whoever gets what is sent to a group is in it: the lists behind its lists are followed in the same way and as far."""
    root = f"http://127.0.0.1:{server.ports['http']}/xcap-root/"

    def external(path):
        return f'<external anchor="{root}{path}"/>'

    def named(name, user="alice", document="walk", usage=LISTS):
        return f"{usage}/users/sip:{user}@example.com/{document}/~~/resource-lists/list%5b@name=%22{name}%22%5d"

    def put(usage, user, name, body, kind):
        status, text = server.curl("PUT", server.url(usage, user, name), user, body, kind)
        assert status in (200, 201), text

    def put_lists(user, name, lists, usage=LISTS, kind="application/resource-lists+xml"):
        body = "".join(f'<list name="{key}">{content}</list>' for key, content in lists.items())
        put(usage, user, name, f'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">{body}</resource-lists>', kind)

    gina = '<entry uri="sip:gina@example.com"/>'
    put_lists("alice", "walk", {"here": gina, "loop": external(named("loop")) + external(named("here")),
                                "one": f'<entry-ref ref="{named("here")}/entry"/>', "1": external(named("2")),
                                "2": external(named("3")), "3": external(named("4")), "4": gina})
    put_lists("carol", "walk", {"hers": gina})
    put_lists("alice", "index", {"known": '<entry uri="sip:w-looped@example.com"/>'}, usage=KNOWN,
              kind="application/vnd.oma.group-usage-list+xml")
    for name, path in [("looped", named("loop")), ("referred", named("one")), ("deepest", named("2")), ("deeper", named("1")),
                       ("foreign", named("hers", "carol")), ("known", named("known", document="index", usage=KNOWN))]:
        put(GROUPS, "alice", "w-" + name, NESTED.format("w-" + name, external(path)), "application/vnd.oma.poc.groups+xml")
    lines = server.ctl("user", "groups", "sip:gina@example.com").splitlines()
    found = {line.split()[0][4:].split("@")[0]: line.partition("through ")[2] for line in lines}
    assert found == dict.fromkeys(["w-looped", "w-referred", "w-deepest", "w-known"], "external list"), found


def check_admin(server):
    assert server.ctl("find", "people", "anna", "MÜLLER", "07").split() == ["sip:p07@example.com", "Anna", "Müller", "07"]
    assert server.ctl("find", "people", "hidden").split()[0] == "sip:carol@example.com", "admins find everybody"
    assert len(server.ctl("find", "groups", "hikers").splitlines()) == 2
    nothing = server.run_ctl("find", "groups", "climbers")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (4, "", "xdmctl: nothing was found\n"), nothing
    found = server.ctl("find", "--target", LISTS + "/users/", f'for $l in collection("{LISTS}/users/")/resource-lists/list where '
                       '$l/entry/display-name = "Carol" return <list>{$l/@name}</list>')
    assert found == '<list xmlns="urn:ietf:params:xml:ns:resource-lists" name="friends"></list>\n', found
    assert re.fullmatch(r"indexes built: \d+ documents, \d+ entries\n", server.ctl("reindex"))
    assert server.ctl("reindex", PROFILES).startswith(f"indexes built: {PEOPLE + 1} documents, ")
    server.ctl("check", "--schemas", "schemas", "--data", server.path("data"))


def check_limited_pages(server):
    """A limit in the midst of a search loses nothing: what was found before it is a page, and where nothing was, the error says
    where it goes on."""
    lines = server.path("lists.jsonl")
    with open(lines, "w", encoding="utf-8") as file:
        for i in range(LONG):
            text = f'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="n{i:03}"/></resource-lists>'
            print(json.dumps({"document": f"{LISTS}/users/sip:dave@example.com/d{i:03}", "body": text}), file=file)
    server.ctl("import", lines)
    server.xdms.stop()
    server.xdms = harness.start_xdms(server.build, server.path("data"), server.path("xdms3.log"), "--set", "search.documents-max=100")
    for name, (_, port) in server.xdms.addresses.items():
        server.ports[name] = port
    users, found, answers, after = LISTS + "/users/", [], [], ""
    query = f'for $x in collection("{users}")/resource-lists/list where starts-with($x/@name, "n0") or $x/@name > "n2" return <r>{{$x/@name}}</r>'
    body = (f'<search-set xmlns="urn:oma:xml:xdm:search"><search id="q"><request><query><![CDATA[{query}]]></query></request></search>'
            "</search-set>")
    while after is not None:
        done = subprocess.run(["curl", "-sS", "-g", "-i", "--digest", "-u", "dave:dave", "-H", f"Content-Type: {TYPE}", "--data-binary",
                               body, f"http://127.0.0.1:{server.ports['http']}/xcap-root/org.openmobilealliance.search?target={users}"
                               f"&after={after}"], capture_output=True, text=True, timeout=60, check=True).stdout
        last = done[done.rindex("HTTP/1.1"):]
        link = re.search("(?im)^link: .*after=([^&>]*)>", last)
        after = link.group(1) if link else None
        answers.append(int(last.split()[1]))
        found += re.findall('name="(n[0-9]+)', last)
    assert found == [f"n{i:03}" for i in range(LONG) if i < 100 or i >= 200], (answers, found)
    assert answers == [200, 409, 200, 200], answers


def check_new_index(server):
    """A manifest with another index: searches find all before it is built, and after, while documents change."""
    schemas = server.path("schemas")
    shutil.copytree(os.path.join(harness.SOURCE, "schemas"), schemas)
    manifest = os.path.join(schemas, PROFILES, "manifest.xml")
    text = open(manifest, encoding="utf-8").read()
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(text.replace('<field path="up:gender"/>', '<field path="up:gender" index="value"/>'))
    server.xdms.stop()
    server.xdms = harness.start_xdms(server.build, server.path("data"), server.path("xdms2.log"), schemas=schemas)
    for name, (_, port) in server.xdms.addresses.items():
        server.ports[name] = port
    log = open(server.path("xdms2.log"), encoding="utf-8").read()
    assert "until xdmctl reindex has run" in log, log
    before = server.ctl("find", "people", "anna")
    assert server.ctl("reindex", PROFILES).startswith(f"indexes built: {PEOPLE + 1} documents, ")
    assert server.ctl("find", "people", "anna") == before and len(before.splitlines()) == 21
    server.ctl("check", "--schemas", schemas, "--data", server.path("data"))


def test(server):
    fill(server)
    searcher = Searcher(server)
    check_people(searcher)
    check_groups(searcher)
    check_own(searcher)
    check_pages(searcher, server)
    check_header(server)
    check_refusals(searcher, server)
    check_limits(searcher, server)
    check_memberships(server)
    check_memberships_by_lists(server)
    check_admin(server)
    check_limited_pages(server)
    check_new_index(server)


if __name__ == "__main__":
    harness.main(test)
