"""How a provider says that a login is over, rightly and wrongly."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import attrs

from tests.conformance.parts import Grant
from tests.conformance.provider import Provider
from tests.conformance.serving import now
from tests.conformance.tokens import unsigned
from tests.support.browser import Browser, Page

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_FORM: Final = "application/x-www-form-urlencoded"


@attrs.define(kw_only=True)
class Message:
    """
    A message of the provider.

    Attributes:
        claims: Of the logout token; None is left out.
        header: Of the same; ``alg`` says what it is signed with.
        fields: Parameters beside it.
        copies: How often the token is in the form.
        method: How it is sent.
        content_type: What it says that it is, or None.
    """

    claims: dict[str, Any]
    header: dict[str, Any] = attrs.field(factory=lambda: {"typ": "logout+jwt"})
    fields: dict[str, str] = attrs.field(factory=dict)
    copies: int = 1
    method: str = "POST"
    content_type: str | None = _FORM

    def token(self, provider: Provider) -> str:
        """Sign the token."""
        claims = {n: v for n, v in self.claims.items() if v is not None}
        header = dict(self.header)
        alg = header.pop("alg", provider.alg)
        if alg == "none":
            return unsigned({"alg": "none", **header}, claims)
        return provider.signer(alg).sign(claims, **header)

    def send(self, provider: Provider, browser: Browser, url: str) -> Page:
        """Send it, as a program without cookies."""
        fields = [("logout_token", self.token(provider))] * self.copies
        text = urlencode([*fields, *self.fields.items()])
        headers = {"Content-Type": self.content_type} if self.content_type else {}
        if self.method == "GET":
            return browser.send("GET", f"{url}?{text}", headers={})
        return browser.send(self.method, url, body=text, headers=headers)


def message_about(provider: Provider, grant: Grant) -> Message:
    """Give a good message about a login."""
    time = now()
    told = provider.id_token_claims(grant)
    return Message(
        claims={
            **{name: told[name] for name in ("iss", "sub", "aud", "sid")},
            "iat": time,
            "exp": time + 120,
            "jti": secrets.token_urlsafe(12),
            "events": {EVENT: {}},
            "ignored_claim": "ignored",
        },
        fields={"ignored_parameter": "ignored"},
    )


def _claim(**changes: Any) -> Callable[[Message], None]:  # noqa: ANN401
    def change(message: Message) -> None:
        message.claims |= changes

    return change


def _header(**changes: str) -> Callable[[Message], None]:
    def change(message: Message) -> None:
        message.header |= changes

    return change


def _set(**changes: Any) -> Callable[[Message], None]:  # noqa: ANN401
    def change(message: Message) -> None:
        for name, value in changes.items():
            setattr(message, name, value)

    return change


WRONG: Final[Mapping[str, Callable[[Message], None]]] = {
    "alg-none": _header(alg="none"),
    "wrong-alg": _header(alg="ES256"),
    "no-event": _claim(events=None),
    "wrong-event": _claim(events={EVENT + "-other": {}}),
    "event-not-object": _claim(events={EVENT: "x"}),
    "with-nonce": _claim(nonce="n"),
    "wrong-aud": _claim(aud="another-client"),
    "wrong-iss": _claim(iss="https://another.example"),
    "missing-iat": _claim(iat=None),
    "missing-jti": _claim(jti=None),
    "replayed-jti": lambda _message: None,
    "expired": _claim(exp=1_000_000_000),
    "no-sub-no-sid": _claim(sub=None, sid=None),
    "duplicate-parameter": _set(copies=2),
    "no-content-type": _set(content_type=None),
    "get-instead-of-post": _set(method="GET"),
}
"""What is wrong with a message, by the names of the rows."""

BORNE: Final[Mapping[str, Callable[[Message], None]]] = {
    "logout-unknown-sid-is-200": _claim(sid="unknown"),
    "logout-typ-plain-jwt": _header(typ="JWT"),
}
"""What a message may be, likewise."""
