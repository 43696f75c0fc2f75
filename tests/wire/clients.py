"""Small HTTP and SIP clients with digest, for tests that need many at once: no process per request."""
import hashlib
import http.client
import re
import socket


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


class Digest:
    """Answers the MD5 challenge and reuses its nonce with a growing count."""

    def __init__(self, user):
        self.user = user
        self.challenge = None
        self.count = 0

    def take(self, headers):
        text = next(header for header in headers if "algorithm=MD5" in header or "algorithm=" not in header)
        self.challenge = dict(re.findall(r'(\w+)="([^"]*)"', text))
        self.count = 0

    def header(self, method, uri):
        if not self.challenge:
            return None
        self.count += 1
        realm, nonce = self.challenge["realm"], self.challenge["nonce"]
        count, cnonce = f"{self.count:08x}", "c0ffee"
        response = md5(":".join([md5(f"{self.user}:{realm}:{self.user}"), nonce, count, cnonce, "auth",
                                 md5(f"{method}:{uri}")]))
        opaque = f',opaque="{self.challenge["opaque"]}"' if "opaque" in self.challenge else ""
        return (f'Digest username="{self.user}",realm="{realm}",nonce="{nonce}",uri="{uri}",algorithm=MD5,qop=auth,'
                f'nc={count},cnonce="{cnonce}",response="{response}"{opaque}')


class Http:
    """One keep-alive connection of one user."""

    def __init__(self, port, user):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.digest = Digest(user)

    def request(self, method, path, body=None, content_type=None, headers=None):
        for _ in range(3):
            sent = dict(headers or {})
            if proof := self.digest.header(method, path):
                sent["Authorization"] = proof
            if body is not None:
                sent["Content-Type"] = content_type
            self.connection.request(method, path, body=body, headers=sent)
            answer = self.connection.getresponse()
            text = answer.read()
            if answer.status != 401:
                return answer.status, text, answer
            self.digest.take(answer.headers.get_all("WWW-Authenticate"))
        return 401, b"", answer


class Sip:
    """One UDP socket of one user."""
    TAKEN = ("MESSAGE ",)  # requests that are answered 200, and their bodies kept

    def __init__(self, port, user, address="127.0.0.1", domain="example.com"):
        self.server = (address, port)
        self.host = f"[{address}]" if ":" in address else address
        self.user, self.domain = user, domain
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.port = self.socket.getsockname()[1]
        self.digest = Digest(user)
        self.number = 0
        self.received = []  # bodies of MESSAGEs
        self.heads = []
        self.answered = ""  # the last answer

    def close(self):
        self.socket.close()

    def request(self, method, uri, to, extra="", body="", patience_seconds=10):
        """Final status; 0 when there was no answer in time. Retransmits as RFC 3261 timer E does."""
        for _ in range(3):
            status, message = self.once(method, uri, to, extra, body, patience_seconds)
            self.answered = message
            if status not in (401, 407):
                return status
            self.digest.take(re.findall(r"(?:WWW|Proxy)-Authenticate: *([^\r]*)", message))
        return status

    def once(self, method, uri, to, extra, body, patience_seconds):
        self.number += 1
        branch = f"z9hG4bK{self.user}{self.port}x{self.number}"
        name = {"REGISTER": "Authorization", "PUBLISH": "Authorization"}.get(method, "Proxy-Authorization")
        proof = self.digest.header(method, uri)
        data = (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.host}:{self.port};rport;branch={branch}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:{self.user}@{self.domain}>;tag={self.number}\r\nTo: <{to}>\r\n"
                f"Call-ID: {self.user}-{self.port}-{self.number}\r\nCSeq: {self.number} {method}\r\n"
                + (f"{name}: {proof}\r\n" if proof else "")
                + f"{extra}Content-Length: {len(body.encode())}\r\n\r\n{body}").encode()
        wait_seconds, waited = 0.5, 0.0
        while waited < patience_seconds:
            self.socket.sendto(data, self.server)
            self.socket.settimeout(wait_seconds)
            try:
                while True:
                    message = self.take()
                    if message and branch in message and message.startswith("SIP/2.0") and message[8] != "1":
                        return int(message[8:11]), message
            except (TimeoutError, ConnectionError):
                waited += wait_seconds
                wait_seconds = min(wait_seconds * 2, 4)
        return 0, ""

    def take(self):
        """One datagram; a MESSAGE is answered 200 and its body kept."""
        message = self.socket.recv(65536).decode()
        if not message.startswith(self.TAKEN):
            return message
        head, _, body = message.partition("\r\n\r\n")
        self.received.append(body)
        self.heads.append(head)
        kept = [line for line in head.split("\r\n")[1:] if re.match(r"(Via|From|To|Call-ID|CSeq):", line, re.I)]
        answer = "SIP/2.0 200 OK\r\n" + "\r\n".join(kept) + "\r\nContent-Length: 0\r\n\r\n"
        self.socket.sendto(answer.encode(), self.server)
        return None

    def register(self, expires=3600):
        return self.request("REGISTER", f"sip:{self.domain}", f"sip:{self.user}@{self.domain}",
                            f"Contact: <sip:{self.user}@{self.host}:{self.port}>\r\nExpires: {expires}\r\n")

    def send(self, target, body, patience_seconds=10):
        uri = target if ":" in target else f"sip:{target}@{self.domain}"
        return self.request("MESSAGE", uri, uri, "Content-Type: text/plain\r\n", body, patience_seconds)

    def listen(self, quiet_seconds):
        """Takes messages until it has been quiet for so long."""
        self.socket.settimeout(quiet_seconds)
        try:
            while True:
                self.take()
        except TimeoutError:
            pass
