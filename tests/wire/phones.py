"""SIP clients of tests on connections: TLS and WebSocket, one user each, with digest."""
import base64
import contextlib
import hashlib
import os
import re
import socket
import threading
import time

from clients import Digest

PATIENCE = 60 # seconds; a test that waits longer fails


class Phone:
    """One TLS connection of one user, made by the phone, or taken from a listener of its own (`accepted`)."""
    VIA = "TLS 127.0.0.1:5061"
    CONTACT = "sip:{user}@10.0.0.1:5061;transport=tls"

    def __init__(self, port, user, tls, accepted=None, host="127.0.0.1"):
        self.user, self.digest, self.number = user, Digest(user), 0
        self.received, self.vias, self.buffer = [], [], b""
        plain = None if accepted else socket.create_connection((host, port), timeout=PATIENCE)
        self.socket = accepted or tls.wrap_socket(plain, server_hostname=host)
        self.socket.settimeout(PATIENCE)

    def close(self):
        self.socket.close()

    def say(self, data):
        self.socket.sendall(data)

    def hear(self):
        """One whole message, framed by its Content-Length."""
        while b"\r\n\r\n" not in self.buffer or len(self.buffer) < self.whole():
            self.fill()
        message, self.buffer = self.buffer[:self.whole()], self.buffer[self.whole():]
        return message.decode()

    def fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed")
        self.buffer += data

    def whole(self):
        head, _, _ = self.buffer.partition(b"\r\n\r\n")
        return len(head) + 4 + int(re.search(rb"(?im)^(?:Content-Length|l) *: *(\d+)", head).group(1))

    def take(self):
        """A MESSAGE is answered 200 and its body kept."""
        message = self.hear()
        if message.startswith("MESSAGE "):
            self.answer(message)
            return None
        return message

    def answer(self, message):
        head, _, body = message.partition("\r\n\r\n")
        self.received.append(body)
        self.vias.append(re.search(r"(?im)^Via: *(.*)$", head).group(1).strip())
        kept = [line for line in head.split("\r\n")[1:] if re.match(r"(Via|From|To|Call-ID|CSeq):", line, re.I)]
        self.say(("SIP/2.0 200 OK\r\n" + "\r\n".join(kept) + "\r\nContent-Length: 0\r\n\r\n").encode())

    def wait_for_message(self, count=1):
        while len(self.received) < count:
            self.take()

    def request(self, method, uri, to, extra="", body=""):
        for _ in range(3):
            status, message = self.once(method, uri, to, extra, body)
            if status not in (401, 407):
                return status
            self.digest.take(re.findall(r"(?:WWW|Proxy)-Authenticate: *([^\r]*)", message))
        return status

    def once(self, method, uri, to, extra, body):
        self.number += 1
        branch = f"z9hG4bK{self.user}{id(self)}x{self.number}"
        name = {"REGISTER": "Authorization"}.get(method, "Proxy-Authorization")
        proof = self.digest.header(method, uri)
        self.say((
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{self.VIA};branch={branch}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{self.user}@example.com>;tag={self.number}\r\nTo: <{to}>\r\n"
            f"Call-ID: {self.user}-{id(self)}-{self.number}\r\nCSeq: {self.number} {method}\r\n"
            + (f"{name}: {proof}\r\n" if proof else "")
            + f"{extra}Content-Length: {len(body.encode())}\r\n\r\n{body}").encode())
        while True:
            message = self.take()
            if message and branch in message and message.startswith("SIP/2.0") and message[8] != "1":
                return int(message[8:11]), message

    def register(self, contact=None):
        contact = contact or self.CONTACT.format(user=self.user)
        return self.request("REGISTER", "sip:example.com", f"sip:{self.user}@example.com",
                            f"Contact: <{contact}>\r\nExpires: 3600\r\n")

    def send(self, uri, body):
        return self.request("MESSAGE", uri, uri, "Content-Type: text/plain\r\n", body)


class Browser(Phone):
    """The same over WebSocket (RFC 7118), frame by frame; `tls` is None for a port that is not encrypted."""
    VIA = "WSS browser.invalid"
    CONTACT = "sip:{user}@browser.invalid;transport=ws"

    def __init__(self, port, user, tls, host="127.0.0.1"):
        plain = socket.create_connection((host, port), timeout=PATIENCE)
        super().__init__(0, user, None, tls.wrap_socket(plain, server_hostname=host) if tls else plain)
        self.pongs, self.closed = [], None
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://example.com\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: sip\r\n"
                             f"Sec-WebSocket-Version: 13\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
        assert head.startswith(b"HTTP/1.1 101 ") and b"Sec-WebSocket-Accept: " + accept in head, head
        assert b"\r\nSec-WebSocket-Protocol: sip" in head, head

    def frame(self, first, payload):
        mask, length = os.urandom(4), len(payload)
        size = (bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big") if length < 65536
                else b"\xff" + length.to_bytes(8, "big"))
        self.socket.sendall(bytes([first]) + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def say(self, data):
        """In two fragments, as the standard allows."""
        self.frame(0x01, data[:10])
        self.frame(0x80, data[10:])

    def hear(self):
        while True:
            while len(self.buffer) < 2 or len(self.buffer) < self.frame_size():
                self.fill()
            size = self.frame_size()
            first, frame, self.buffer = self.buffer[0], self.buffer[:size], self.buffer[size:]
            payload = frame[self.head_size(frame):]
            if first == 0x8a:
                self.pongs.append(payload)
            elif first == 0x88:
                self.closed = int.from_bytes(payload[:2], "big")
                raise ConnectionError("closed")
            else:
                assert first in (0x81, 0x82), hex(first)
                return payload.decode()

    def head_size(self, frame):
        return 2 + {126: 2, 127: 8}.get(frame[1], 0)

    def frame_size(self):
        head = self.head_size(self.buffer)
        length = self.buffer[1] if head == 2 else int.from_bytes(self.buffer[2:head], "big")
        return head + length if len(self.buffer) >= head else len(self.buffer) + 1


def relay(sender, phone, uri, body, udp=None):
    """Sends, and lets the other side answer meanwhile."""
    result = []
    thread = threading.Thread(target=lambda: result.append(sender.send(uri, body)))
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while thread.is_alive() and time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            if udp:
                udp.socket.settimeout(0.2)
                udp.take()
            else:
                phone.take()
    thread.join()
    return result[0]
