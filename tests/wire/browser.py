#!/usr/bin/env python3
"""The page of docs/examples/jssip in Chromium, with JsSIP of npm over WebSocket, plain and encrypted: two users chat with
each other and with a group, who is away gets it later, and a page registers anew by itself when im-glue was away.
JsSIP and what makes one file of it are in build/browser (./dev test puts them there)."""
import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import threading

import harness
from certificates import Certificate
from clients import Sip
from webdriver import Chromium, Page

MODULES = os.path.join(harness.SOURCE, "build/browser/node_modules")
CPIM = ("From: <sip:dave@example.com>\r\nTo: <sip:bob@example.com>\r\n\r\nContent-Type: text/plain\r\n\r\nout of an envelope")


@contextlib.contextmanager
def served(folder):
    """The page beside JsSIP, by HTTP on a port of its own."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    assert os.path.exists(MODULES), "JsSIP is missing: ./dev test installs it by npm"
    subprocess.run([f"{MODULES}/.bin/esbuild", f"{MODULES}/jssip/lib/JsSIP.js", "--bundle", "--global-name=JsSIP",
                    "--log-level=warning", f"--outfile={folder}/jssip.js"], check=True, timeout=60)
    shutil.copy(os.path.join(harness.SOURCE, "docs/examples/jssip/chat.html"), folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/chat.html"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def start_with_websocket(system, certificate):
    """The second time on the same ports."""
    ws, wss = (f"127.0.0.1:{system.ports.get(name, 0)}" for name in ("ws", "wss"))
    system.glue_options = ["--ws", ws, "--wss", wss, "--set", f"tls.certificate={certificate.crt}", "--set",
                           f"tls.key={certificate.key}"]
    system.start_glue()


def enter(chromium, url, system, user, scheme):
    page = Page(chromium, url)
    page.fill("#login [name=server]", f"{scheme}://localhost:{system.ports[scheme]}/")
    page.fill("#login [name=user]", user)
    page.fill("#login [name=password]", user)
    page.click("#login button")
    page.wait_for("#state", [f"registered as {user}"])
    return page


def say(page, to, text):
    page.fill("#message [name=to]", to)
    page.fill("#message [name=text]", text)
    page.click("#message button")


def two_pages_chat(alice, bob):
    say(alice, "bob", "grüße")
    bob.wait_for(".received", ["alice: grüße"])
    alice.wait_for(".sent", ["to bob: grüße (delivered)"])
    say(bob, "alice", "hello yourself")
    alice.wait_for(".received", ["bob: hello yourself"])
    say(alice, "nobody", "x")
    alice.wait_for(".sent:last-child", ["to nobody: x (refused: 404 Not Found)"])


def a_group_is_reached_and_who_is_away_later(alice, bob, open_carol):
    say(alice, "team", "Lunch at noon?")
    alice.wait_for(".sent:last-child", ["to team: Lunch at noon? (accepted)"])
    bob.wait_for(".received", ["alice: grüße", "alice: Lunch at noon?"])
    carol = open_carol()
    carol.wait_for(".received", ["alice: Lunch at noon?"])
    say(carol, "team", "Yes")
    for page in (alice, bob):
        page.wait_for(".received:last-child", ["carol: Yes"])
    return carol


def who_closes_the_page_is_away(alice, carol, open_carol):
    carol.close()
    say(alice, "carol", "still there?")
    alice.wait_for(".sent:last-child", ["to carol: still there? (accepted)"])
    open_carol().wait_for(".received", ["alice: still there?"])


def a_page_that_reads_text_alone_gets_it_out_of_its_envelope(system, bob):
    dave = Sip(system.ports["sip"], "dave")
    uri = "sip:bob@example.com"
    assert dave.request("MESSAGE", uri, uri, "Content-Type: message/cpim\r\n", CPIM) in (200, 202)
    bob.wait_for(".received:last-child", ["dave: out of an envelope"])
    dave.close()


def pages_come_back_by_themselves(system, certificate, alice, bob):
    system.glue.stop()
    for page in (alice, bob):
        page.wait_for("#state", ["not connected"])
    start_with_websocket(system, certificate)
    for page, user in ((alice, "alice"), (bob, "bob")):
        page.wait_for("#state", [f"registered as {user}"])
    say(bob, "alice", "back again")
    alice.wait_for(".received:last-child", ["bob: back again"])


def test(system):
    certificate = Certificate(system.folder, "server", None, ("DNS:localhost", "IP:127.0.0.1"))
    system.glue.stop()
    start_with_websocket(system, certificate)
    status, _ = system.curl("PUT", system.url(harness.GROUPS, "alice", "team"), "alice",
                            harness.group_xml("sip:team@example.com", ["alice", "bob", "carol"]),
                            "application/vnd.oma.poc.groups+xml")
    assert status == 201, status
    with served(system.path("")) as url, contextlib.closing(Chromium(system.path("chromedriver.log"),
                                                                     certificate.crt)) as chromium:
        alice, bob = enter(chromium, url, system, "alice", "ws"), enter(chromium, url, system, "bob", "wss")

        def open_carol():
            return enter(chromium, url, system, "carol", "wss")

        two_pages_chat(alice, bob)
        carol = a_group_is_reached_and_who_is_away_later(alice, bob, open_carol)
        who_closes_the_page_is_away(alice, carol, open_carol)
        a_page_that_reads_text_alone_gets_it_out_of_its_envelope(system, bob)
        pages_come_back_by_themselves(system, certificate, alice, bob)


harness.main(test)
