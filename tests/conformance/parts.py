"""What the provider of our tests is asked, what it answers, and who its client is."""

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import attrs

Fields = tuple[tuple[str, str], ...]
Change = Callable[[Any, Any], Any]


@attrs.frozen(kw_only=True)
class Asked:
    """
    A request.

    Attributes:
        method: Its method.
        path: Its path below the issuer's.
        url: The whole of it, without query.
        query: The fields of its query.
        form: The fields of its form.
        headers: By names in lower case.
        certificate: The client's, in DER, or None.
        body: The content.
    """

    method: str
    path: str
    url: str
    query: Fields
    form: Fields
    headers: Mapping[str, str]
    certificate: bytes | None = None
    body: bytes = b""

    def one(self, name: str) -> str:
        """Give a field of the form, or nothing."""
        return dict(self.form).get(name, "")


@attrs.frozen(kw_only=True)
class Reply:
    """
    An answer.

    Attributes:
        status: The status code.
        body: The content.
        content_type: What it is said to be.
        headers: Further fields.
        wait: Seconds before it is sent.
        lacks: Octets that are promised and never come.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Fields = ()
    wait: float = 0.0
    lacks: int = 0


@attrs.frozen(kw_only=True)
class Client:
    """
    Who may log people in here.

    Attributes:
        client_id: Its name.
        auth: How it has to say who it is.
        secret: What it shares with the provider.
        keys: Its public keys (JWK): it signs assertions and request objects with them.
        thumbprint: That of its certificate (``x5t#S256``).
        callback: What its redirect URIs have in them.
    """

    client_id: str = "proxy"
    auth: str = "client_secret_basic"
    secret: str = attrs.field(default="a-secret-of-32-octets-at-the-least", repr=False)
    keys: tuple[Mapping[str, Any], ...] = ()
    thumbprint: str = ""
    callback: str = "/.sso/callback/"


@attrs.define(kw_only=True, eq=False)
class Grant:
    """
    One login, from the authorization request to the last refresh.

    Attributes:
        asked: The authorization request's parameters.
        subject: Who logged in.
        auth_time: When, in seconds since the epoch.
        code: The authorization code.
        redeemed: How often the code came.
        front: Whether what is made now goes through the browser.
        front_token: The access token that went through it.
        access_token: The last one.
        refresh_token: The last one.
        refreshes: How many there were.
        jkt: The key that tokens are bound to (RFC 9449), if they are.
        x5t: The certificate that they are bound to (RFC 8705), if they are.
    """

    asked: Mapping[str, str]
    subject: str
    auth_time: int
    code: str
    redeemed: int = 0
    front: bool = False
    front_token: str = ""
    access_token: str = ""
    refresh_token: str = ""
    refreshes: int = 0
    jkt: str | None = None
    x5t: str | None = None


class Changes:
    """What is done otherwise than a good provider does it, step by step."""

    def __init__(self) -> None:
        self._steps: dict[str, list[Change]] = defaultdict(list)

    def add(self, step: str, change: Change) -> None:
        """
        Have *change* decide what a step comes to.

        Args:
            step: One of `STEPS`.
            change: Takes what is right and the `Grant`; gives what is used.
        """
        assert step in STEPS, step
        self._steps[step].append(change)

    def apply(self, step: str, right: Any, grant: Grant | None = None) -> Any:  # noqa: ANN401
        """Give what a step comes to."""
        for change in self._steps[step]:
            right = change(right, grant)
        return right


STEPS: Final = frozenset(
    {
        "metadata",  # what the metadata document says
        "metadata_reply",  # how it is sent
        "jwks",  # the members of the key set
        "answer",  # the fields of the authorization response
        "answer_mode",  # how they are sent
        "jarm_claims",  # what a signed response says (JARM)
        "jarm",  # its text
        "id_token_claims",
        "id_token_header",
        "id_token",  # its text
        "token",  # the members of the token response
        "token_reply",  # how it is sent
        "userinfo",  # the claims
        "userinfo_body",  # the octets and their type
        "userinfo_reply",  # how they are sent
    }
)


class AskedWronglyError(Exception):
    """
    A client did what none should.

    Attributes:
        error: The code that it is told.
        detail: What was wrong.
        headers: Fields of the answer.
    """

    def __init__(self, error: str, detail: str, *headers: tuple[str, str]) -> None:
        super().__init__(f"{error}: {detail}")
        self.error = error
        self.detail = detail
        self.headers = headers


def json_reply(value: object, status: int = 200, *headers: tuple[str, str]) -> Reply:
    """Answer with JSON."""
    kept = (*headers, ("Cache-Control", "no-store"))
    return Reply(status=status, body=json.dumps(value).encode(), headers=kept)


def read_fields(text: str) -> Fields:
    """Read a query or a form."""
    return tuple(parse_qsl(text, keep_blank_values=True))


def b64(octets: bytes) -> str:
    """Encode base64url without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha256(text: str) -> str:
    """Give the hash of a text in base64url."""
    return b64(hashlib.sha256(text.encode()).digest())


def half_hash(alg: str, text: str) -> str:
    """Give ``at_hash`` and its like for an ID token signed with *alg*."""
    size = "512" if alg == "EdDSA" else alg[2:]
    digest = hashlib.new(f"sha{size}", text.encode()).digest()
    return b64(digest[: len(digest) // 2])


def thumbprint(certificate: bytes) -> str:
    """Give the ``x5t#S256`` of a certificate in DER."""
    return b64(hashlib.sha256(certificate).digest())
