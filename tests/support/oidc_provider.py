"""npm oidc-provider as the authorization server that tests get tokens from."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import attrs
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import PrivateKey, TokenSigner
from tests.support.node import PLACE, find_node
from tests.support.running import PATIENCE, eventually

SIGNED_BY: Final = ("RS256", "PS256", "ES256", "EdDSA")


@attrs.frozen(kw_only=True)
class KnownKey:
    """
    A key of which a test has the private half.

    Attributes:
        signer: Signs what the key's owner would not.
        pem: The private key, PKCS #8.
    """

    signer: TokenSigner
    pem: str = attrs.field(repr=False)

    @classmethod
    def create(cls, alg: str, kid: str) -> Self:
        """Make a new one."""
        key: PrivateKey
        if alg.startswith("ES"):
            key = ec.generate_private_key(ec.SECP256R1())
        elif alg == "EdDSA":
            key = ed25519.Ed25519PrivateKey.generate()
        else:
            key = rsa.generate_private_key(65537, 2048)
        return cls(signer=TokenSigner(alg=alg, kid=kid, key=key), pem=private_pem(key))


def private_pem(key: PrivateKey) -> str:
    """Give a private key in PEM, PKCS #8, not encrypted."""
    octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return octets.decode()


class OidcProvider:
    """
    One server process: on a port of its own that it keeps when it is started again.

    Args:
        pki: Issues its certificate, and those of its clients.
        clients: The metadata of each (RFC 7591).
        options: Others: ``token_ttl``, the seconds that access tokens of logins are
            good for; ``registration_token``, with which clients register themselves.
    """

    def __init__(
        self, pki: Pki, clients: Sequence[Mapping[str, Any]], **options: object
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="oidc-provider-"))
        self.ca = pki.write(self.directory)
        self.keys = {alg: KnownKey.create(alg, f"{alg}-1") for alg in SIGNED_BY}
        self.encryption_key = rsa.generate_private_key(65537, 2048)
        self.port = 0
        own = self.certificate = pki.issue("localhost", dns=["localhost"], server=True)
        self._config: dict[str, Any] = {
            "certificate": own.chain_pem.decode(),
            "key": own.key_pem.decode(),
            "ca": pki.ca_pem.decode(),
            **options,
            "clients": [*clients],
            "encryption_key": self.encryption_key.public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode(),
        }
        self._output = self.directory / "output"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def decryption_pem(self) -> str:
        """The private key that encrypted tokens are for."""
        return private_pem(self.encryption_key)

    @property
    def issuer(self) -> str:
        """Its issuer identifier."""
        return f"https://localhost:{self.port}"

    def start(self) -> Self:
        """Start it, and wait until it serves."""
        node = find_node()
        assert node is not None, "no Node.js; `make test` installs it"
        assert (PLACE / "node_modules").exists(), "`make test` installs oidc-provider"
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                [str(node), "--no-deprecation", str(PLACE / "op.mjs")],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=PLACE,
                env={**os.environ, "NODE_ENV": "test"},
            )
        times = self.log().count("READY")
        self._say({**self._config, "port": self.port, "keys": self._key_list()})
        self._wait_for("READY", times + 1)
        self.port = int(re.findall(r"READY (\d+)", self.log())[-1])
        return self

    def stop(self) -> None:
        """End it; its port is free then, and its tokens are forgotten."""
        process = self._process
        if process is None:
            return
        self._process = None
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE)

    def rotate(self, alg: str) -> KnownKey:
        """Have it sign with a new key from now on; gives the one it had before."""
        before = self.keys[alg]
        number = int(str(before.signer.kid).rpartition("-")[2]) + 1
        self.keys[alg] = KnownKey.create(alg, f"{alg}-{number}")
        times = self.log().count("CHANGED")
        self._say({"keys": self._key_list()})
        self._wait_for("CHANGED", times + 1)
        return before

    def log(self) -> str:
        """Give all that it printed."""
        return self._output.read_text(errors="replace")

    def requests(self, start: str) -> int:
        """Say how many of the requests that it answered begin with *start*."""
        return len(re.findall(rf"(?m)^{re.escape(start)}", self.log()))

    def _key_list(self) -> list[dict[str, str | None]]:
        return [
            {"pem": key.pem, "alg": alg, "kid": key.signer.kid}
            for alg, key in self.keys.items()
        ]

    def _say(self, what: Mapping[str, object]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        self._process.stdin.flush()

    def _wait_for(self, text: str, times: int) -> None:
        def said() -> bool:
            log, process = self.log(), self._process
            assert process is not None
            assert process.poll() is None, f"ended before {text}: {log}"
            return len(re.findall(rf"(?m)^{text}", log)) >= times

        eventually(said, f"{text} of the authorization server")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.directory)
