"""
A browser that binds sessions to its device as Chromium 156 does, without a screen.

Written by what was seen of Chromium, and with nothing of ours: it reads and writes the
fields with expressions of its own.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, Self

import attrs
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

NEAR: Final = 120.0
"""Seconds: a cookie that is good for fewer is renewed in the background."""
MOST_PROOFS: Final = 4
"""Proofs in one refresh."""
QUOTA: Final = 6
"""Signatures of one profile for a site."""

_quoted = r'"((?:[^"\\]|\\.)*)"'
_offer = re.compile(r"\(([A-Z0-9 ]+)\)((?:;[a-z_]+=" + _quoted + r")*)")
_parameter = re.compile(r";([a-z_]+)=" + _quoted)
_challenge = re.compile(_quoted + r'(?:;id="([^"]*)")?')


@attrs.frozen(kw_only=True)
class Sent:
    """
    A request.

    Attributes:
        method: Its method.
        path: Path and query.
        fields: Names and values.
        body: Its content; None for none.
    """

    method: str
    path: str
    fields: tuple[tuple[str, str], ...]
    body: bytes | None = None

    def values(self, name: str) -> list[str]:
        """Give the values of the field called *name*."""
        return [value for key, value in self.fields if key.lower() == name.lower()]


@attrs.frozen(kw_only=True)
class Answer:
    """
    An answer.

    Attributes:
        status: The status code.
        fields: Names, in lower case, and values.
        body: The content.
    """

    status: int
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        """Give the values of the field called *name*."""
        return [value for key, value in self.fields if key == name.lower()]

    @property
    def location(self) -> str:
        """Give where it leads, or nothing."""
        return next(iter(self.values("location")), "")

    @property
    def text(self) -> str:
        """Give the content as text."""
        return self.body.decode()


class Server(Protocol):
    """Answers requests."""

    def __call__(self, sent: Sent) -> Answer:
        """Answer one."""


@attrs.define(kw_only=True)
class Cookie:
    """A cookie of the site."""

    value: str
    until: float | None = None


@attrs.define(kw_only=True)
class Bound:
    """
    What the browser knows of a device-bound session.

    Attributes:
        id: Its identifier.
        refresh: The path at which it is refreshed.
        rules: Of its scope, in the order in which they came.
        cookies: The cookies without which nothing in scope is sent.
        key: The private key.
        algorithm: What it signs with.
        challenge: What the next proof will be about, if that is known.
        cached: The last proof; sent again while there is no new challenge.
    """

    id: str
    refresh: str
    rules: list[tuple[str, str, str]]
    cookies: tuple[str, ...]
    key: Any
    algorithm: str
    challenge: str = ""
    cached: str = ""

    def covers(self, host: str, path: str) -> bool:
        """Say whether a request waits for this session; the last rule counts."""
        path = path.partition("?")[0]
        rules = [*self.rules, ("exclude", "*", self.refresh)]
        for kind, domain, prefix in reversed(rules):
            below = path.startswith(prefix.rstrip("/") + "/")
            if domain in ("*", host) and (path == prefix or below):
                return kind == "include"
        return True


class DeviceBrowser:
    """
    A profile of a browser, at one site.

    Args:
        server: Answers its requests.
        now: Gives the time.
        host: The site's host.
        keeps: Whether it can bind sessions at all.

    Attributes:
        server: May be replaced, as by another instance.
        cookies: By name.
        sessions: What is bound, by identifier.
        trail: All requests, with their answers' status.
        events: What became of sessions: ``registered``, ``refreshed``, ``ended: why``,
            ``transient``, ``failed: why``, ``quota``.
        quota: Whether signatures are counted.
        registers: Whether it registers ``before`` it follows a redirect, or ``after``.
        algorithms: What it can sign with.
        told: Fields of its own in proofs: ``aud`` if it says whom they are for.
    """

    def __init__(
        self,
        server: Server,
        now: Callable[[], float],
        host: str = "app.example.com",
        *,
        keeps: bool = True,
    ) -> None:
        self.server = server
        self.now = now
        self.host = host
        self.keeps = keeps
        self.cookies: dict[str, Cookie] = {}
        self.sessions: dict[str, Bound] = {}
        self.trail: list[tuple[Sent, int]] = []
        self.events: list[str] = []
        self.quota = False
        self.registers = "before"
        self.algorithms: tuple[str, ...] = ("ES256", "RS256")
        self.says_audience = False
        self._signed = 0

    @property
    def origin(self) -> str:
        """Give the site's origin."""
        return f"https://{self.host}"

    def copy_cookies(self) -> "DeviceBrowser":
        """Give another profile with the same cookies: that of a thief."""
        other = DeviceBrowser(self.server, self.now, self.host)
        other.cookies = {name: attrs.evolve(c) for name, c in self.cookies.items()}
        return other

    def restart(self) -> Self:
        """Begin anew with the same profile: keys stay, and cookies with a lifetime."""
        self.cookies = {n: c for n, c in self.cookies.items() if c.until is not None}
        for session in self.sessions.values():
            session.challenge = session.cached = ""
        return self

    def paths(self) -> list[str]:
        """Give what was asked for since this was last asked."""
        found = [f"{sent.method} {sent.path} {status}" for sent, status in self.trail]
        self.trail.clear()
        return found

    # What people and pages do

    def page(self, path: str) -> Answer:
        """Go to a page, and where it leads."""
        answer = self.visit(path)
        for _ in range(8):
            if not answer.location.startswith("/"):
                return answer
            waits = answer if self.registers == "after" else None
            answer = self.visit(answer.location)
            if waits is not None:
                self._register_all(waits)
        raise AssertionError(f"led around in circles: {self.paths()}")

    def visit(self, path: str, **fields: str) -> Answer:
        """Go to a page, and no further."""
        given = {
            "Accept": "text/html",
            "Sec-Fetch-Site": "none",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            **fields,
        }
        return self.send("GET", path, given)

    def fetch(
        self, path: str, method: str = "GET", body: bytes | None = None
    ) -> Answer:
        """Ask as a script of a page does."""
        given = {
            "Accept": "application/json",
            "Origin": self.origin,
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Dest": "empty",
        }
        return self.send(method, path, given, body)

    def submit(self, path: str, body: bytes = b"") -> Answer:
        """Send a form of a page."""
        given = {
            "Accept": "text/html",
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": self.origin,
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        }
        return self.send("POST", path, given, body)

    # What the browser does with a request

    def send(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        """Hold a request until its sessions are refreshed, send it, and do as told."""
        skipped, near = self.hold(path)
        answer = self.ask(method, path, {**fields, **skipped}, body)
        for session in near:
            if session.id in self.sessions and not answer.values("clear-site-data"):
                self.refresh(session)
        self._do(answer, registers=not answer.location or self.registers == "before")
        return answer

    def hold(self, path: str) -> tuple[dict[str, str], list[Bound]]:
        """
        Refresh what a request for *path* needs first.

        Returns:
            Fields that say what was not refreshed, and sessions to be refreshed in the
            background.
        """
        skipped: dict[str, str] = {}
        near: list[Bound] = []
        for session in [*self.sessions.values()]:
            if not session.covers(self.host, path):
                continue
            if not set(session.cookies) <= self.alive().keys():
                why = self.refresh(session)
                if why:
                    value = f'{why};session_identifier="{session.id}"'
                    skipped["Secure-Session-Skipped"] = value
            elif any(self._left(name) <= NEAR for name in session.cookies):
                near.append(session)
        return skipped, near

    def alive(self) -> dict[str, str]:
        """Give the cookies that are not over."""
        now = self.now()
        return {
            name: cookie.value
            for name, cookie in self.cookies.items()
            if cookie.until is None or cookie.until > now
        }

    def ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        """Send one request with all cookies, and keep those of the answer."""
        text = "; ".join(f"{name}={value}" for name, value in self.alive().items())
        every = [("Host", self.host), *fields.items()]
        if text:
            every.append(("Cookie", text))
        if body is not None:
            every.append(("Content-Length", str(len(body))))
        sent = Sent(method=method, path=path, fields=tuple(every), body=body)
        answer = self.server(sent)
        self.trail.append((sent, answer.status))
        for value in answer.values("set-cookie"):
            self._keep(value)
        if any(
            value in ('"cookies"', '"*"') for value in answer.values("clear-site-data")
        ):
            self.cookies.clear()
            for session in self.sessions.values():
                self.events.append(f"ended: cleared {session.id}")
            self.sessions.clear()
        return answer

    def post(self, path: str, fields: Mapping[str, str]) -> Answer:
        """Send what the browser sends by itself."""
        given = {
            "Origin": self.origin,
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "no-cors",
            "Sec-Fetch-Dest": "empty",
            **fields,
        }
        return self.ask("POST", path, given, b"")

    def _keep(self, field: str) -> None:
        pair, *rest = field.split("; ")
        name, _, value = pair.partition("=")
        said = {k.lower(): v for k, _, v in (each.partition("=") for each in rest)}
        assert "secure" in said, field
        age = said.get("max-age")
        if age is not None and int(age) <= 0:
            self.cookies.pop(name, None)
            return
        until = None if age is None else self.now() + int(age)
        self.cookies[name] = Cookie(value=value, until=until)

    def _left(self, name: str) -> float:
        until = self.cookies[name].until
        return NEAR + 1 if until is None else until - self.now()

    def _do(self, answer: Answer, *, registers: bool) -> None:
        """Do what an answer to a page's request says of sessions."""
        self._note_challenges(answer)
        if registers:
            self._register_all(answer)

    def _note_challenges(self, answer: Answer, only: Bound | None = None) -> None:
        for value in answer.values("secure-session-challenge"):
            match = _challenge.fullmatch(value)
            assert match is not None, value
            session = self.sessions.get(match[2]) if match[2] else only
            if session is not None:
                session.challenge, session.cached = match[1], ""

    # Registration

    def _register_all(self, answer: Answer) -> None:
        if not self.keeps:
            return
        for value in answer.values("secure-session-registration"):
            for match in _offer.finditer(value):
                told = dict(_parameter.findall(match[2]))
                self.register(match[1].split(" "), told)

    def register(self, algorithms: list[str], told: Mapping[str, str]) -> None:
        """Make a key, and register it."""
        algorithm = next((a for a in algorithms if a in self.algorithms), "")
        if not algorithm:
            return
        if not self._may_sign():
            self.events.append("quota")
            return
        key, jwk = make_key(algorithm)
        payload = {"jti": told["challenge"]}
        if "authorization" in told:
            payload["authorization"] = told["authorization"]
        if self.says_audience:
            payload["aud"] = self.origin + told["path"]
        header = {"alg": algorithm, "jwk": jwk, "typ": "dbsc+jwt"}
        proof = sign(key, algorithm, header, payload)
        answer = self.post(told["path"], {"Secure-Session-Response": proof})
        if answer.status not in (200, 201):
            kind = "transient" if answer.status >= 500 else "failed"
            self.events.append(f"{kind}: registration {answer.status}")
            return
        session = self._instructed(answer, key, algorithm)
        if session is None:
            self.events.append("failed: no session")
            return
        self.sessions[session.id] = session
        self._note_challenges(answer, session)
        self.events.append("registered")

    def _instructed(self, answer: Answer, key: Any, algorithm: str) -> Bound | None:  # noqa: ANN401
        assert answer.values("content-type")[0].startswith("application/json")
        document = json.loads(answer.body)
        if document.get("continue") is False:
            return None
        scope = document["scope"]
        assert scope["origin"] == self.origin, scope
        assert scope["include_site"] is False, scope
        rules = []
        for rule in scope["scope_specification"]:
            assert rule["domain"] in ("*", self.host), rule
            assert rule["path"].startswith("/"), rule
            rules.append((rule["type"], rule["domain"], rule["path"]))
        for each in document["credentials"]:
            assert each["type"] == "cookie", each
        return Bound(
            id=document["session_identifier"],
            refresh=document["refresh_url"],
            rules=rules,
            cookies=tuple(each["name"] for each in document["credentials"]),
            key=key,
            algorithm=algorithm,
        )

    # Refresh

    def refresh(self, session: Bound) -> str:
        """Prove the key of *session*; give why it was skipped, or nothing."""
        for _ in range(MOST_PROOFS + 1):
            proof = self._proof(session)
            if proof is None:
                self.events.append("quota")
                return "quota_exceeded"
            fields = {"Sec-Secure-Session-Id": session.id}
            if proof:
                fields["Secure-Session-Response"] = proof
            try:
                answer = self.post(session.refresh, fields)
            except ConnectionError:
                self.events.append("transient: unreachable")
                return "unreachable"
            self._note_challenges(answer, session)
            if answer.status == 403 and answer.values("secure-session-challenge"):
                continue
            return self._judge(session, answer)
        return self._end(session, "too many challenges")

    def _judge(self, session: Bound, answer: Answer) -> str:
        if answer.status >= 500:
            self.events.append(f"transient: {answer.status}")
            return "server_error"
        if answer.status not in (200, 201, 204):
            return self._end(session, str(answer.status))
        if not answer.body:
            self.events.append("refreshed")
            return ""
        new = self._instructed(answer, session.key, session.algorithm)
        if new is None:
            return self._end(session, "the server said so")
        if new.id != session.id:
            return self._end(session, "another id")
        session.rules, session.refresh = new.rules, new.refresh
        session.cookies = new.cookies
        self.events.append("refreshed")
        return ""

    def _end(self, session: Bound, why: str) -> str:
        self.sessions.pop(session.id, None)
        self.events.append(f"ended: {why}")
        return ""

    def _proof(self, session: Bound) -> str | None:
        """Sign the challenge that is known; the same octets for the same challenge."""
        if session.cached or not session.challenge:
            return session.cached
        if not self._may_sign():
            return None
        payload = {"jti": session.challenge}
        if self.says_audience:
            payload["aud"] = self.origin + session.refresh
        header = {"alg": session.algorithm, "typ": "dbsc+jwt"}
        session.cached = sign(session.key, session.algorithm, header, payload)
        return session.cached

    def _may_sign(self) -> bool:
        self._signed += 1
        return not self.quota or self._signed <= QUOTA


def make_key(algorithm: str) -> tuple[Any, dict[str, str]]:
    """Make a key, and give its public half as JWK, too."""
    if algorithm == "ES256":
        key = ec.generate_private_key(ec.SECP256R1())
        numbers = key.public_key().public_numbers()
        x, y = (encode(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
        return key, {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key().public_numbers()
    n = encode(public.n.to_bytes(256, "big"))
    return private, {"e": "AQAB", "kty": "RSA", "n": n}


def sign(
    key: Any,  # noqa: ANN401
    algorithm: str,
    header: Mapping[str, object],
    payload: Mapping[str, object],
) -> str:
    """Make a compact JWS."""
    parts = (json.dumps(part, separators=(",", ":")) for part in (header, payload))
    signed = ".".join(encode(part.encode()) for part in parts)
    if algorithm == "ES256":
        r, s = decode_dss_signature(
            key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        )
        octets = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    else:
        octets = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{encode(octets)}"


def encode(octets: bytes) -> str:
    """Write octets as JOSE does."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
