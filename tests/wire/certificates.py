"""Certificates for one test, made by openssl: an authority, and whom it vouches for. ECDSA, PEM files in a folder."""
import os
import ssl
import subprocess


def openssl(*arguments, given=None):
    done = subprocess.run(["openssl", *arguments], input=given, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, f"openssl {arguments}: {done.stderr.decode()}"
    return done.stdout.decode()


def context(authority, certificate=None):
    """Of a client that believes the authority, and shows the certificate."""
    made = ssl.create_default_context(cafile=authority.crt)
    if certificate:
        made.load_cert_chain(certificate.crt, certificate.key)
    return made


class Certificate:
    """NAME.crt and NAME.key. `names` are as openssl writes them: "DNS:host", "URI:sip:x", "IP:127.0.0.1"."""

    def __init__(self, folder, name, issuer=None, names=(), days=30, is_authority=False, subject=None):
        self.folder, self.name, self.issuer = folder, name, issuer
        self.crt, self.key = (os.path.join(folder, f"{name}.{kind}") for kind in ("crt", "key"))
        self.make(names, days, is_authority, subject or name)

    def make(self, names, days, is_authority, subject):
        extensions = os.path.join(self.folder, f"{self.name}.ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write("basicConstraints=critical,CA:%s\n" % ("TRUE" if is_authority else "FALSE"))
            file.write("keyUsage=critical,%s\n" % ("keyCertSign" if is_authority else "digitalSignature"))
            if names:
                file.write("subjectAltName=" + ",".join(names) + "\n")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key)
        os.chmod(self.key, 0o600)
        request = openssl("req", "-new", "-key", self.key, "-subj", f"/CN={subject}")
        signer = ["-CA", self.issuer.crt, "-CAkey", self.issuer.key] if self.issuer else ["-signkey", self.key]
        serial = str(int.from_bytes(os.urandom(8), "big"))
        openssl("x509", "-req", "-days", str(days), "-set_serial", serial, "-extfile", extensions, *signer, "-out",
                self.crt, given=request.encode())

    def fingerprint(self):
        return openssl("x509", "-in", self.crt, "-noout", "-fingerprint", "-sha256").strip().partition("=")[2]
