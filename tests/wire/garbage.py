#!/usr/bin/env python3
"""Garbage to every port gets an error or a closed connection, and the next good request works."""
import os
import random
import socket

import harness

SEED = 20260105  # the same garbage in every run


def good(system):
    """One good request of each kind."""
    assert system.curl("GET", system.url("xcap-caps", "alice", "index").replace("users/sip:alice@example.com", "global"),
                       "alice")[0] == 200
    assert system.curl("GET", f"http://127.0.0.1:{system.ports['management']}/livez")[0] == 200
    assert "alice" in system.ctl("user", "list")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20)
        sock.sendto(options(sock.getsockname()), ("127.0.0.1", system.ports["sip"]))
        assert sock.recv(65536).startswith(b"SIP/2.0 200")
    assert b"SIP/2.0 200" in exchange(system.ports["sip"], options(("127.0.0.1", 5099), b"TCP"), until=b"\r\n\r\n")


def options(address, transport=b"UDP"):
    tag = str(random.random()).encode()
    return (b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/" + transport + b" 127.0.0.1;rport;branch=z9hG4bK" + tag
            + b"\r\nMax-Forwards: 70\r\nFrom: <sip:x@example.com>;tag=1\r\nTo: <sip:example.com>\r\nCall-ID: " + tag
            + b"\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")


def exchange(port, data, until=None):
    """What comes back until the peer closes, or a short silence."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        try:
            sock.sendall(data)
            if until is None:
                sock.shutdown(socket.SHUT_WR)
            while chunk := sock.recv(65536):
                answer += chunk
                if until and until in answer:
                    break
        except OSError:
            pass  # cut off: a fine answer to garbage
    return answer


def http_garbage(generator):
    yield generator.randbytes(4096)
    yield b"GET / HTTP/1.1\r\n"
    yield b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort"
    yield b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Padding: " + b"a" * (10 << 20) + b"\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 200000 + b"\r\n"
    yield b"GET /" + b"%00" * 1000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"GET /xcap-root/" + b"a/" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"GET /xcap-root/\xff\xfe\xfd HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    yield b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + generator.randbytes(500)
    yield b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Digest " + b'username="' + b"a" * 20000 + b"\r\n\r\n"
    for _ in range(20):
        yield b"GET / HTTP/1.1\r\n" + generator.randbytes(200) + b"\r\n\r\n"


def sip_garbage(generator):
    good_one = options(("127.0.0.1", 5060))
    yield generator.randbytes(1400)
    yield b""
    yield b"\r\n\r\n"
    yield b"\x00\x01\x00\x00\x21\x12\xa4\x42" + generator.randbytes(12)
    yield good_one[:60]
    yield good_one.replace(b"CSeq: 1 OPTIONS", b"CSeq: 99999999999 OPTIONS")
    yield good_one.replace(b"Content-Length: 0", b"Content-Length: 99999999999")
    yield good_one.replace(b"Content-Length: 0", b"Content-Length: -1")
    yield good_one.replace(b"sip:example.com SIP", b"sip:a%00b@example.com SIP")
    yield good_one.replace(b"Max-Forwards: 70", b"Max-Forwards: seventy")
    yield good_one.replace(b"\r\nCSeq", b"\r\n" + b"X: y\r\n" * 9000 + b"CSeq")
    yield good_one.replace(b"OPTIONS", b"M\xff\xfe")
    yield b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKunknown\r\n\r\n"
    for _ in range(50):
        broken = bytearray(good_one)
        for _ in range(8):
            broken[generator.randrange(len(broken))] = generator.randrange(256)
        yield bytes(broken)


def xml_garbage():
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    yield b"", 409
    yield b"not xml", 409
    yield f'<!DOCTYPE a [<!ENTITY e0 "ha">{entities}]><a>&e9;</a>'.encode(), 409
    yield b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', 409
    yield b"<a>" * 100000 + b"</a>" * 100000, 409
    yield b"<a " + b" ".join(b'a%d="x"' % i for i in range(40000)) + b"/>", 409
    yield b'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">\xff\xfe</resource-lists>', 409
    yield '<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"), 409
    yield b'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><p:a/></resource-lists>', 409
    yield b"x" * (9 << 20), 413


def garbage(system):
    generator = random.Random(SEED)
    random.seed(SEED)
    for name in ("http", "management", "admin"):
        for data in http_garbage(generator):
            answer = exchange(system.ports[name], data)
            assert not answer or (answer.startswith(b"HTTP/1.") and answer[9:10] in b"45"), answer[:200]
    good(system)
    for data in sip_garbage(generator):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            if len(data) < 65000:
                sock.sendto(data, ("127.0.0.1", system.ports["sip"]))
        answer = exchange(system.ports["sip"], data)
        assert not answer or answer in (b"\r\n", b"\r\n\r\n") or answer.startswith((b"SIP/2.0 ", b"\r\n")), answer[:200]
    good(system)
    for body, wanted in xml_garbage():
        path = system.path("body")
        with open(path, "wb") as file:
            file.write(body)
        status = put_file(system, path)
        assert status == wanted, f"{body[:60]}: {status}"
    good(system)


def put_file(system, path):
    import subprocess
    done = subprocess.run(["curl", "-sS", "--max-time", "120", "--digest", "-u", "alice:alice", "-T", path, "-H",
                           "Content-Type: application/resource-lists+xml", "-o", os.devnull, "-w", "%{http_code}",
                           system.url("resource-lists", "alice", "index")], capture_output=True, text=True)
    return int(done.stdout or 0)


# Half requests are cut at these deadlines; the defaults would only make the test slow.
harness.main(garbage, xdms_options=[f"--set=http.{name}-ms-max=2000" for name in ("header", "body", "idle")])
