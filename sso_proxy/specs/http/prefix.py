"""Paths that a backend has below others than its clients see: there and back."""

import re
from collections.abc import Iterable
from typing import Final

import attrs

_FIELDS: Final = re.compile(
    rb"(?<=\r\n)(Location|Content-Location|Refresh|Set-Cookie): ([^\r\n]*)\r\n"
)
_url = re.compile(
    r"(?:https?:)?//([^/?#\\]*)((?:/[^?#]*)?)((?:[?#].*)?)", re.IGNORECASE | re.DOTALL
)
_path = re.compile(r"(/(?![/\\])[^?#]*|/)([?#].*)?", re.DOTALL)
_refresh = re.compile(
    r"([\d.]+[ \t]*[;,][ \t]*url[ \t]*=[ \t]*)(['\"]?)([^'\"]*)(\2.*)", re.IGNORECASE
)
_cookie_domain = re.compile(r";[ \t]*domain[ \t]*=([^;]*)", re.IGNORECASE)
_cookie_path = re.compile(r"(;[ \t]*path[ \t]*=[ \t]*)([^;]*)", re.IGNORECASE)
_port = re.compile(r":\d*$")
_PORTS: Final = (":80", ":443")


@attrs.frozen
class PathPrefix:
    """
    What is taken off a client's path, and what the backend gets before the rest.

    Attributes:
        strip: Whole segments, or empty.
        add: Whole segments, or empty.
    """

    strip: str
    add: str

    def to_backend(self, path: str) -> str:
        """
        Give the backend's form of a path that begins with what is taken off.

        Segments are counted, not compared: a rule takes ``%40`` for ``@``.
        """
        end = 0
        for _ in range(self.strip.count("/")):
            end = path.find("/", end + 1)
            if end < 0:
                end = len(path)
                break
        return self.add + path[end:] or "/"

    def to_client(self, path: str) -> str | None:
        """Give the client's form of a backend's path; None if there is none."""
        rest = path
        if self.add:
            rest = path.removeprefix(self.add)
            if rest == path or (rest and not rest.startswith("/")):
                return None
        if not self.strip and rest.startswith(("//", "/\\")):
            return None  # what was a path would be another host
        return self.strip + rest or "/"

    def cookie_path(self, path: str) -> str:
        """Give the client's form of the ``Path`` of a cookie."""
        if not path.startswith("/"):
            return path
        found = self.to_client(path)
        if found is None:
            return path
        return found.rstrip("/") or "/" if path == "/" else found


@attrs.frozen(kw_only=True)
class AnswerPaths:
    """
    Puts the client's paths into an answer's fields, for the backend's.

    Attributes:
        prefix: How the paths differ.
        authorities: What the backend calls itself: hosts, with or without a port.
        origin: What the client calls it: ``https://app.example.com``.
        host: The host of that, in lower case.
        names: Hosts that the backend may take for its own, in lower case.
    """

    prefix: PathPrefix
    authorities: frozenset[str]
    origin: str
    host: str
    names: frozenset[str]

    def rewrite(self, block: bytes) -> bytes:
        """Change a block of field lines: ``Location`` and its like, and cookies."""
        return _FIELDS.sub(self._line, block)

    def url(self, url: str) -> str:
        """Give the client's form of a URL, if it is the backend's own."""
        if (match := _path.fullmatch(url)) is not None:
            path, rest, origin = match[1], match[2] or "", ""
        elif (match := _url.fullmatch(url)) is not None:
            if _plain(match[1]) not in self.authorities:
                return url
            path, rest, origin = match[2] or "/", match[3], self.origin
        else:
            return url
        found = self.prefix.to_client(path)
        return url if found is None else f"{origin}{found}{rest}"

    def _line(self, match: re.Match[bytes]) -> bytes:
        name, value = match[1], match[2].decode("latin-1")
        if name == b"Set-Cookie":
            value = self._cookie(value)
        elif name == b"Refresh":
            if (found := _refresh.fullmatch(value)) is not None:
                value = f"{found[1]}{found[2]}{self.url(found[3])}{found[4]}"
        else:
            value = self.url(value)
        return b"%b: %b\r\n" % (name, value.encode("latin-1"))

    def _cookie(self, value: str) -> str:
        if value[:7].lower() == "__host-":  # which browsers keep for "/" only
            return value
        value = _cookie_domain.sub(
            lambda found: "" if self._is_foreign(found[1]) else found[0], value
        )
        return _cookie_path.sub(
            lambda found: found[1] + self.prefix.cookie_path(found[2].strip(" \t")),
            value,
        )

    def _is_foreign(self, domain: str) -> bool:
        """
        Say whether a cookie's *domain* is the backend's, and not the client's.

        Browsers would not take the cookie (RFC 6265 section 5.3); without a domain it
        is of the client's host alone.
        """
        domain = domain.strip(" \t").removeprefix(".").lower()
        return not _is_within(self.host, domain) and any(
            _is_within(name, domain) for name in self.names
        )


def plain_authorities(authorities: Iterable[str]) -> frozenset[str]:
    """Give *authorities* in the form in which they are compared."""
    return frozenset(map(_plain, authorities))


def _is_within(host: str, domain: str) -> bool:
    return host == domain or (domain != "" and host.endswith(f".{domain}"))


def host_of(authority: str) -> str:
    """Give the lower-case host of an authority, with or without a port."""
    return _port.sub("", authority).lower()


def _plain(authority: str) -> str:
    """Give a lower-case authority without the port of a scheme."""
    authority = authority.lower()
    for port in _PORTS:
        authority = authority.removesuffix(port)
    return authority
