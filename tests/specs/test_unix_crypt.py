"""Hashes of passwords, beside their author's vectors and OpenSSL."""

import subprocess

import pytest

from sso_proxy.specs.unix_crypt import DEFAULT_ROUNDS, apr1_crypt, sha_crypt

# Drepper, "Unix crypt using SHA-256 and SHA-512", the test vectors of the reference
# implementation; salts as they are after it has cut them.
VECTORS = [
    ("5", "saltstring", 5000, "Hello world!",
     "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    ("5", "saltstringsaltst", 10000, "Hello world!",
     "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
    ("5", "toolongsaltstrin", 5000, "This is just a test",
     "Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5"),
    ("6", "saltstring", 5000, "Hello world!",
     "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"),
    ("6", "saltstringsaltst", 10000, "Hello world!",
     "OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "salt", "rounds", "password", "wanted"), VECTORS)
def test_the_vectors_of_its_author(
    kind: str, salt: str, rounds: int, password: str, wanted: str
) -> None:
    made = sha_crypt(kind, password.encode(), salt.encode(), rounds)  # type: ignore[arg-type]
    assert made == wanted


def openssl(kind: str, salt: str, password: str) -> str:
    """Ask OpenSSL."""
    done = subprocess.run(  # noqa: S603
        ["openssl", "passwd", f"-{kind}", "-salt", salt, "-stdin"],  # noqa: S607
        input=password.encode(),
        capture_output=True,
        check=True,
        timeout=20,
    )
    return done.stdout.decode().strip()


@pytest.mark.parametrize(
    "password", ["a", "pässwörd", "x" * 64, "y" * 129], ids=lambda p: str(len(p))
)
@pytest.mark.parametrize("salt", ["ab", "8letters"])
def test_openssl_makes_the_same(salt: str, password: str) -> None:
    octets, salted = password.encode(), salt.encode()
    for kind in ("5", "6"):
        made = sha_crypt(kind, octets, salted, DEFAULT_ROUNDS)
        assert f"${kind}${salt}${made}" == openssl(kind, salt, password)
    made = apr1_crypt(octets, salted)
    assert f"$apr1${salt}${made}" == openssl("apr1", salt, password)
