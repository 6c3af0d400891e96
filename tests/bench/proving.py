"""
Tokens that are bound to a key, each with a DPoP proof; and what checking them costs.

Run as a program, it checks two signatures again and again for some seconds, and prints
the microseconds on a CPU that the two take: what no proxy can do without.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import attrs
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from sso_proxy.testing.proofs import ProofSigner
from sso_proxy.testing.tokens import TokenSigner
from tests.bench.procs import PROXY_CORE, ROOT, BenchError, pinned

TOKEN_LENGTH = 600
PROOF_LENGTH = 500
"""Octets that are signed, about."""


@attrs.frozen(kw_only=True)
class Proving:
    """
    An issuer and a client with a key, both ES256.

    Attributes:
        issuer: Signs tokens.
        client: Signs proofs.
        claims: What the token with a number says.
        file: Where `write` writes.
    """

    issuer: TokenSigner
    client: ProofSigner
    claims: Callable[[int], dict[str, Any]]
    file: Path

    @classmethod
    def create(cls, directory: Path, claims: Callable[[int], dict[str, Any]]) -> Self:
        """Make new keys; the issuer's public one is written to ``bound.pub``."""
        issuer = TokenSigner.create("ES256", "bound")
        (directory / "bound.pub").write_bytes(issuer.public_pem())
        return cls(
            issuer=issuer,
            client=ProofSigner.create(),
            claims=claims,
            file=directory / "proofs",
        )

    @property
    def jwk(self) -> str:
        """Give the issuer's public key as a JWK."""
        return json.dumps(self.issuer.public_jwk(), separators=(",", ":"))

    def pair(self, uri: str, number: int = 0) -> tuple[str, str]:
        """Make a token and a proof that go with one GET of *uri*."""
        bound = {**self.claims(number), "cnf": self.client.confirmation}
        token = self.issuer.sign(bound)
        return token, self.client.prove("GET", uri, token, time.time())

    def write(self, uri: str, count: int) -> Path:
        """Write *count* tokens and their proofs, a pair a line, for GETs of *uri*."""
        with self.file.open("w") as lines:
            for number in range(count):
                lines.write(" ".join(self.pair(uri, number)) + "\n")
        return self.file


def measure_checks(seconds: float) -> Mapping[str, float]:
    """
    Check two signatures again and again on the core of the proxies.

    Returns:
        ``cpu_us`` of a pair of checks, and how many were done ``per_second``.

    Raises:
        BenchError: It could not be run.
    """
    command = [sys.executable, "-m", "tests.bench.proving", f"{seconds:g}"]
    done = subprocess.run(
        pinned(PROXY_CORE, command),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if "COVERAGE" not in k},
    )
    if done.returncode:
        raise BenchError(f"two checks: {done.stdout}{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _signed(length: int) -> Callable[[], None]:
    """Sign *length* octets with a new key; give what checks that."""
    key = ec.generate_private_key(ec.SECP256R1())
    data, algorithm = os.urandom(length), ec.ECDSA(hashes.SHA256())
    signature, public = key.sign(data, algorithm), key.public_key()
    return lambda: public.verify(signature, data, algorithm)


def main(seconds: float) -> None:
    """Print what the two checks cost."""
    token, proof = _signed(TOKEN_LENGTH), _signed(PROOF_LENGTH)
    for _ in range(100):
        token()
        proof()
    begin, used, pairs = time.monotonic(), time.process_time(), 0
    while time.monotonic() - begin < seconds:
        for _ in range(100):
            token()
            proof()
        pairs += 100
    used = time.process_time() - used
    lasted = time.monotonic() - begin
    print(json.dumps({"cpu_us": used / pairs * 1e6, "per_second": pairs / lasted}))


if __name__ == "__main__":
    main(float(sys.argv[1]))
