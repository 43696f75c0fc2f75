#!/usr/bin/env python3
"""The page of the admin port in Chromium: found by its address alone, used with the keyboard, safe against names that would be
markup or script, and closed to other pages, to strangers, and without the token."""
import contextlib
import http.client
import json
import os
import threading
import http.server

import harness
from webdriver import Chromium, Page

PROFILES = "org.openmobilealliance.user-profile"
TAB, ENTER, SPACE, RIGHT = "\ue004", "\ue007", " ", "\ue014"
HOSTILE = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>"\'&'
ESCAPED = HOSTILE.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
TOKEN = "let-me-in"
# what a namespace of its own brings into a document that browsers would take for XHTML
SCRIPTED = ('<x:script xmlns:x="http://www.w3.org/1999/xhtml">document.documentElement.setAttribute("harmed", 1)</x:script>')


def request(port, method, path, headers=(), body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()


def fill(system):
    system.ctl("user", "alias", "add", "alice", "tel:+15550100")
    system.ctl("user", "role", "alice", "operator")
    system.ctl("user", "add", "--display-name", HOSTILE, "mallory", "mallory")
    for user, name in (("alice", "Alice Archer"), ("bob", "Bob Archer"), ("mallory", ESCAPED + " Archer")):
        put(system, PROFILES, user, "user-profile", "application/vnd.oma.user-profile+xml",
            f'<user-profiles xmlns="urn:oma:xml:xdm:user-profile"><user-profile uri="sip:{user}@example.com">'
            f"<display-name>{name}</display-name></user-profile></user-profiles>")
    team = harness.group_xml("sip:team@example.com", ["alice", "bob", "dave"])
    put(system, harness.GROUPS, "alice", "team", "application/vnd.oma.poc.groups+xml", team)
    trap = harness.group_xml("sip:trap@example.com", ["mallory"]).replace("The team", ESCAPED)
    trap = trap.replace("</list-service>", SCRIPTED + "</list-service>")
    put(system, harness.GROUPS, "mallory", "trap", "application/vnd.oma.poc.groups+xml", trap)
    for _ in range(2):
        system.sipp("send.xml", "-s", "alice", "-ap", "alice", "-key", "target", "team", "-key", "body", "hello")


def put(system, usage, user, name, kind, body):
    status, text = system.curl("PUT", system.url(usage, user, name), user, body, kind)
    assert status == 201, text


def check_headers(port):
    status, headers, text = request(port, "GET", "/")
    policy = headers["Content-Security-Policy"]
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8", headers
    assert "default-src 'none'; script-src 'self';" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff" and "<script>" not in text and " style=" not in text
    assert request(port, "POST", "/")[0] == 405 and request(port, "GET", "/page/admin.html")[0] == 404
    for path in ("/api/v1/groups/sip:trap@example.com", "/api/v1/documents/" + harness.GROUPS +
                 "%2Fusers%2Fsip:mallory@example.com%2Ftrap"):
        status, headers, text = request(port, "GET", path)
        assert status == 200 and SCRIPTED in text and headers["Content-Security-Policy"].endswith("sandbox"), (status, headers)


def check_other_pages(port):
    """Without a token the page itself may ask, at the address it was opened at, and no other page."""
    def asks(**headers):
        return request(port, "POST", "/api/v1/reindex", {name.replace("_", "-"): value for name, value in headers.items()}, "{}")[0]
    assert asks(Origin=f"http://127.0.0.1:{port}", Sec_Fetch_Site="same-origin") == 200
    assert asks(Origin=f"http://localhost:{port}", Host=f"localhost:{port}") == 200
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": f"http://localhost:{port}"},
                    {"Origin": f"http://127.0.0.1:{port + 1}"}, {"Origin": f"https://127.0.0.1:{port}"},
                    {"Origin": f"http://evil.example:{port}", "Host": f"evil.example:{port}"}, {"Sec_Fetch_Site": "cross-site"},
                    {"Sec_Fetch_Site": "same-site"}):
        assert asks(**headers) == 403, headers
    assert request(port, "GET", "/", {"Host": f"evil.example:{port}"})[0] == 403


def check_documents(port):
    """What a user has, by pages; of whom there is nothing is misspelt."""
    status, _, text = request(port, "GET", "/api/v1/users/alice/documents?limit=1")
    first = json.loads(text)
    assert status == 200 and [one["document"] for one in first["documents"]] == [harness.GROUPS + "/users/sip:alice@example.com/team"]
    status, _, text = request(port, "GET", "/api/v1/users/tel:+15550100/documents?after=" + first["next"])
    second = json.loads(text)
    assert [one["document"] for one in second["documents"]] == [PROFILES + "/users/sip:alice@example.com/user-profile"], second
    assert "next" not in second and second["documents"][0]["bytes"] > 100
    for path, expected in (("users/nobody/documents", 404), ("users/dave/documents", 200), ("users/alice/documents?after=x", 400),
                           ("users/alice/documents?after=unknown/x", 400), ("documents/nonsense", 404),
                           ("documents/unknown%2Fusers%2Fsip:alice@example.com%2Fx", 404),
                           (f"documents/{harness.GROUPS}%2Fusers%2Fsip:alice@example.com%2Fnone", 404),
                           (f"documents/{harness.GROUPS}%2Fusers%2Fsip:alice@example.com%2Fteam%2F~~%2Fgroup", 400),
                           (f"documents/{PROFILES}%2Fusers%2Ftel:+15550100%2Fuser-profile", 200)):
        assert request(port, "GET", "/api/v1/" + path)[0] == expected, path


def settled(page):
    page.wait_for("#status", [""])
    assert page.run("return window.harmed === undefined"), "a name ran as script"
    assert not page.texts("#main img, #main script"), "a name became markup"


def find(page, words, among):
    page.fill("#words", words)
    page.click(f"#search [value={among}]")
    page.click("#search button")
    page.wait_for("h1", [f"{among.capitalize()}: {words}"])
    settled(page)


def rows(page, section):
    return page.run("""return [...document.querySelectorAll('section')].filter(one => one.getAttribute('aria-label') === arguments[0])
        .flatMap(one => [...one.querySelectorAll('tbody tr')]).map(row => [...row.cells].map(cell => cell.textContent))""", section)


def check_search(page):
    find(page, "archer", "people")
    found = rows(page, "Profiles with these words in their name")
    assert found == [[HOSTILE + " Archer", "sip:mallory@example.com"], ["Alice Archer", "sip:alice@example.com"],
                     ["Bob Archer", "sip:bob@example.com"]], found
    find(page, "ali", "people")
    assert [row[0] for row in rows(page, "Accounts of this name")] == ["sip:alice@example.com"]
    find(page, "tel:+15550100", "people")
    assert [row[0] for row in rows(page, "Accounts of this name")] == ["sip:alice@example.com"]
    find(page, '"&<b>', "people")
    assert not rows(page, "Profiles with these words in their name")
    for words, count in (("bob", 2), ("nobody", 0)):
        find(page, words, "messages")
        assert len(rows(page, "What became of them")) == count
    assert page.texts("section p") == ["There is no such user, and no message of that address."]
    find(page, "img", "groups")
    assert rows(page, "Groups with these words in their name") == [[HOSTILE, "sip:trap@example.com"]]


def check_user(page, base):
    page.go(base + "#view=user&name=alice")
    page.wait_for("h1", ["alice"])
    settled(page)
    assert "tel:+15550100" in page.texts("section[aria-label=Account] dd") and "operator" in page.texts("section[aria-label=Account] dd")
    assert rows(page, "Groups") == [["sip:team@example.com", "sip:alice@example.com", ""]], rows(page, "Groups")
    assert [row[0] for row in rows(page, "Documents")] == [f"{harness.GROUPS}/users/sip:alice@example.com/team",
                                                          f"{PROFILES}/users/sip:alice@example.com/user-profile"]
    messages = rows(page, "Newest messages")
    assert {row[1] for row in messages} == {"sip:bob@example.com", "sip:dave@example.com"} and "stored" in messages[0][4], messages
    page.go(base + "#view=user&name=nobody")
    page.wait_for("h1", ["nobody"])
    settled(page)
    assert "There is no such user." in page.texts("section[aria-label=Account] p"), page.texts("section p")


def check_waiting(page, base):
    page.go(base)
    page.wait_for("h1", ["What waits"])
    settled(page)
    shown = rows(page, "Messages for users who are away, or not to be reached")
    assert len(shown) == 4 and shown[0][1] == "sip:alice@example.com", shown
    page.click("tbody a[href*='view=message']")
    page.wait_for("h1", [f"Message {shown[0][6]}"])
    settled(page)
    assert len(rows(page, "What became of it")) == 2
    find(page, shown[0][6], "messages")
    assert len(rows(page, "What became of them")) == 2


def check_hostile(page, base):
    page.go(base + "#view=group&uri=sip:trap@example.com")
    page.wait_for("h1", ["sip:trap@example.com"])
    settled(page)
    assert rows(page, "Members") == [["sip:mallory@example.com", ""]]
    assert SCRIPTED in page.texts("section[aria-label=Document] pre")[0]
    page.go(base + "#view=document&path=" + f"{harness.GROUPS}/users/sip:mallory@example.com/trap")
    page.wait_for("h1", [f"{harness.GROUPS}/users/sip:mallory@example.com/trap"])
    settled(page)
    assert ESCAPED in page.texts("pre")[0]
    page.go(base + "#view=user&name=%3Cimg%20src%3Dx%20onerror%3D%22window.harmed%3D1%22%3E")
    page.wait_for("h1", ['<img src=x onerror="window.harmed=1">'])
    settled(page)
    page.go(base + "api/v1/groups/sip:trap@example.com")
    assert page.run("return document.documentElement.getAttribute('harmed')") is None, "a document ran as a page of ours"
    page.go(base)


def check_query(page, base):
    page.go(base + "#view=query")
    page.wait_for("h1", ["Query"])
    page.click("#main form button")
    page.wait_for("section h2", ["Found"])
    settled(page)
    assert len(page.texts("pre")) == 3 and "No index helped" in page.texts("section .soft")[0], page.texts("section")
    page.fill("#query", "for")
    page.click("#main form button")
    page.wait_for("section .failed", ["query, line 1, column 4: '$' is expected, but here is 'the end'"])


def check_keyboard(page, base):
    """Nothing but keys, from the address to a found user and back to what was found."""
    page.go(base)
    page.wait_for("h1", ["What waits"])
    settled(page)
    for _ in range(30):
        if page.run("return document.activeElement.id") == "words":
            break
        page.press(TAB)
    page.press(*"archer", TAB, RIGHT, ENTER)
    page.wait_for("h1", ["Groups: archer"])
    settled(page)
    page.run("document.getElementById('words').focus()")
    page.press(TAB, RIGHT, RIGHT, TAB, SPACE)
    page.wait_for("h1", ["People: archer"])
    settled(page)
    assert page.run("return document.activeElement.id") == "main", "what is new comes next"
    page.press(TAB, ENTER)
    page.wait_for("h1", ["sip:mallory@example.com"])
    settled(page)
    page.run("history.back()")
    page.wait_for("h1", ["People: archer"])


def check_nothing_from_elsewhere(page, base):
    loaded = page.run("return performance.getEntriesByType('resource').map(one => one.name)")
    assert loaded and all(name.startswith(base) for name in loaded), loaded
    page.run("const made = document.createElement('div'); try { made.innerHTML = '<b>x</b>' } catch (error) { window.kept = error.name }")
    assert page.run("return window.kept") == "TypeError", "text can become markup"


def check_framed(chromium, base, folder):
    """Another page can neither show it nor ask in its name."""
    with open(os.path.join(folder, "other.html"), "w", encoding="utf-8") as file:
        file.write(f"<iframe src='{base}'></iframe><p id=got></p><script>fetch('{base}api/v1/users').then(a => a.text(), () => 'no')"
                   ".then(text => got.textContent = text)</script>")

    class Other(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        page = Page(chromium, f"http://localhost:{other.server_port}/other.html")
        page.wait_for("#got", ["no"])
        frame = page.find("iframe")
        page.ask("POST", "/frame", {"id": {"element-6066-11e4-a52e-4f735466cecf": frame}})
        assert not page.texts("#search"), "it is shown inside another page"
        other.shutdown()


def take_pictures(page, base, folder):
    """For people: how it looks, into the folder that XDM_PICTURES names."""
    if not folder:
        return
    page.ask("POST", "/window/rect", {"width": 1200, "height": 1150})
    for name, view in (("waiting", ""), ("people", "#view=people&words=archer"), ("user", "#view=user&name=alice"),
                       ("group", "#view=group&uri=sip:trap@example.com"), ("query", "#view=query")):
        page.go(base + view)
        settled(page)
        page.picture(os.path.join(folder, name + ".png"))


def check_token(system, chromium):
    """With a token the page is open, and tells nothing before it has been given."""
    system.xdms_options = ("--set", f"admin.token={TOKEN}")
    system.stop()
    system.start()
    port = system.ports["admin"]
    base = f"http://localhost:{port}/"
    assert request(port, "GET", "/")[0] == 200 and request(port, "GET", "/api/v1/users")[0] == 401
    page = Page(chromium, base)
    page.wait_for("#status", ["The admin token is missing or wrong."])
    assert page.texts("main > *") == []
    page.fill("#token", "guess")
    page.click("#login button")
    page.wait_for("#status", ["The admin token is missing or wrong."])
    page.fill("#token", TOKEN)
    page.click("#login button")
    page.wait_for("h1", ["What waits"])
    settled(page)
    assert len(page.texts("tbody tr")) == 4
    page.go(base + "#view=accounts")
    page.wait_for("h1", ["Accounts"])
    settled(page)
    page.click("#forget")
    page.wait_for("#status", ["The admin token is missing or wrong."])
    assert page.texts("tbody tr") == []
    page.close()


def test(system):
    fill(system)
    port = system.ports["admin"]
    base = f"http://127.0.0.1:{port}/"
    check_headers(port)
    check_other_pages(port)
    check_documents(port)
    with contextlib.closing(Chromium(system.path("chromedriver.log"))) as chromium:
        page = Page(chromium, base)
        check_waiting(page, base)
        check_search(page)
        check_user(page, base)
        take_pictures(page, base, os.environ.get("XDM_PICTURES"))
        check_hostile(page, base)
        check_query(page, base)
        check_keyboard(page, base)
        check_nothing_from_elsewhere(page, base)
        check_framed(chromium, base, system.path(""))
        check_token(system, chromium)


if __name__ == "__main__":
    harness.main(test)
