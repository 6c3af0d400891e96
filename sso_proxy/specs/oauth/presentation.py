"""Where in a request an access token stands (RFC 6750 section 2), and other places."""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import attrs

from sso_proxy.model import RequestHead
from sso_proxy.specs.http.parameters import read_cookie, read_parameter
from sso_proxy.specs.oauth.bearer import InvalidRequestError, Scheme, read_credential

PARAMETER: Final = "access_token"
"""The parameter that RFC 6750 sections 2.2 and 2.3 give a token in."""

KINDS: Final = ("header", "query", "form", "cookie", "basic")

_is_token = re.compile(r"[A-Za-z0-9._~+/-]+=*").fullmatch
_is_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_is_scheme = re.compile(r"[A-Za-z][A-Za-z0-9-]*").fullmatch

_spelled = "".join(f"(?:{c}|%{ord(c):02x}|%{ord(c):02X})" for c in PARAMETER)
_text_with_parameter = re.compile(f"(?:^|[?&;]){_spelled}(?:[=&;]|$)").search
_octets_with_parameter = re.compile(
    f"(?:^|[?&;]){_spelled}(?:[=&;]|$)".encode("ascii")
).search


@attrs.frozen
class Place:
    """
    Where a token may stand.

    Attributes:
        kind: One of `KINDS`.
        name: Of the header field, lower-case, the parameter or the cookie.
        scheme: What comes before the token in a field other than ``Authorization``;
            empty if the token is the whole value.
    """

    kind: str
    name: str = ""
    scheme: str = ""

    @property
    def shielded(self) -> bool:
        """Whether shared caches keep off answers to such requests (RFC 9111 3.5)."""
        return self.name == "authorization"


STANDARD: Final = Place("header", "authorization")


@attrs.frozen
class Presented:
    """
    A token as it was presented.

    Attributes:
        scheme: ``Bearer`` or ``DPoP``; ``Bearer`` outside of ``Authorization``.
        token: The token.
        place: Where it stood.
    """

    scheme: Scheme
    token: str = attrs.field(repr=False)
    place: Place


def read_place(text: str) -> Place:
    """
    Read what the configuration calls a place.

    ``header``; ``header:X-Token``, the token alone; ``header:X-Token Scheme``, after a
    scheme; ``query``, ``form`` and ``cookie``, each of them with ``:name`` if the name
    is not ``access_token``; ``basic``, the password of Basic authentication.

    Raises:
        ValueError: It is none of these.
    """
    kind, colon, rest = text.partition(":")
    if kind not in KINDS or (colon and (not rest or kind == "basic")):
        raise ValueError(
            f"{text!r} is none of 'header', 'header:NAME', 'header:NAME SCHEME',"
            " 'query', 'query:NAME', 'form', 'form:NAME', 'cookie', 'cookie:NAME' and"
            " 'basic'"
        )
    if kind == "basic" or (kind == "header" and not rest):
        return Place(kind, "authorization")
    name, _, scheme = rest.partition(" ")
    if (
        not _is_name(name or PARAMETER)
        or (scheme and (kind != "header" or not _is_scheme(scheme)))
        or (kind == "header" and name.lower() in ("authorization", "cookie", "dpop"))
    ):
        raise ValueError(f"{text!r} names no place of its own")
    if kind == "header":
        return Place(kind, name.lower(), scheme)
    return Place(kind, name or PARAMETER)


def find_token(
    head: RequestHead, places: Collection[Place], form: str | None = None
) -> Presented | None:
    """
    Find the token of a request.

    Args:
        head: The request.
        places: Where it is taken from.
        form: The content of its body, if that is a form.

    Raises:
        InvalidRequestError: There is more than one token, in one place or in several,
            the places of RFC 6750 included (section 2: MUST NOT), or what stands
            there is no token.
        BadMessageError: The query can be read in two ways.
    """
    found: list[Presented] = []
    strays = _strays(head, places)
    for place in places:
        found += _look(head, place, form)
    if not found:
        return None
    if len(found) + strays > 1:
        raise InvalidRequestError("more than one token", reason="token-twice")
    return found[0]


def names_parameter(query: str) -> bool:
    """Say whether *query* has ``access_token``, however it is escaped."""
    return _text_with_parameter(query) is not None


def octets_name_parameter(query: bytes) -> bool:
    """Say so of octets, which may begin with the ``?``."""
    return _octets_with_parameter(query) is not None


def _strays(head: RequestHead, places: Iterable[Place]) -> int:
    """Count the standard places that have a token and are not looked at."""
    kinds = {place.kind for place in places}
    in_field = "header" not in kinds and any(
        value[:7].lower() == "bearer " or value[:5].lower() == "dpop "
        for value in head.values("authorization")
    )
    in_query = (
        not any(place == Place("query", PARAMETER) for place in places)
        and head.query is not None
        and names_parameter(head.query)
    )
    return in_field + in_query


def _look(head: RequestHead, place: Place, form: str | None) -> list[Presented]:
    """Give the tokens that stand in *place*."""
    match place:
        case Place("header", "authorization"):
            found = read_credential(head.values("authorization"))
            return (
                [] if found is None else [Presented(found.scheme, found.token, place)]
            )
        case Place("header", name, scheme):
            values = _after_scheme(head.values(name), scheme)
        case Place("query", name):
            values = read_parameter(head.query, name)
        case Place("form", name):
            values = read_parameter(form, name)
        case Place("cookie", name):
            fields = head.values("cookie")
            # What is left of a cookie that was taken back is no token.
            values = [v for field in fields for v in read_cookie(field, name) if v]
        case _:
            values = _passwords(head.values("authorization"))
    for value in values:
        if not _is_token(value):
            raise InvalidRequestError("no b64token", reason="token-syntax")
    return [Presented("Bearer", value, place) for value in values]


def _after_scheme(values: Sequence[str], scheme: str) -> list[str]:
    """Give what follows *scheme* in those of *values* that begin with it."""
    if not scheme:
        return [*values]
    begin = f"{scheme.lower()} "
    return [v[len(begin) :] for v in values if v.lower().startswith(begin)]


def _passwords(values: Sequence[str]) -> list[str]:
    """Give the passwords of Basic credentials (RFC 7617 section 2)."""
    found = []
    for encoded in _after_scheme(values, "Basic"):
        try:
            pair = b64decode(encoded, validate=True).decode("ascii")
        except (Error, ValueError):
            raise InvalidRequestError("no Basic", reason="token-syntax") from None
        found.append(pair.partition(":")[2])
    return found
