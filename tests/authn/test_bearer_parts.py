"""The options of a bearer authenticator become its parts."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sso_proxy.authn.bearer_config import BearerConfig
from sso_proxy.authn.bearer_parts import (
    Parts,
    build_jwt_verifier,
    build_parts,
    build_rules,
    build_source,
)
from sso_proxy.authn.introspection_config import IntrospectionConfig
from sso_proxy.authn.verifiers import Verifier
from sso_proxy.authn.verifiers.introspection import (
    IntrospectionVerifier,
    SignedAndActive,
)
from sso_proxy.authn.verifiers.jwt import JwtVerifier
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError
from sso_proxy.net.jwks import EcKeySource, FixedKeys, JwksSource
from sso_proxy.net.metadata import IssuerSource
from sso_proxy.specs.oauth.claims import ClaimRules
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.testing.tokens import TokenSigner, jwks

ISSUER = "https://login.example.com"


def test_options_become_rules() -> None:
    config = BearerConfig(
        issuer=ISSUER,
        audience=("api",),
        jwks_uri=ISSUER + "/jwks",
        leeway=3.0,
        subject=("sub", "client_id"),
        required_claims=("jti",),
        clients=("portal",),
        max_age=60.0,
    )
    assert build_rules(config) == ClaimRules(
        issuer=ISSUER,
        audiences=frozenset({"api"}),
        leeway=3.0,
        subject=("sub", "client_id"),
        required=("jti",),
        clients=frozenset({"portal"}),
        max_age=60.0,
    )


def test_keys_are_fetched_or_fixed() -> None:
    uri = BearerConfig(issuer=ISSUER, audience=("api",), jwks_uri=ISSUER + "/jwks")
    assert isinstance(build_source(uri, FakeTools()), JwksSource)
    eckey = BearerConfig(issuer=ISSUER, audience=("api",), eckey_uri=ISSUER + "/key")
    assert isinstance(build_source(eckey, FakeTools()), EcKeySource)
    alone = BearerConfig(issuer=ISSUER, audience=("api",))
    assert isinstance(build_source(alone, FakeTools()), IssuerSource)
    text = jwks(TokenSigner.create()).decode()
    fixed = BearerConfig(issuer=ISSUER, audience=("api",), jwk=text)
    assert isinstance(build_source(fixed, FakeTools()), FixedKeys)


@pytest.mark.parametrize("issuer", ["login", "http://login.example.com", ISSUER + "?a"])
def test_an_issuer_without_keys_has_to_be_a_url(issuer: str) -> None:
    config = BearerConfig(issuer=issuer, audience=("api",))
    with pytest.raises(ConfigError) as caught:
        build_source(config, FakeTools())
    (mistake,) = caught.value.mistakes
    assert mistake.path == "issuer"


def test_what_was_fetched_is_shared_by_all_that_want_the_same() -> None:
    asked: list[tuple[object, ...]] = []

    class Tools(FakeTools):
        def shared(self, key: tuple[object, ...], make: Callable[[], object]) -> object:
            asked.append(key)
            return make()

    for option in ("jwks_uri", "eckey_uri"):
        place: Mapping[str, Any] = {option: ISSUER + "/keys"}
        build_source(BearerConfig(issuer=ISSUER, audience=("api",), **place), Tools())
    build_source(BearerConfig(issuer=ISSUER, audience=("api",)), Tools())
    build_source(BearerConfig(issuer=ISSUER, audience=("other",)), Tools())
    assert len({*asked}) == 3


ASKING: Mapping[str, Any] = {"client_id": "proxy", "client_secret": Secret("s")}


def built(**options: Any) -> tuple[Parts, Verifier | None]:  # noqa: ANN401
    config = BearerConfig(issuer=ISSUER, audience=("api",), **options)
    parts = build_parts(config, FakeTools())
    return parts, build_jwt_verifier(config, FakeTools(), parts, lambda _: None)


def test_without_credentials_for_asking_nobody_is_asked() -> None:
    parts, jwt = built()
    assert parts.opaque is None
    assert parts.healthy == (parts.source,)
    assert isinstance(jwt, JwtVerifier)


def test_the_issuer_is_asked_about_opaque_tokens() -> None:
    parts, jwt = built(introspection=IntrospectionConfig(**ASKING))
    assert isinstance(parts.opaque, IntrospectionVerifier)
    assert parts.opaque.keep == 60.0
    assert len(parts.healthy) == 2
    assert isinstance(jwt, JwtVerifier)


def test_the_issuer_may_be_asked_about_all() -> None:
    _, jwt = built(introspection=IntrospectionConfig(**ASKING), introspect="all")
    assert isinstance(jwt, SignedAndActive)


def test_with_an_endpoint_alone_there_are_no_keys() -> None:
    there = IntrospectionConfig(**ASKING, endpoint=ISSUER + "/introspect")
    parts, jwt = built(introspection=there, cache_seconds=5.0)
    assert isinstance(parts.source, FixedKeys)
    assert isinstance(parts.opaque, IntrospectionVerifier)
    assert parts.opaque.keep == 5.0
    assert jwt is None


def test_the_endpoint_is_looked_for_even_if_the_keys_are_not() -> None:
    asking = IntrospectionConfig(**ASKING)
    parts, _ = built(introspection=asking, jwks_uri=ISSUER + "/jwks")
    assert isinstance(parts.source, JwksSource)
    config = BearerConfig(
        issuer="login",
        audience=("api",),
        jwks_uri=ISSUER + "/jwks",
        introspection=asking,
    )
    with pytest.raises(ConfigError, match="issuer"):
        build_parts(config, FakeTools())


def test_signed_answers_need_keys() -> None:
    there = IntrospectionConfig(**ASKING, endpoint=ISSUER + "/introspect", answer="jwt")
    with pytest.raises(ConfigError) as caught:
        built(introspection=there)
    (mistake,) = caught.value.mistakes
    assert mistake.path == "introspection.answer"
