"""
Files of users and password hashes, as Apache's ``htpasswd`` writes them.

Taken are bcrypt (``$2y$``, ``$2b$``, ``$2a$``), SHA-crypt (``$5$``, ``$6$``) and
``$apr1$``, which is weak and only there to be read.  What is weaker is refused.
"""

import hmac
import re
from typing import Final, Literal

import attrs
import bcrypt

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.unix_crypt import DEFAULT_ROUNDS, apr1_crypt, sha_crypt

MOST_COST: Final = 15
"""Of bcrypt: more takes seconds for each try."""
MOST_ROUNDS: Final = 1_000_000
"""Of SHA-crypt, likewise."""
LONGEST_NAME: Final = 255
"""Characters of a user name."""

_BCRYPT_OCTETS: Final = 72
"""What bcrypt looks at of a password; Apache leaves out the rest, too."""

_bcrypt = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}").fullmatch
_sha_crypt = re.compile(
    r"\$([56])\$(?:rounds=([1-9]\d{0,8})\$)?([^$:]{0,16})\$([./A-Za-z0-9]+)"
).fullmatch
_apr1 = re.compile(r"\$apr1\$([^$:]{0,8})\$([./A-Za-z0-9]{22})").fullmatch
_SHA_CRYPT_LENGTHS: Final = {"5": 43, "6": 86}
_REFUSED: Final = (
    ("{SHA}", "SHA-1 without salt is no protection"),
    ("$1$", "MD5-crypt is too weak"),
    ("$y$", "yescrypt is not supported"),
    ("$2x$", "$2x$ is what a faulty bcrypt made"),
)


@attrs.frozen
class HtpasswdError(SsoProxyError):
    """
    A file cannot be used.

    Attributes:
        problems: All that is wrong with it, by line; nothing secret.
    """

    problems: tuple[str, ...]


@attrs.frozen(kw_only=True)
class PasswordHash:
    """
    What is known of a password.

    Attributes:
        kind: How it was made.
        text: All of it, as it stands in the file.  A secret.
        cost: The work of one look at it: bcrypt's cost, or rounds.
    """

    kind: Literal["bcrypt", "5", "6", "apr1"]
    text: str = attrs.field(repr=False)
    cost: int

    def matches(self, password: bytes) -> bool:
        """Say whether it was made of *password*; takes as long either way."""
        text = self.text.encode()
        if self.kind == "bcrypt":
            # A NUL ends a password in C, so that longer ones would be as good.
            known, cut = b"\0" not in password, password[:_BCRYPT_OCTETS]
            return bcrypt.checkpw(cut.replace(b"\0", b"?"), text) and known
        head, _, _ = text.rpartition(b"$")
        salt = head.rpartition(b"$")[2]
        if self.kind == "apr1":
            made = apr1_crypt(password, salt)
        else:
            made = sha_crypt(self.kind, password, salt, self.cost)
        return hmac.compare_digest(head + b"$" + made.encode(), text)


STAND_IN: Final = PasswordHash(
    kind="bcrypt",
    # Of 32 random octets that nobody has kept.
    text="$2b$10$lv6WNz05BkeKoTxcgi7JNu7jR8RJdnz4TLSAPIWgsu3QWgaLor87C",
    cost=10,
)
"""What is looked at where a file has no users."""


def read_hash(text: str) -> PasswordHash:
    """
    Read one hash.

    Raises:
        ValueError: It is none that is taken; the message holds nothing of it.
    """
    found = _bcrypt(text)
    if found:
        cost = int(found[1])
        if not 4 <= cost <= MOST_COST:
            raise ValueError(f"a cost of bcrypt of 4 to {MOST_COST} is taken")
        return PasswordHash(kind="bcrypt", text=text, cost=cost)
    found = _sha_crypt(text)
    if found and len(found[4]) == _SHA_CRYPT_LENGTHS[found[1]]:
        rounds = int(found[2] or DEFAULT_ROUNDS)
        if not 1000 <= rounds <= MOST_ROUNDS:
            raise ValueError(f"1000 to {MOST_ROUNDS} rounds are taken")
        kind: Literal["5", "6"] = "5" if found[1] == "5" else "6"
        return PasswordHash(kind=kind, text=text, cost=rounds)
    if _apr1(text):
        return PasswordHash(kind="apr1", text=text, cost=1000)
    for begin, why in _REFUSED:
        if text.startswith(begin):
            raise ValueError(why)
    if text.startswith(("$2", "$5$", "$6$", "$apr1$")):
        raise ValueError("the hash is not whole")
    raise ValueError("neither plain text nor DES is taken: make it with htpasswd -B")


def read_htpasswd(text: str) -> dict[str, PasswordHash]:
    """
    Read a file: a user, a colon and a hash in each line; ``#`` begins a comment.

    What stands behind another colon is not looked at.

    Raises:
        HtpasswdError: With every line that cannot be used.
    """
    found: dict[str, PasswordHash] = {}
    problems = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.removesuffix("\r")
        if not stripped.strip() or stripped.startswith("#"):
            continue
        user, colon, rest = stripped.partition(":")
        if not colon or not is_user_name(user):
            problems.append(f"line {number}: no user name and colon")
            continue
        if user in found:
            problems.append(f"line {number}: {user!r} is there already")
        try:
            found[user] = read_hash(rest.partition(":")[0])
        except ValueError as e:
            problems.append(f"line {number}: {e}")
    if problems:
        raise HtpasswdError(tuple(problems))
    return found


def is_user_name(text: str) -> bool:
    """Say whether *text* can be a user's name in such a file."""
    return 0 < len(text) <= LONGEST_NAME and text.isprintable() and ":" not in text
