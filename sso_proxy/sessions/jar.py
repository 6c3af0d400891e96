"""A session's cookie in the requests and answers of one ``[session.N]``."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import attrs

from sso_proxy.errors import SessionTooLargeError
from sso_proxy.model import Headers, Request
from sso_proxy.specs.http.cookies import (
    MOST_CHUNKS,
    Scope,
    build_set_cookie,
    join_chunks,
    read_cookies,
    split_chunks,
)

NO_STORE: Final = ("cache-control", "no-store")
"""A shared cache that kept an answer with a cookie would hand out the session."""


_read_again = lru_cache(maxsize=256)(read_cookies)
"""Browsers send the same cookies over and over."""
SHORT: Final = 8192
"""Octets of cookies that are remembered: nobody can fill the memory with theirs."""


def field_of(request: Request) -> str:
    """Give what *request* says in ``Cookie``; empty if nothing."""
    for name, value in request.head.headers:
        if name == "cookie":
            return value  # there may only be one
    return ""


def cookies_of(request: Request, begin: str) -> Mapping[str, str | None]:
    """Give the cookies of *request* whose names begin with *begin*."""
    return cookies_in(field_of(request), begin)


def cookies_in(field: str, begin: str) -> Mapping[str, str | None]:
    """Give the cookies of a ``Cookie`` *field* whose names begin with *begin*."""
    if not field:
        return {}
    read = _read_again if len(field) <= SHORT else read_cookies
    return read(field, begin)


@attrs.frozen(kw_only=True)
class Jar:
    """
    Reads and writes the cookie.

    Attributes:
        name: Its name.
        scope: Where it goes.
        max_age: Seconds that browsers keep it, or None.
    """

    name: str
    scope: Scope
    max_age: int | None = None

    def read(self, request: Request) -> str | None:
        """Give what the cookie says; None if it is not all there, or there twice."""
        return self.find(field_of(request))

    def find(self, field: str) -> str | None:
        """Give what the cookie says in a ``Cookie`` *field*, as `read` does."""
        return join_chunks(cookies_in(field, self.name), self.name)

    def lacks(self, request: Request) -> str:
        """Say why `read` gives nothing: ``none`` is there, or it is ``damaged``."""
        return "damaged" if self.name in cookies_of(request, self.name) else "none"

    def write(self, request: Request, value: str) -> Headers:
        """
        Say that the cookie says *value*, and take away what is left of a longer one.

        Raises:
            SessionTooLargeError: It does not fit into the cookies that there may be.
        """
        try:
            chunks = split_chunks(self.name, value)
        except ValueError as e:
            # Each takes its name and number besides; nobody asks for more precision.
            most = MOST_CHUNKS * 3900
            raise SessionTooLargeError(len(value), most) from e
        fields = [
            build_set_cookie(name, text, self.scope, max_age=self.max_age)
            for name, text in chunks
        ]
        written = {name for name, _ in chunks}
        fields += self._removals(n for n in self._present(request) if n not in written)
        return (*(("set-cookie", field) for field in fields), NO_STORE)

    def clear(self, request: Request) -> Headers:
        """Take away all cookies that *request* has of this name."""
        fields = self._removals(self._present(request))
        if not fields:
            return ()
        return (*(("set-cookie", field) for field in fields), NO_STORE)

    def _present(self, request: Request) -> list[str]:
        cookies = cookies_of(request, self.name)
        chunks = {f"{self.name}.{i}" for i in range(1, MOST_CHUNKS)}
        return [name for name in cookies if name == self.name or name in chunks]

    def _removals(self, names: Iterable[str]) -> list[str]:
        return [build_set_cookie(name, "", self.scope, max_age=0) for name in names]
