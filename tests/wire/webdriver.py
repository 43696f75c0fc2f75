"""Chromium of the Debian package, driven by its chromedriver over the WebDriver protocol (W3C): pages are opened, filled in
and read as a person does it."""
import base64
import hashlib
import json
import re
import subprocess
import time
import urllib.error
import urllib.request

PATIENCE = 60 # seconds; a test that waits longer fails
ELEMENT = "element-6066-11e4-a52e-4f735466cecf" # the key of the standard
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync")


def public_key_hash(certificate):
    """As --ignore-certificate-errors-spki-list wants it: no other certificate is believed."""
    pem = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], capture_output=True, check=True)
    key = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=pem.stdout, capture_output=True,
                         check=True).stdout
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


class Chromium:
    def __init__(self, log_path, certificate=None):
        self.session = None
        self.log = open(log_path, "wb")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=self.log)
        try:
            self.base = f"http://127.0.0.1:{self.read_port()}"
            options = [*OPTIONS]
            if certificate:
                options.append(f"--ignore-certificate-errors-spki-list={public_key_hash(certificate)}")
            answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {
                "binary": "/usr/bin/chromium", "args": options}}}})
            self.session = answer["sessionId"]
        except BaseException:
            self.close()
            raise

    def read_port(self):
        for line in self.driver.stdout:
            if found := re.search(rb"started successfully on port (\d+)", line):
                return int(found[1])
        raise AssertionError("chromedriver did not start")

    def ask(self, method, path, body=None):
        path = f"/session/{self.session}{path}" if self.session else path
        request = urllib.request.Request(self.base + path, method=method, headers={"Content-Type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()[:500]}") from error

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=PATIENCE)
            self.driver.stdout.close()
            self.log.close()


class Page:
    """One tab."""

    def __init__(self, chromium, url):
        self.chromium = chromium
        self.handle = chromium.ask("POST", "/window/new", {"type": "tab"})["handle"]
        self.ask("POST", "/url", {"url": url})

    def ask(self, method, path, body=None):
        self.chromium.ask("POST", "/window", {"handle": self.handle})
        return self.chromium.ask(method, path, body)

    def find(self, selector):
        return self.ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def fill(self, selector, text):
        element = self.find(selector)
        self.ask("POST", f"/element/{element}/clear", {})
        self.ask("POST", f"/element/{element}/value", {"text": text})

    def click(self, selector):
        self.ask("POST", f"/element/{self.find(selector)}/click", {})

    def press(self, *keys):
        """One after the other, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def run(self, script, *arguments):
        return self.ask("POST", "/execute/sync", {"script": script, "args": arguments})

    def go(self, url):
        self.ask("POST", "/url", {"url": url})

    def picture(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("GET", "/screenshot")))

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])].map(element => element.textContent)", selector)

    def wait_for(self, selector, wanted):
        """Until the texts of these elements are the wanted ones."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.texts(selector)) != wanted:
            assert time.monotonic() < deadline, f"{selector}: {found}, not {wanted}"
            time.sleep(0.05)

    def close(self):
        self.ask("DELETE", "/window")
