"""What a token endpoint does wrong when a test wants it to."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs
from twisted.internet.defer import Deferred

from tests.conformance.parts import Asked, Fields

if TYPE_CHECKING:
    from tests.support.sts import TokenServer

HUGE: Final = 1 << 21
"""Octets of an answer that nobody should take."""

JSON: Final = "application/json"
How = Literal["whole", "held", "stalled", "endless", "reset"]


class Gate:
    """Holds back an answer, in a thread or in none."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._waiting: list[Deferred[None]] = []

    def open(self) -> None:
        """Let go."""
        self._open.set()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def block(self) -> None:
        """Wait in a thread."""
        self._open.wait()

    async def passed(self) -> None:
        """Wait without one."""
        if not self._open.is_set():
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting


@attrs.frozen(kw_only=True)
class Said:
    """
    An answer.

    Attributes:
        status: The status code.
        headers: All fields but ``Content-Length``.
        body: The content.
        lacks: Octets that are promised and never come.
        how: When it comes: ``whole``, at once; ``held``, as soon as the server is told
            to let go; ``stalled``, head and half of the body, and then nothing;
            ``endless``, the body again and again; ``reset``, never.
        octets: All that is sent, instead of status, headers and body.
        gate: What holds it back, if anything does.
    """

    status: int = 200
    headers: Fields = ()
    body: bytes = attrs.field(default=b"", repr=False)
    lacks: int = 0
    how: How = "whole"
    octets: bytes = attrs.field(default=b"", repr=False)
    gate: Gate = attrs.field(factory=Gate, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Good:
    """
    What would be right.

    Attributes:
        asked: The request.
        members: Of the answer to it.
        server: Who answers.
    """

    asked: Asked
    members: Mapping[str, Any] = attrs.field(repr=False)
    server: "TokenServer" = attrs.field(repr=False)


Fault = Callable[[Good], Said]


def say(value: object, status: int = 200, *headers: tuple[str, str]) -> Said:
    """Answer with JSON; numbers that JSON does not know are written all the same."""
    kept = (("Content-Type", JSON), ("Cache-Control", "no-store"), *headers)
    return Said(status=status, headers=kept, body=json.dumps(value).encode())


def raw(body: bytes, kind: str | None = JSON, status: int = 200) -> Fault:
    """Answer with *body*, said to be of *kind*."""
    headers = () if kind is None else (("Content-Type", kind),)
    return lambda _: Said(status=status, headers=headers, body=body)


def changed(**members: object) -> Fault:
    """Change what is right; None takes a member out."""

    def fault(good: Good) -> Said:
        said = {**good.members, **members}
        return say({name: value for name, value in said.items() if value is not None})

    return fault


def written(name: str, literal: str) -> Fault:
    """Write a member as no JSON library would."""

    def fault(good: Good) -> Said:
        marked = json.dumps({**good.members, name: "@@"})
        body = marked.replace('"@@"', literal).encode()
        return Said(headers=(("Content-Type", JSON),), body=body)

    return fault


def refused(error: str, status: int = 400, *headers: tuple[str, str]) -> Fault:
    """Refuse (RFC 6749 section 5.2)."""
    said = {"error": error, "error_description": "not today"}
    return lambda _: say(said, status, *headers)


def moved(status: int) -> Fault:
    """Send the client elsewhere: to a place of ours that records who comes."""

    def fault(good: Good) -> Said:
        to = (("Location", f"{good.server.origin}/elsewhere"),)
        return Said(status=status, headers=to)

    return fault


def as_said(how: How, **changes: Any) -> Fault:  # noqa: ANN401
    """Give the right answer in another way."""
    return lambda good: attrs.evolve(say(good.members), how=how, **changes)


def twice(name: str) -> Fault:
    """Say a member twice."""

    def fault(good: Good) -> Said:
        body = json.dumps(good.members)[:-1] + f', "{name}": "another"}}'
        return Said(headers=(("Content-Type", JSON),), body=body.encode())

    return fault


def _of_another_type(good: Good) -> Said:
    """Give the right content as a page."""
    return attrs.evolve(say(good.members), headers=(("Content-Type", "text/html"),))


def _cut(good: Good) -> Said:
    """Promise more than comes."""
    said = say(good.members)
    return attrs.evolve(said, body=said.body[:-20], lacks=20)


def _cut_json(good: Good) -> Said:
    """Leave out the end, and say that this is all."""
    said = say(good.members)
    return attrs.evolve(said, body=said.body[:-20])


def _expired(good: Good) -> Said:
    """Give a JWT that was good until a minute ago."""
    token = good.server.sign(good.asked, ttl=-60)
    return say({**good.members, "access_token": token, "expires_in": 300})


def _echoed(status: int, kind: str) -> Fault:
    """Give back all that was sent, as servers do that want to help."""

    def fault(good: Good) -> Said:
        text = " ".join(value for _, value in good.asked.form)
        members = {"error": "invalid_request", "error_description": text[:500]}
        body = text.encode() if kind != JSON else json.dumps(members).encode()
        return Said(status=status, headers=(("Content-Type", kind),), body=body)

    return fault


UNUSABLE: Final[Mapping[str, Fault]] = {
    "empty": raw(b""),
    "not-json": raw(b"<html>hello</html>"),
    "cut-json": _cut_json,
    "not-utf-8": raw(b'{"access_token": "\xff\xfe", "token_type": "Bearer"}'),
    "array": raw(b'["access_token", "x"]'),
    "text": raw(b'"access_token"'),
    "deep": raw(b"[" * 20000 + b"]" * 20000),
    "two-tokens": twice("access_token"),
    "two-types": twice("token_type"),
    "wrong-content-type": _of_another_type,
    "no-content-type": raw(b'{"access_token":"a","token_type":"Bearer"}', None),
    "no-token": changed(access_token=None),
    "null-token": written("access_token", "null"),
    "number-token": changed(access_token=17),
    "list-token": changed(access_token=["a"]),
    "object-token": changed(access_token={"a": "b"}),
    "empty-token": changed(access_token=""),
    "blank-in-token": changed(access_token="a b"),
    "newline-in-token": changed(access_token="a\r\nX-Injected: 1"),
    "control-in-token": changed(access_token="a\x00\x1b[31m"),
    "token-not-ascii": changed(access_token="tökèn"),
    "surrogate-in-token": written("access_token", '"\\ud800"'),
    "no-token-type": changed(token_type=None),
    "unknown-token-type": changed(token_type="mac"),
    "number-token-type": changed(token_type=1),
    "bool-expires": changed(expires_in=True),
    "negative-expires": changed(expires_in=-1),
    "words-expires": changed(expires_in="soon"),
    "list-expires": changed(expires_in=[300]),
    "exponent-expires": written("expires_in", "1e400"),
    "nan-expires": written("expires_in", "NaN"),
    "error-and-token": changed(error="invalid_grant"),
    "expired": _expired,
    "no-content": lambda _: Said(status=204),
    "created": lambda good: attrs.evolve(say(good.members), status=201),
    "echo-as-page": _echoed(200, "text/html"),
}
"""Answers without a token that could be used: the server is at fault (502)."""

KINDS: Final[Mapping[str, Fault]] = {
    "wrong-issued-type": changed(
        issued_token_type="urn:ietf:params:oauth:token-type:refresh_token"
    ),
    "number-issued-type": changed(issued_token_type=1),
    "no-issued-type": changed(issued_token_type=None),
    "not-for-access": changed(token_type="N_A"),
    "bound-to-no-key": changed(token_type="DPoP"),
}
"""Answers that are wrong after a token exchange (RFC 8693 section 2.2.1)."""

LIFETIMES: Final[Mapping[str, Fault]] = {
    "digits-as-text": changed(expires_in="300"),
    "no-expires": changed(expires_in=None),
    "zero-expires": changed(expires_in=0),
    "far-expires": changed(expires_in=10**9),
    "fraction-expires": written("expires_in", "299.5"),
}
"""Lifetimes that are unusual: whether a token is taken is for tests to say."""

REFUSALS: Final[Mapping[str, Fault]] = {
    **{
        error: refused(error)
        for error in (
            *("invalid_request", "invalid_grant", "unauthorized_client"),
            *("unsupported_grant_type", "invalid_scope", "invalid_target"),
        )
    },
    "invalid_client": refused(
        "invalid_client", 401, ("WWW-Authenticate", 'Basic realm="sts"')
    ),
    "access_denied": refused("access_denied", 403),
    "own-code": refused("com.example.too_late"),
    "echo-as-error": _echoed(400, JSON),
}
"""The server says no, in its own words."""

REDIRECTS: Final[Mapping[str, Fault]] = {
    str(status): moved(status) for status in (301, 302, 303, 307, 308)
}
"""Nobody may follow these: the request has credentials in it."""

DOWN: Final[Mapping[str, Fault]] = {
    "429": refused("slow_down", 429, ("Retry-After", "7")),
    "503": lambda _: Said(status=503, headers=(("Retry-After", "7"),)),
    "500": raw(b"<h1>Oops</h1>", "text/html", 500),
    "504": raw(b"", "text/plain", 504),
    "echo-as-trace": _echoed(500, "text/plain"),
    "reset": lambda _: Said(how="reset"),
    "nothing": lambda _: Said(how="whole", octets=b"\r\n"),
    "no-http": lambda _: Said(octets=b"SSH-2.0-OpenSSH_9.2\r\n"),
    "cut": _cut,
    "huge": changed(filler="x" * HUGE),
    "endless": as_said("endless"),
}
"""There is no answer (502, 503)."""

SLOW: Final[Mapping[str, Fault]] = {
    "held": as_said("held"),
    "stalled": as_said("stalled"),
}
"""There is none in time (504)."""

FAULTS: Final[Mapping[str, Fault]] = {
    **UNUSABLE,
    **KINDS,
    **LIFETIMES,
    **REFUSALS,
    **REDIRECTS,
    **DOWN,
    **SLOW,
}


def fault_named(fault: "str | Said | Fault") -> Fault:
    """Give the fault that is meant: a name of `FAULTS`, an answer, or itself."""
    if isinstance(fault, str):
        return FAULTS[fault]
    if isinstance(fault, Said):
        return lambda _: fault
    return fault


def names(*kinds: Mapping[str, Fault]) -> Sequence[str]:
    """Give the names of some kinds of faults, for a test's parameters."""
    return [name for kind in kinds for name in kind]


BAD: Final = names(UNUSABLE, KINDS, REFUSALS, REDIRECTS, DOWN)
"""The names of all answers that come at once and give no token."""
