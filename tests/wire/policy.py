#!/usr/bin/env python3
"""The policy port of a running xdms: over TLS, with a token, with settings that are wrong; and asked by many at once while
documents change and the document services are loaded anew."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import harness
from certificates import Certificate

RULES_TYPE = "application/auth-policy+xml"
RULES = """<ruleset xmlns="urn:ietf:params:xml:ns:common-policy" xmlns:poc="urn:oma:xml:poc:poc-rules">
  <rule id="{id}"><actions><poc:allow-invite>{word}</poc:allow-invite></actions></rule></ruleset>"""
ASKERS, QUESTIONS, CHANGES = 6, 150, 40
DECIDE = "/policy/v1/decide?from=alice&to=bob"


def asked_by_many(system):
    wrong, answers = [], {"allow": 0, "reject": 0}

    def ask():
        connection = http.client.HTTPConnection(*system.xdms.addresses["policy"], timeout=60)
        for _ in range(QUESTIONS):
            connection.request("GET", DECIDE)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            if (answer.status, said.get("decision"), said.get("rule")) not in (
                    (200, "allow", "yes"), (200, "reject", "no")):
                wrong.append(said)
            else:
                answers[said["decision"]] += 1
        connection.close()

    url = system.url(harness.RULES, "bob", "im-rules")
    bodies = [RULES.format(id="yes", word="accept"), RULES.format(id="no", word="reject")]
    assert system.curl("PUT", url, "bob", bodies[0], RULES_TYPE)[0] == 201
    threads = [threading.Thread(target=ask) for _ in range(ASKERS)]
    for thread in threads:
        thread.start()
    changes = 0
    while changes < CHANGES or any(thread.is_alive() for thread in threads):
        changes += 1
        assert system.curl("PUT", url, "bob", bodies[changes % 2], RULES_TYPE)[0] == 200
        # the change is in force for the next question, whichever thread takes it
        connection = http.client.HTTPConnection(*system.xdms.addresses["policy"], timeout=60)
        connection.request("GET", DECIDE)
        said = json.loads(connection.getresponse().read())
        connection.close()
        assert said["rule"] == ("no" if changes % 2 else "yes"), said
        if changes % 8 == 0:
            system.xdms.process.send_signal(signal.SIGHUP)
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]
    assert sum(answers.values()) == ASKERS * QUESTIONS


def start(build, folder, *options):
    return harness.start_xdms(build, f"{folder}/data", f"{folder}/log", *options)


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--max-time", "60", "-w", "\n%{http_code}", *arguments], capture_output=True,
                          text=True, timeout=90, check=False)
    text, _, status = done.stdout.rpartition("\n")
    return int(status or 0), text


def guarded(build):
    folder = tempfile.mkdtemp(prefix="xdm-policy-")
    program = None
    try:
        authority = Certificate(folder, "ca", is_authority=True)
        mine = Certificate(folder, "server", issuer=authority, names=("IP:127.0.0.1",))
        program = start(build, folder, "--set", "listen.policy=127.0.0.1:0", "--set", "policy.token=secret", "--set",
                        "tls.policy=yes", "--set", f"tls.certificate={mine.crt}", "--set", f"tls.key={mine.key}")
        url = "https://127.0.0.1:%d%s" % (program.addresses["policy"][1], DECIDE)
        token = ("-H", "Authorization: Bearer secret")
        assert curl("--cacert", authority.crt, *token, url)[0] == 200
        assert curl("--cacert", authority.crt, url)[0] == 401
        assert curl(*token, url)[0] == 0, "a certificate that nobody vouches for"
        assert curl(*token, url.replace("https:", "http:"))[0] == 400
        program.stop()
        for setting, words in (("policy.peers=127.0.0.1/33", "policy.peers"), ("listen.policy=nowhere", "listen.policy"),
                               ("policy.peers=127.0.0.1/8", "policy.peers")):
            try:
                start(build, folder, "--set", "listen.policy=127.0.0.1:0", "--set", setting).kill()
            except AssertionError as failure:
                assert words in str(failure), failure
            else:
                raise AssertionError(f"xdms started with {setting}")
    finally:
        if program:
            program.kill()
        shutil.rmtree(folder)


os.chdir(harness.SOURCE)
guarded(sys.argv[1])
harness.main(asked_by_many, xdms_options=("--set", "listen.policy=127.0.0.1:0"))
