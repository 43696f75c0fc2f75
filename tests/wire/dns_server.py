"""A small DNS server of a test, on a free loopback port: says what is in its zone, and counts what it was asked."""
import socket
import struct
import threading

A, AAAA, SRV, NAPTR = 1, 28, 33, 35
TTL = 300


def name_bytes(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def string(text):
    return bytes([len(text)]) + text.encode()


def address(text):
    return ((AAAA, socket.inet_pton(socket.AF_INET6, text)) if ":" in text else (A, socket.inet_pton(socket.AF_INET, text)))


def srv(priority, weight, port, target):
    return SRV, struct.pack("!HHH", priority, weight, port) + name_bytes(target)


def naptr(order, preference, service, replacement):
    return NAPTR, (struct.pack("!HH", order, preference) + string("s") + string(service) + string("")
                   + name_bytes(replacement))


class DnsServer:
    """`zone`: for each name a list of records, or None for a name whose server fails."""

    def __init__(self):
        self.zone, self.asked = {}, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            if not query:
                return
            self.socket.sendto(self.answer(query), peer)

    def answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        question, (kind,) = query[12:at + 5], struct.unpack("!H", query[at + 1:at + 3])
        name = ".".join(labels).lower()
        self.asked.append((kind, name))
        records = self.zone.get(name, [])
        code = 2 if records is None else 0 if name in self.zone else 3
        found = [data for record, data in records or [] if record == kind]
        return (query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(found), 0, 0) + question
                + b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, TTL, len(data)) + data for data in found))

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join(timeout=10)
        self.socket.close()
