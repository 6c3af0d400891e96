"""The bearer authenticator's options are refused when they are unsafe."""

from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sso_proxy.authn.bearer_config import BearerConfig, read_decryption, read_keys
from sso_proxy.config.secrets import Secret
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError
from sso_proxy.testing.tokens import TokenSigner, jwks

SIGNER = TokenSigner.create()
URI = "https://login.example.com/jwks"


def config(**options: Any) -> BearerConfig:  # noqa: ANN401
    """Read options as from a file."""
    given = {"issuer": "https://login.example.com", "audience": ["api"], **options}
    return structure(
        given, BearerConfig, path="authenticator.api", directory=Path("/nowhere")
    )


def mistakes(**options: Any) -> str:  # noqa: ANN401
    with pytest.raises(ConfigError) as caught:
        config(**options)
    return str(caught.value)


def test_little_is_needed() -> None:
    options = config(jwks_uri=URI)
    assert options.typ == "at+jwt"
    assert options.leeway == 10.0


@pytest.mark.parametrize(
    "uri",
    [
        URI,
        "http://127.0.0.1:8080/jwks",
        "http://[::1]/jwks",
        "https://login.example.com:8443/a?b=c",
    ],
)
def test_protected_urls_are_accepted(uri: str) -> None:
    assert config(jwks_uri=uri).jwks_uri == uri


@pytest.mark.parametrize(
    "uri",
    [
        "http://login.example.com/jwks",
        "http://localhost/jwks",
        "http://10.0.0.1/jwks",
        "http://127.0.0.1.evil.example/jwks",
        "file:///etc/jwks.json",
        "login.example.com/jwks",
        "https:///jwks",
        "https://user:password@login.example.com/",
        "https://login.example.com/\n",
        "https://löwe.example/",
        "",
    ],
)
def test_unprotected_urls_are_refused(uri: str) -> None:
    assert "authenticator.api.jwks_uri" in mistakes(jwks_uri=uri)


def test_keys_come_from_one_place() -> None:
    assert "jwks_uri and pem" in mistakes(jwks_uri=URI, pem="keys.pem")
    assert "jwk and jwk_file" in mistakes(jwk="{}", jwk_file="keys.json")


def test_an_issuer_alone_is_enough() -> None:
    assert config().accepted == {"RS256", "PS256", "ES256", "ES384", "EdDSA"}


@pytest.mark.parametrize("audience", [[], [""], ["api", ""]])
def test_an_audience_is_needed(audience: list[str]) -> None:
    assert "audience" in mistakes(jwks_uri=URI, audience=audience)


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": ""},
        {"algorithms": ["none"]},
        {"leeway": -1},
        {"leeway": 301},
        {"leeway": "10"},
        {"typ": "jwt"},
        {"typ": []},
        {"typ": [""]},
        {"subject": []},
        {"max_age": 0},
        {"cache_seconds": -1},
        {"introspect": "jwt"},
        {"token_in": []},
        {"token_in": ["body"]},
        {"token_in": ["query", "query:access_token"]},
        {"max_token_bytes": 10},
        {"cache_entries": -1},
        {"verify_signature": False},
    ],
    ids=str,
)
def test_unsafe_or_unknown_options_are_refused(options: dict[str, Any]) -> None:
    (name,) = options
    assert f"authenticator.api.{name}" in mistakes(jwks_uri=URI, **options)


@pytest.mark.parametrize(
    ("typ", "types"),
    [
        ("any", {"any"}),
        (["at+jwt", "JWT"], {"at+jwt", "jwt"}),
        (["application/x"], {"x"}),
    ],
)
def test_other_types_may_be_named(typ: object, types: set[str]) -> None:
    assert config(jwks_uri=URI, typ=typ).types == types


def test_options_about_asking_need_somebody_to_ask() -> None:
    for options in ({"introspect": "all"}, {"audience_optional": True}):
        assert "need introspection" in mistakes(jwks_uri=URI, **options)


def test_with_an_endpoint_and_no_keys_the_issuer_is_asked_about_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET", "x")
    asking = {"client_id": "proxy", "client_secret": "env:SECRET"}
    there = {**asking, "endpoint": "https://login.example.com/introspect"}
    assert config(introspection=there).asks_only
    assert not config(introspection=asking).asks_only
    assert not config(introspection=there, jwks_uri=URI).asks_only
    assert not config().asks_only


def test_a_key_may_stand_in_the_configuration() -> None:
    one = jwks(SIGNER).decode()[len('{"keys": [') : -2]
    assert one.startswith('{"kty"')
    assert len(read_keys(config(jwk=one)).keys) == 1


def test_a_set_may_stand_in_the_configuration() -> None:
    both = jwks(SIGNER, TokenSigner.create("EdDSA", "b")).decode()
    assert len(read_keys(config(jwk=both)).keys) == 2


def test_keys_may_stand_in_files(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(jwks(SIGNER))
    (tmp_path / "keys.pem").write_bytes(SIGNER.public_pem())
    for option, name in (("jwk_file", "keys.json"), ("pem", "keys.pem")):
        (key,) = read_keys(config(**{option: str(tmp_path / name)})).keys
        assert key.algs == {"ES256"}


@pytest.mark.parametrize("option", ["jwk", "jwk_file", "pem"])
@pytest.mark.parametrize("content", ["", "x", "{}", '{"kty":"oct","k":"AA"}', "[]"])
def test_keys_that_cannot_be_used_are_a_mistake(
    tmp_path: Path, option: str, content: str
) -> None:
    (tmp_path / "keys").write_text(content)
    value = content if option == "jwk" else str(tmp_path / "keys")
    with pytest.raises(ConfigError) as caught:
        read_keys(config(**{option: value}))
    (mistake,) = caught.value.mistakes
    assert mistake.path == option


@pytest.mark.parametrize("algorithms", [["HS256"], ["RS256", "HS256"]])
def test_macs_need_a_secret(algorithms: list[str]) -> None:
    """A public key must never be taken for a secret that signs."""
    assert "belong to a secret" in mistakes(jwks_uri=URI, algorithms=algorithms)


def test_a_secret_is_for_macs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARED", "0" * 48)
    assert "belong to a secret" in mistakes(secret="env:SHARED", algorithms=["RS256"])
    (key,) = read_keys(config(secret="env:SHARED")).keys
    assert key.algs == {"HS256", "HS384"}
    (key,) = read_keys(config(secret="env:SHARED", algorithms=["HS256"])).keys
    assert key.algs == {"HS256"}
    (key,) = read_keys(config(secret="env:SHARED", secret_encoding="base64")).keys
    assert key.algs == {"HS256"}


@pytest.mark.parametrize(
    "options",
    [
        {"secret": "s3cret"},
        {"secret": "0" * 32, "encoding": "hex"},
        {"secret": "ä", "encoding": "base64"},
    ],
)
def test_a_secret_that_cannot_be_used_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, str]
) -> None:
    monkeypatch.setenv("SHARED", options["secret"])
    encoding = options.get("encoding", "plain")
    with pytest.raises(ConfigError) as caught:
        read_keys(config(secret="env:SHARED", secret_encoding=encoding))
    (mistake,) = caught.value.mistakes
    assert mistake.path == "secret"
    assert options["secret"] not in mistake.problem


def test_a_secret_never_stands_in_the_file() -> None:
    assert "must not stand in this file" in mistakes(secret="0" * 64)


def test_keys_for_decryption_are_private() -> None:
    assert read_decryption(config()) is None
    private = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    made = config()
    keys = read_decryption(attrs.evolve(made, decryption_keys=Secret(private.decode())))
    assert keys is not None
    assert len(keys.keys) == 1
    with pytest.raises(ConfigError, match="decryption_keys: cannot be used"):
        read_decryption(attrs.evolve(made, decryption_keys=Secret("x")))


def test_a_file_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_keys(config(pem="missing.pem"))


def test_keys_for_none_of_the_algorithms_are_a_mistake() -> None:
    with pytest.raises(ConfigError, match="no key for any"):
        read_keys(config(jwk=jwks(SIGNER).decode(), algorithms=["RS256"]))


def test_one_bad_key_of_our_own_is_a_mistake() -> None:
    text = jwks(SIGNER, {"kty": "oct", "k": "AA"}).decode()
    with pytest.raises(ConfigError, match="key 1"):
        read_keys(config(jwk=text))
