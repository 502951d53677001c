"""A certificate authority of the tests, which signs certificates of servers and of clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


class Authority:
    """`pem` is its certificate. Another authority over it makes it an intermediate, whose certificates come with its own."""

    def __init__(self, name: str, issuer: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        above = issuer or self
        self.certificate = (
            _builder(self.name, above.name, self.key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(above.key, hashes.SHA256())
        )
        self.pem = self.certificate.public_bytes(PEM).decode()
        self._chain = self.pem if issuer else ""

    def sign(self, common_name: str, *, address: str = "127.0.0.1", password: str = "") -> tuple[str, str]:
        """A certificate with its chain, and its private key, both as PEM text."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))])
        signed = (
            _builder(_name(common_name), self.name, key)
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        locked = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, locked).decode()
        return signed.public_bytes(PEM).decode() + self._chain, private

    def write(self, folder: Path, common_name: str, stem: str) -> None:
        """The same as files: `<stem>.pem` and `<stem>.key`."""
        certificate, key = self.sign(common_name)
        (folder / f"{stem}.pem").write_text(certificate, encoding="utf-8")
        (folder / f"{stem}.key").write_text(key, encoding="utf-8")


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    number = x509.random_serial_number()
    return x509.CertificateBuilder(
        issuer, name, key.public_key(), number, now - timedelta(minutes=5), now + timedelta(days=1)
    )
