"""What asks a provider is made of good files only, and all mistakes are heard."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from twisted.internet.defer import Deferred

from sso_proxy.authn.oidc_client_config import ClientConfig
from sso_proxy.authn.oidc_client_parts import ProviderParts, build_provider
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError
from sso_proxy.net.http_client import ClientTls, HttpReply
from sso_proxy.specs.jose.compact import split_compact
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.oidc.metadata import EndpointOverrides
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import TokenSigner, jwks

ISSUER = "https://op.example.com"
PKI = Pki.create()
SIGNER = TokenSigner.create()
LONG = Secret("0123456789abcdef0123456789abcdef")
BY_HAND = EndpointOverrides(
    authorization=ISSUER + "/auth", token=ISSUER + "/token", jwks=ISSUER + "/keys"
)
TOKENS = b'{"access_token":"at","token_type":"Bearer"}'


@attrs.define
class FakeClient:
    """Publishes metadata and keys, gives tokens, and notes what was asked."""

    published: dict[str, Any] = attrs.field(factory=dict)
    asked: list[dict[str, Any]] = attrs.field(factory=list)

    async def get(self, url: str, _headers: Any, **limits: Any) -> HttpReply:  # noqa: ANN401
        self.asked.append({"url": url, **limits})
        if url.endswith("keys"):
            return HttpReply(status=200, body=jwks(SIGNER))
        if url not in self.published:
            return HttpReply(status=404)
        return HttpReply(status=200, body=json.dumps(self.published[url]).encode())

    async def post_form(
        self,
        url: str,
        fields: Any,  # noqa: ANN401
        headers: Any,  # noqa: ANN401
        **limits: Any,  # noqa: ANN401
    ) -> HttpReply:
        asked = {"url": url, "fields": dict(fields), "headers": headers, **limits}
        self.asked.append(asked)
        fields = (("content-type", "application/json"),)
        return HttpReply(status=200, headers=fields, body=TOKENS)


def build(client: FakeClient | None = None, **options: Any) -> ProviderParts:  # noqa: ANN401
    names = ("issuer", "overrides", "discover", "metadata_url", "codes")
    given = {n: options.pop(n) for n in names if n in options}
    if not {"discover", "metadata_url", "issuer"} & set(given):
        given = {"overrides": BY_HAND, "discover": False, **given}
    http: Any = client or FakeClient()
    return build_provider(
        ClientConfig(**{"client_id": "rp", "auth": "none", **options}),
        http_client=http,
        clock=SettableClock(),
        path="authenticator.op",
        **{"issuer": ISSUER, **given},
    )


def mistakes(**options: Any) -> list[str]:  # noqa: ANN401
    with pytest.raises(ConfigError) as caught:
        build(**options)
    return [
        str(mistake).removeprefix("authenticator.op.")
        for mistake in caught.value.mistakes
    ]


def run(coroutine: Any) -> Any:  # noqa: ANN401
    """Give what comes; nothing here waits."""
    results: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    return results[0]


def redeem(**options: Any) -> dict[str, Any]:  # noqa: ANN401
    """Redeem a code; give the request."""
    client = FakeClient()
    tokens = run(build(client, **options).client.redeem((("code", "c"),)))
    assert tokens.access_token == "at"
    return client.asked[-1]


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def private(path: Path, key: Any) -> str:  # noqa: ANN401
    return write(
        path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def test_an_assertion_is_signed_with_the_first_key_for_the_issuer(
    tmp_path: Path,
) -> None:
    first = private(tmp_path / "1", ec.generate_private_key(ec.SECP256R1()))
    second = private(tmp_path / "2", rsa.generate_private_key(65537, 2048))
    asked = redeem(
        auth="private_key_jwt", signing_keys=(first, second), signing_kid="k"
    )
    jws = split_compact(asked["fields"]["client_assertion"])
    assert (jws.header.alg, jws.header.kid) == ("ES256", "k")
    claims = read_json_object(jws.payload)
    assert (claims["aud"], claims["iss"]) == (ISSUER, "rp")


def test_older_providers_may_have_another_audience_and_type() -> None:
    asked = redeem(
        auth="client_secret_jwt",
        client_secret=LONG,
        assertion_audience=ISSUER + "/token",
        assertion_typ="JWT",
    )
    header, _, _ = asked["fields"]["client_assertion"].partition(".")
    assert header  # signed with the secret, which only the provider checks
    jws = split_compact(asked["fields"]["client_assertion"])
    assert jws.header.typ == "jwt"
    assert read_json_object(jws.payload)["aud"] == ISSUER + "/token"


def test_certificate_ca_and_time_are_used(tmp_path: Path) -> None:
    certificate, key = PKI.issue("us", client=True).write(tmp_path, "us")
    ca = str(PKI.write(tmp_path))
    client = FakeClient()
    parts = build(
        client,
        auth="tls_client_auth",
        certificate=str(certificate),
        key=str(key),
        ca=ca,
        timeout=2.0,
    )
    run(parts.client.redeem((("code", "c"),)))
    run(parts.client.key_set())
    asked, keys = client.asked
    assert asked["tls"].certificate == certificate.read_bytes()
    assert (asked["tls"].ca, asked["within"]) == (PKI.ca_pem, 2.0)
    assert keys["tls"] == ClientTls(ca=PKI.ca_pem)


def test_tokens_are_bound_to_the_configured_key(tmp_path: Path) -> None:
    file = private(tmp_path / "dpop", ec.generate_private_key(ec.SECP256R1()))
    parts = build(dpop="on", dpop_key=file)
    assert (
        parts.client.proof_thumbprint
        == build(dpop="required", dpop_key=file).client.proof_thumbprint
    )
    assert redeem(dpop="on", dpop_key=file)["headers"]["DPoP"]
    failure = run(build(dpop="required", dpop_key=file).client.redeem((("code", "c"),)))
    assert "not bound" in failure.value.description


def test_metadata_and_keys_are_found_by_the_name_of_the_issuer() -> None:
    url = ISSUER + "/.well-known/oauth-authorization-server"
    client = FakeClient(
        {
            url: {
                "issuer": ISSUER,
                "authorization_endpoint": ISSUER + "/a",
                "token_endpoint": ISSUER + "/t",
                "jwks_uri": ISSUER + "/keys",
            }
        }
    )
    provider = build(client, discover=True).client
    run(provider.warm())
    assert run(provider.endpoints()).token == ISSUER + "/t"
    assert len(run(provider.key_set()).keys) == 1
    assert run(provider.probe()) == ()
    assert [asked["url"] for asked in client.asked] == [url, ISSUER + "/keys"]


def test_keys_may_be_elsewhere_than_the_metadata_says() -> None:
    client = FakeClient()
    overrides = EndpointOverrides(jwks="https://other.example.com/keys")
    provider = build(client, discover=True, overrides=overrides).client
    assert len(run(provider.key_set()).keys) == 1
    assert client.asked[0]["url"] == "https://other.example.com/keys"


def test_metadata_of_many_tenants_are_at_a_url_of_their_own() -> None:
    issuer, url = ISSUER + "/{tenantid}/v2.0", ISSUER + "/common/metadata"
    published = {
        "issuer": issuer,
        "authorization_endpoint": ISSUER + "/a",
        "token_endpoint": ISSUER + "/t",
    }
    client = FakeClient({url: published})
    provider = build(client, issuer=issuer, metadata_url=url).client
    assert run(provider.endpoints()).issuer == issuer
    assert mistakes(issuer=issuer)[0].startswith("issuer: ")


def test_a_provider_by_hand_without_keys_has_none() -> None:
    overrides = attrs.evolve(BY_HAND, jwks=None)
    provider = build(overrides=overrides, discover=False).client
    assert run(provider.key_set()).keys == ()


def test_our_keys_are_given(tmp_path: Path) -> None:
    one = private(tmp_path / "1", ec.generate_private_key(ec.SECP256R1()))
    two = private(tmp_path / "2", rsa.generate_private_key(65537, 2048))
    keys = build(signing_keys=(one,), decryption_keys=(two,)).keys
    assert [key["use"] for key in keys.public] == ["sig", "enc"]


def test_what_cannot_be_used_is_a_mistake(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    no_pem = write(tmp_path / "no.pem", b"none")
    signs: dict[str, Any] = {"auth": "private_key_jwt"}
    secret: dict[str, Any] = {"auth": "client_secret_jwt", "client_secret": LONG}
    for options, problem in (
        ({**signs, "signing_keys": (missing,)}, "signing_keys[0]: cannot be read"),
        ({**signs, "signing_keys": (no_pem,)}, "signing_keys[0]: cannot be used"),
        ({"decryption_keys": (no_pem,)}, "decryption_keys[0]: cannot be used"),
        ({**secret, "client_secret": Secret("s")}, "client_secret: HS256 needs"),
        (
            {**secret, "client_secret_next": Secret("s")},
            "client_secret_next: HS256 needs",
        ),
        ({"ca": no_pem}, "ca: "),
        ({"dpop": "on", "dpop_key": missing}, "dpop_key: cannot be read"),
        ({"dpop": "on", "dpop_key": no_pem}, "dpop_key: cannot be used"),
        (
            {"overrides": attrs.evolve(BY_HAND, token="http://op.example.com/")},
            "token_endpoint: must be https",
        ),
        ({"issuer": "op", "discover": True}, "issuer: "),
    ):
        (found,) = mistakes(**options)
        assert found.startswith(problem), options


def test_by_hand_means_all_that_is_needed() -> None:
    (found,) = mistakes(overrides=attrs.evolve(BY_HAND, token=None), discover=False)
    assert found == "authenticator.op: the provider has no token_endpoint"


def test_without_codes_less_is_needed() -> None:
    overrides = attrs.evolve(BY_HAND, token=None)
    build(overrides=overrides, discover=False, codes=False)


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    found = mistakes(
        auth="client_secret_jwt",
        client_secret=Secret("s"),
        signing_keys=(missing,),
        ca=missing,
        dpop="on",
        dpop_key=missing,
        issuer="op",
        discover=True,
    )
    assert [mistake.partition(":")[0] for mistake in found] == [
        "signing_keys[0]",
        "ca",
        "dpop_key",
        "client_secret",
        "issuer",
    ]
