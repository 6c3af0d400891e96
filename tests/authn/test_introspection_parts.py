"""What asks about tokens is made of good files only."""

from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred

from sso_proxy.authn.introspection_config import IntrospectionConfig
from sso_proxy.authn.introspection_parts import build_introspector
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError, TokenError, UnavailableError
from sso_proxy.net.http_client import HttpReply
from sso_proxy.net.introspection import Introspector
from sso_proxy.specs.jose.compact import split_compact
from sso_proxy.specs.jose.keys import read_jwks
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.oauth.metadata import ServerMetadata
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import TokenSigner, jwks

ISSUER = "https://as.example.com"
URL = ISSUER + "/introspect"
PKI = Pki.create()
SIGNER = TokenSigner.create()


ACTIVE = HttpReply(
    status=200,
    headers=(("content-type", "application/json"),),
    body=b'{"active":true,"sub":"u"}',
)


@attrs.define
class FakeClient:
    """Answers everything in the same way and notes what was asked."""

    reply: HttpReply = ACTIVE
    asked: list[dict[str, Any]] = attrs.field(factory=list)

    async def post_form(
        self,
        url: str,
        fields: Any,  # noqa: ANN401
        headers: Any,  # noqa: ANN401
        **limits: Any,  # noqa: ANN401
    ) -> HttpReply:
        self.asked.append(
            {"url": url, "fields": dict(fields), "headers": headers, **limits}
        )
        return self.reply


@attrs.frozen
class FakeSource:
    """An issuer's keys and metadata."""

    document: ServerMetadata | None = None

    async def metadata(self) -> ServerMetadata:
        if self.document is None:
            raise UnavailableError("metadata")
        return self.document

    async def key_set(self) -> Any:  # noqa: ANN401
        return read_jwks(jwks(SIGNER))

    key_set_for_unknown = key_set


def build(client: Any = None, source: Any = None, **options: Any) -> Introspector:  # noqa: ANN401
    given = {"endpoint": URL, "client_id": "rs", "auth": "none", **options}
    client = client or FakeClient()
    return build_introspector(
        IntrospectionConfig(**given),
        issuer=ISSUER,
        http_client=client,
        clock=SettableClock(),
        keys=source,
        metadata=source,
        path="authenticator.api.introspection",
    )


def mistake(**options: Any) -> str:  # noqa: ANN401
    with pytest.raises(ConfigError) as caught:
        build(**options)
    return str(caught.value).removeprefix("authenticator.api.introspection.")


def ask(client: FakeClient, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    """Ask about a token; give the question."""
    asker = build(client, **options)
    assert answer(asker)["sub"] == "u"
    return client.asked[-1]


def answer(asker: Introspector) -> Any:  # noqa: ANN401
    """Give the answer, or a failure; nothing here waits."""
    results: list[Any] = []
    Deferred.fromCoroutine(asker.ask("t")).addBoth(results.append)
    return results[0]


def write(tmp_path: Path, name: str, content: bytes) -> str:
    path = tmp_path / name
    path.write_bytes(content)
    return str(path)


def test_the_configured_endpoint_is_asked() -> None:
    asked = ask(FakeClient(), params={"a": "b"}, timeout=2.0)
    assert asked["url"] == URL
    assert asked["fields"]["a"] == "b"
    assert asked["within"] == 2.0
    assert asked["tls"] is None


def test_an_assertion_names_the_issuer_and_is_new_each_time(tmp_path: Path) -> None:
    key = write(tmp_path, "key.pem", PKI.issue("us").key_pem)
    client = FakeClient()
    seen = set()
    for _ in range(2):
        asked = ask(
            client, auth="private_key_jwt", assertion_key=key, assertion_kid="k"
        )
        jws = split_compact(asked["fields"]["client_assertion"])
        assert (jws.header.kid, jws.header.typ) == ("k", "client-authentication+jwt")
        claims = read_json_object(jws.payload)
        assert claims["aud"] == ISSUER
        seen.add(claims["jti"])
    assert len(seen) == 2


def test_certificate_and_ca_are_used(tmp_path: Path) -> None:
    certificate, key = PKI.issue("us", client=True).write(tmp_path, "us")
    ca = str(PKI.write(tmp_path))
    asked = ask(
        FakeClient(),
        auth="tls_client_auth",
        certificate=str(certificate),
        key=str(key),
        ca=ca,
    )
    assert asked["tls"].certificate == certificate.read_bytes()
    assert asked["tls"].ca == PKI.ca_pem


def test_the_endpoint_is_found_in_the_metadata(tmp_path: Path) -> None:
    certificate, key = PKI.issue("us", client=True).write(tmp_path, "us")
    document = ServerMetadata(
        issuer=ISSUER,
        introspection_endpoint=ISSUER + "/found",
        mtls_endpoint_aliases={"introspection_endpoint": "https://mtls.example.com/i"},
    )
    source = FakeSource(document)
    asked = ask(FakeClient(), endpoint=None, source=source)
    assert asked["url"] == ISSUER + "/found"
    asked = ask(
        FakeClient(),
        endpoint=None,
        source=source,
        certificate=str(certificate),
        key=str(key),
    )
    assert asked["url"] == "https://mtls.example.com/i"


def test_metadata_without_an_endpoint_is_no_verdict() -> None:
    for source in (FakeSource(), FakeSource(ServerMetadata(issuer=ISSUER))):
        failure = answer(build(endpoint=None, source=source))
        assert failure.check(UnavailableError)
        assert failure.value.status == 503


def test_signed_answers_are_checked_with_the_issuers_keys() -> None:
    clock = SettableClock()
    claims = {
        "iss": ISSUER,
        "aud": "rs",
        "iat": clock.time(),
        "token_introspection": {"active": False},
    }
    reply = HttpReply(
        status=200,
        headers=(("content-type", "application/token-introspection+jwt"),),
        body=SIGNER.sign(claims, typ="token-introspection+jwt").encode(),
    )
    asker = build(FakeClient(reply), answer="jwt", source=FakeSource())
    assert answer(asker).check(TokenError)
    asker = build(
        FakeClient(reply), answer="jwt", answer_audience="other", source=FakeSource()
    )
    assert answer(asker).check(UnavailableError)


def test_what_cannot_be_used_is_a_mistake(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    no_pem = write(tmp_path, "no.pem", b"none")
    certificate, key = map(str, PKI.issue("us").write(tmp_path, "us"))
    other = str(PKI.issue("other").write(tmp_path, "other")[1])
    signs: dict[str, Any] = {"auth": "private_key_jwt"}
    secret: dict[str, Any] = {"auth": "client_secret_jwt"}
    bearer: dict[str, Any] = {"auth": "bearer"}
    for options, problem in (
        ({"endpoint": None}, "endpoint: is missing"),
        ({"answer": "jwt"}, "answer: 'jwt' needs the issuer's keys"),
        ({**signs, "assertion_key": missing}, "assertion_key: cannot be read"),
        ({**signs, "assertion_key": no_pem}, "assertion_key: cannot be used"),
        (
            {**signs, "assertion_key": key, "assertion_alg": "RS256"},
            "assertion_key: cannot be used: the key signs with ES256",
        ),
        ({**secret, "client_secret": Secret("short")}, "client_secret: HS256 needs"),
        ({**bearer, "bearer_token": Secret("a\nb")}, "bearer_token: is no token"),
        ({"ca": missing}, "ca: cannot be read"),
        ({"ca": no_pem}, "ca: "),
        ({"certificate": certificate, "key": other}, "certificate: the key is not"),
        ({"certificate": no_pem, "key": key}, "certificate: "),
    ):
        assert mistake(**options).startswith(problem), options
