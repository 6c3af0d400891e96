"""
Our own cookies: read strictly, written with all that protects them (RFC 6265).

A value that is too long for one cookie is cut: the first cookie says how many there are
(``3.…``), the others have ``.1``, ``.2`` behind its name.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

import attrs

from sso_proxy.errors import BadMessageError

SameSite = Literal["lax", "strict", "none"]

MOST_PAIRS: Final = 300
"""Cookies in one request; browsers keep fewer than 200 for a site."""
MOST_OCTETS: Final = 65536
"""Octets of a ``Cookie`` field."""

CHUNK: Final = 4000
"""Octets of a cookie, name and value: browsers drop what has more than 4,096."""
MOST_CHUNKS: Final = 9

OURS: Final = ("__Host-sso", "__Secure-sso")
"""What the names of all our cookies begin with."""

TRIES: Final = "__Host-sso-tries"
"""The cookie that counts how often a browser has logged in."""

LOGOUT: Final = "__Host-sso-logout"
"""The cookie that says what is known of a logout while a browser is at a provider."""

MARK: Final = "__Host-sso-mark"
"""The cookie that says which browser has posted what waits for a login."""

ROUNDS: Final = "__Host-sso-rounds"
"""The cookie that counts how often a browser is sent back to one place of a site."""

HOLDER: Final = "__Host-sso-device-"
"""How the names of cookies begin that say what a device's key is registered for."""

_LOGIN: Final = "__Host-sso-login-"
_RESERVED: Final = (
    *(begin.rstrip("-") for begin in (_LOGIN, HOLDER)),
    *("__Host-sso-bound", "__Secure-sso-bound", TRIES, LOGOUT, MARK, ROUNDS),
)
_name = re.compile(r"__(?:Host|Secure)-sso(?:-[A-Za-z0-9]+){0,4}").fullmatch
_value = re.compile(r"[A-Za-z0-9._-]*+").fullmatch
_domain = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+").fullmatch
_path = re.compile(r"/[A-Za-z0-9._~!$&'()*+,=:@%/-]*").fullmatch


@attrs.frozen(kw_only=True)
class Scope:
    """
    Where a cookie goes.  It is always ``Secure`` and ``HttpOnly``.

    Attributes:
        same_site: From which pages a browser sends it.
        path: To which paths.
        domain: To which host and all below it; None sends it to its own host only.
    """

    same_site: SameSite = "lax"
    path: str = "/"
    domain: str | None = None

    def covers(self, host: str, path: str) -> bool:
        """Say whether a browser keeps and sends it for *path* of *host*."""
        if self.domain is not None and not ("." + host).endswith("." + self.domain):
            return False
        return path == self.path or path.startswith(self.path.rstrip("/") + "/")


def name_problem(name: str) -> str | None:
    """Say why *name* cannot be the name of a session's cookie."""
    if not _name(name) or name.startswith(_RESERVED):
        return (
            f"{name!r} is no name of ours; write '__Host-sso' or '__Host-sso-admin',"
            " with a domain or path '__Secure-sso' or '__Secure-sso-admin'"
        )
    return None


def scope_problem(name: str, scope: Scope) -> str | None:
    """Say why a browser would not take a cookie called *name* with *scope*."""
    if scope.domain is not None and not _domain(scope.domain):
        return f"{scope.domain!r} is no domain; write 'example.com'"
    if not _path(scope.path):
        return f"{scope.path!r} is no path; write '/' or '/app/'"
    if name.startswith("__Host-") and (scope.domain is not None or scope.path != "/"):
        return "browsers refuse __Host- cookies with it; call the cookie __Secure-sso"
    return None


def login_name(state: str) -> str:
    """Give the name of the cookie that belongs to the login *state*."""
    return _LOGIN + state


def read_cookies(field: str, begin: str) -> dict[str, str | None]:
    """
    Give the cookies whose names begin with *begin*.

    One whose value cannot be ours is None, and so is one that is there with several
    values: somebody beside us, such as another host of the domain, has set one of them,
    and nobody can say which.

    Raises:
        BadMessageError: 431: these are more cookies than any browser has.
    """
    if begin not in field:
        return {}
    pairs = field.split(";", MOST_PAIRS)
    if len(pairs) > MOST_PAIRS or len(field) > MOST_OCTETS:
        raise BadMessageError(431, "cookies")
    found: dict[str, str | None] = {}
    for pair in pairs:
        if begin in pair:
            name, _, value = pair.partition("=")
            name, value = name.strip(" \t"), value.strip(" \t")
            if name.startswith(begin):
                good = _value(value) and found.get(name, value) == value
                found[name] = value if good else None
    return found


def join_chunks(cookies: Mapping[str, str | None], name: str) -> str | None:
    """Put the value of *name* together; None unless all of it is there."""
    count, dot, value = (cookies.get(name) or "").partition(".")
    if not dot or len(count) != 1 or not "1" <= count <= str(MOST_CHUNKS):
        return None
    for number in range(1, int(count)):
        part = cookies.get(f"{name}.{number}")
        if part is None:
            return None
        value += part
    return value


def split_chunks(name: str, value: str) -> list[tuple[str, str]]:
    """
    Cut *value* into cookies: their names and values.

    Raises:
        ValueError: There would be more than `MOST_CHUNKS`.
    """
    room = CHUNK - len(f"{name}.1=1.")
    parts = [value[i : i + room] for i in range(0, len(value), room)] or [""]
    if len(parts) > MOST_CHUNKS:
        raise ValueError(f"{len(value)} octets do not fit into {MOST_CHUNKS} cookies")
    first, *others = parts
    chunks = [(name, f"{len(parts)}.{first}")]
    chunks += [(f"{name}.{i}", part) for i, part in enumerate(others, 1)]
    return chunks


def build_set_cookie(
    name: str, value: str, scope: Scope, *, max_age: int | None = None
) -> str:
    """
    Write a ``Set-Cookie`` value (RFC 6265 section 4.1).

    Args:
        name: The cookie's name.
        value: What it says; empty with *max_age* 0 takes it away.
        scope: Where it goes.
        max_age: Seconds that the browser keeps it; None: until the browser ends.
    """
    domain = "" if scope.domain is None else f"; Domain={scope.domain}"
    age = "" if max_age is None else f"; Max-Age={max_age}"
    same_site = scope.same_site.capitalize()
    return (
        f"{name}={value}; Path={scope.path}{domain}{age}; Secure; HttpOnly"
        f"; SameSite={same_site}"
    )
