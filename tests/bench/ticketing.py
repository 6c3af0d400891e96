"""Tickets of a mod_auth_pubtkt login server, for loads of requests that have them."""

import time
from pathlib import Path
from typing import Self

import attrs
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from sso_proxy.specs.pubtkt import Ticket, encode_cookie, sign
from sso_proxy.specs.pubtkt_keys import SigningKey, read_signing_key

PATH = "/tickets/1k"


@attrs.frozen
class Ticketing:
    """
    Makes tickets with RSA and SHA-1, which is what the module takes unless told else.

    Attributes:
        directory: Has the public key, ``tickets.pub``.
    """

    directory: Path
    _key: SigningKey = attrs.field(repr=False)

    @classmethod
    def create(cls, directory: Path) -> Self:
        """Make a key, and write its public half into *directory*."""
        key = rsa.generate_private_key(65537, 2048)
        (directory / "tickets.pub").write_bytes(
            key.public_key().public_bytes(
                Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
            )
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return cls(directory, read_signing_key(pem))

    def cookie(self, number: int = 0) -> str:
        """Give what the browser of user *number* says in ``Cookie``."""
        ticket = Ticket(
            uid=f"user-{number:05d}",
            valid_until=int(time.time()) + 86400,
            tokens=("staff",),
            udata="somebody",
        )
        return f"auth_pubtkt={encode_cookie(sign(ticket, self._key))}"

    def write(self, count: int) -> Path:
        """Write a file with the cookies of so many users, one a line."""
        file = self.directory / f"tickets-{count}"
        if not file.exists():
            lines = (f"{self.cookie(number)}\n" for number in range(count))
            file.write_text("".join(lines))
        return file
