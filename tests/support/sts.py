"""
A token endpoint of ours: good, unless a test has it misbehave.

`TokenServer` is a plain object that answers requests: give `TokenServer.http_client()`
to what is tested, and nothing goes over a network; or have it served over https by
`tests.support.sts_serving`.  It does the grants of RFC 6749, 7522, 7523 and 8693, and
answers anything else that is put into `TokenServer.said`, SOAP for example.
"""

import contextlib
import itertools
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import attrs

from sso_proxy.net.http_client import ClientTls, HttpReply, NoReplyError, Trouble
from sso_proxy.testing.tokens import TokenSigner
from tests.conformance.checks import check_client, check_proof
from tests.conformance.parts import (
    Asked,
    AskedWronglyError,
    Client,
    read_fields,
    thumbprint,
    unb64,
)
from tests.support.sts_faults import Fault, Gate, Good, Said, fault_named, say

EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SAML2_BEARER: Final = "urn:ietf:params:oauth:grant-type:saml2-bearer"
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"
SIGNER: Final = TokenSigner.create("ES256", "sts-1")
LIMIT: Final = 262144
"""Octets of an answer that the double of the HTTP client takes."""

FORM: Final = "application/x-www-form-urlencoded"

_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    EXCHANGE: ("subject_token", "subject_token_type"),
    JWT_BEARER: ("assertion",),
    SAML2_BEARER: ("assertion",),
    "password": ("username", "password"),
    "client_credentials": (),
    "refresh_token": ("refresh_token",),
}
_TWICE: Final = {"audience", "resource"}
"""Parameters that may stand more than once (RFC 8693 section 2.1, RFC 8707)."""


class TokenServer:
    """
    One token endpoint.

    Args:
        clients: Who may ask, and how each has to say who it is; none: anybody may.
        origin: Where it is, as long as it does not listen.
        clock: The time.

    Attributes:
        origin: Its origin; what it is asked below that does not matter.
        jwt: Whether it gives JWTs; otherwise nobody can read its tokens.
        ttl: Seconds that they are good for.
        members: Changes to all answers; None takes a member out.
        nonce: The DPoP nonce that it wants to see, if any.
        said: What it answers to everything, after it was asked, instead of a token.
        asked: Every request, in order, unfit ones included.
        issued: Every token that it gave, in order.
        complaints: What was wrong with requests that it refused by itself.
    """

    def __init__(
        self,
        *clients: Client,
        origin: str = "https://sts.example.com",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clients = clients
        self.origin = origin
        self.jwt = True
        self.ttl = 300
        self.members: dict[str, object] = {}
        self.nonce: str | None = None
        self.said: Callable[[Asked], Said] | None = None
        self.asked: list[Asked] = []
        self.issued: list[str] = []
        self.complaints: list[str] = []
        self._clock = clock
        self._next: list[Fault] = []
        self._always: Fault | None = None
        self._seen: set[str] = set()
        self._numbers = itertools.count(1)
        self._gates: list[Gate] = []
        self._lock = threading.RLock()

    @property
    def url(self) -> str:
        """Give the token endpoint."""
        return f"{self.origin}/token"

    @property
    def count(self) -> int:
        """Say how often it was asked."""
        return len(self.asked)

    @property
    def last(self) -> dict[str, str]:
        """Give the form of the last request."""
        return dict(self.asked[-1].form)

    def fail(self, *faults: str | Said | Fault) -> None:
        """Have the next requests answered by these, one after the other."""
        self._next += map(fault_named, faults)

    def always(self, fault: str | Said | Fault) -> None:
        """Have all requests answered by this from now on."""
        self._always = fault_named(fault)

    def heal(self) -> None:
        """Be good again, and let go of what is held."""
        self._next.clear()
        self._always = None
        self.said = None
        self.release()

    def release(self) -> None:
        """Let all answers go that are held."""
        with self._lock:
            gates, self._gates = self._gates, []
        for gate in gates:
            gate.open()

    def answer(self, asked: Asked) -> Said:
        """Answer a request."""
        with self._lock:
            self.asked.append(asked)
            said = self._answer(asked) if self.said is None else self.said(asked)
            if said.how in {"held", "stalled"}:
                # one answer may be given to several
                said = attrs.evolve(said, gate=Gate())
                self._gates.append(said.gate)
            return said

    def sign(self, asked: Asked, ttl: float) -> str:
        """Make a JWT as the answer to *asked*."""
        now = int(self._clock())
        form = dict(asked.form)
        claims = {
            "iss": self.origin,
            "aud": form.get("audience") or form.get("resource") or "default",
            "sub": _subject(form),
            "client_id": form.get("client_id", "proxy"),
            "scope": form.get("scope", ""),
            "iat": now,
            "exp": now + int(ttl),
            "jti": f"sts-{next(self._numbers)}",
        }
        return SIGNER.sign(claims)

    def http_client(self) -> "StsClient":
        """Give a double of `sso_proxy.net.http_client.HttpClient` that asks us."""
        return StsClient(self)

    def _answer(self, asked: Asked) -> Said:
        """Give a token, refuse, or do what was asked for instead."""
        try:
            members = self._members(asked)
        except AskedWronglyError as e:
            self.complaints.append(str(e))
            status = 401 if e.error == "invalid_client" else 400
            told = {"error": e.error, "error_description": e.detail}
            return say(told, status, *e.headers)
        fault = self._next.pop(0) if self._next else self._always
        if fault is None:
            return say(members)
        return fault(Good(asked=asked, members=members, server=self))

    def _members(self, asked: Asked) -> dict[str, Any]:
        """Give what a good answer says."""
        jkt = self._check(asked)
        if self.jwt:
            token = self.sign(asked, self.ttl)
        else:
            token = f"sts-{next(self._numbers)}-opaque"
        self.issued.append(token)
        said: dict[str, Any] = {
            "access_token": token,
            "token_type": "Bearer" if jkt is None else "DPoP",
            "expires_in": self.ttl,
        }
        if asked.one("grant_type") == EXCHANGE:
            said["issued_token_type"] = (
                asked.one("requested_token_type") or ACCESS_TOKEN
            )
        if asked.one("scope"):
            said["scope"] = asked.one("scope")
        said |= self.members
        return {name: value for name, value in said.items() if value is not None}

    def _check(self, asked: Asked) -> str | None:
        """Check a request; give the thumbprint of its key, if it shows one."""
        _require(asked.method == "POST", "a method that is not POST")
        kind = asked.headers.get("content-type", "").partition(";")[0]
        _require(kind == FORM, f"content type {kind}")
        names = [name for name, _ in asked.form if name not in _TWICE]
        _require(len({*names}) == len(names), "a parameter twice")
        self._check_client(asked)
        jkt = check_proof(asked, self.nonce, self._seen)
        grant = asked.one("grant_type")
        _require(grant in _NEEDED, f"grant {grant}", "unsupported_grant_type")
        for name in _NEEDED[grant]:
            _require(bool(asked.one(name)), f"no {name}")
        form = dict(asked.form)
        both = ("actor_token" in form) == ("actor_token_type" in form)
        _require(both, "actor_token and its type belong together")
        targets = [urlsplit(v) for name, v in asked.form if name == "resource"]
        good = all(target.scheme and not target.fragment for target in targets)
        _require(good, "resource is no absolute URI", "invalid_target")
        if grant == SAML2_BEARER:
            _require(b"<" in unb64(asked.one("assertion")), "no SAML", "invalid_grant")
        return jkt

    def _check_client(self, asked: Asked) -> None:
        """Check that the request is from one of those who may ask."""
        problem = None
        for client in self.clients:
            for audience in (self.origin, asked.url):
                try:
                    check_client(asked, client, audience, self._seen)
                except AskedWronglyError as e:
                    problem = e
                else:
                    return
        if problem is not None:
            raise problem


class StsClient:
    """
    A double of `HttpClient`: asks a `TokenServer` without a network.

    Attributes:
        tls: What each request would have been sent with.
    """

    def __init__(self, server: TokenServer) -> None:
        self.tls: list[ClientTls | None] = []
        self._server = server

    async def post_form(
        self,
        url: str,
        fields: Any,  # noqa: ANN401
        headers: Mapping[str, str] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> HttpReply:
        """Send a form."""
        kept = {"Content-Type": FORM, **(headers or {})}
        return await self.send("POST", url, urlencode(fields).encode(), kept, **options)

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> HttpReply:
        """Fetch *url*."""
        return await self.send("GET", url, b"", headers or {}, **options)

    async def send(  # noqa: PLR0913
        self,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        tls: ClientTls | None = None,
        max_bytes: int | None = None,
        **_: Any,  # noqa: ANN401
    ) -> HttpReply:
        """Send any request."""
        self.tls.append(tls)
        fields = {name.lower(): value for name, value in headers.items()}
        certificate = None if tls is None else _first_der(tls.certificate)
        said = self._server.answer(asked_of(method, url, fields, body, certificate))
        if said.how in {"held", "stalled"}:
            await said.gate.passed()
        limit = max_bytes or LIMIT
        if said.how == "endless" or len(said.body) > limit:
            raise _no_reply("the answer is too long", Trouble.GARBLED)
        if said.how in {"reset", "stalled"} or said.octets or said.lacks:
            raise _no_reply("ended without an answer", Trouble.GARBLED)
        fields_out = tuple((name.lower(), value) for name, value in said.headers)
        return HttpReply(status=said.status, headers=fields_out, body=said.body)


def asked_of(
    method: str,
    url: str,
    fields: Mapping[str, str],
    body: bytes,
    certificate: bytes | None,
) -> Asked:
    """Read a request; names in *fields* are in lower case."""
    parts = urlsplit(url)
    is_form = fields.get("content-type", "").startswith(FORM)
    return Asked(
        method=method,
        path=parts.path,
        url=url.partition("?")[0],
        query=read_fields(parts.query),
        form=read_fields(body.decode("latin-1")) if is_form else (),
        headers=fields,
        certificate=certificate,
        body=body,
    )


def _subject(form: Mapping[str, str]) -> str:
    """Say whom a token is about: who is named in a JWT, or who is digested in it."""
    token = form.get("subject_token") or form.get("assertion") or ""
    with contextlib.suppress(ValueError, IndexError, KeyError, TypeError):
        return str(json.loads(unb64(token.split(".")[1]))["sub"])
    who = form.get("username") or form.get("client_id") or "proxy"
    return thumbprint(token.encode()) if token else who


def _first_der(pem: bytes | None) -> bytes | None:
    """Give the first certificate of a chain in DER."""
    if pem is None:
        return None
    end = "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(pem.decode().partition(end)[0] + end)


def _no_reply(problem: str, trouble: Trouble) -> NoReplyError:
    return NoReplyError(f"sts: {problem}", problem=problem, trouble=trouble)


def _require(true: bool, what: str, error: str = "invalid_request") -> None:  # noqa: FBT001
    if not true:
        raise AskedWronglyError(error, what)
