"""The options of introspection are refused when they are unsafe or do nothing."""

from pathlib import Path
from typing import Any

import pytest

from sso_proxy.authn.introspection_config import IntrospectionConfig
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError

URL = "https://as.example.com/introspect"


def config(directory: Path = Path("/nowhere"), **options: Any) -> IntrospectionConfig:  # noqa: ANN401
    """Read options as from a file."""
    given = {"endpoint": URL, **options}
    return structure(
        {name: value for name, value in given.items() if value is not None},
        IntrospectionConfig,
        path="authenticator.api.introspection",
        directory=directory,
    )


def mistakes(**options: Any) -> str:  # noqa: ANN401
    with pytest.raises(ConfigError) as caught:
        config(**options)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "0123456789abcdef0123456789abcdef")


SECRET: dict[str, Any] = {"client_id": "rs", "client_secret": "env:SECRET"}


def test_little_is_needed() -> None:
    options = config(**SECRET)
    assert options.auth == "client_secret_basic"
    assert options.method == "POST"
    assert options.token_type_hint == "access_token"
    assert "0123" not in repr(options)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch(mode=0o600)
    file.write_text("hidden\n")
    options = config(tmp_path, client_id="rs", client_secret_file="secret")
    assert options.client_secret is not None
    assert options.client_secret.reveal() == "hidden"
    assert "must not stand in this file" in mistakes(client_secret="hidden")


@pytest.mark.parametrize(
    "url", [URL, "http://127.0.0.1:8080/i", "http://[::1]/i", URL + "?tenant=1"]
)
def test_protected_endpoints_are_accepted(url: str) -> None:
    assert config(endpoint=url, **SECRET).endpoint == url


@pytest.mark.parametrize(
    "url",
    [
        "http://as.example.com/i",
        "http://localhost/i",
        "http://10.0.0.1/i",
        "file:///etc/passwd",
        "https://user:password@as.example.com/",
        "https://as.example.com/#i",
        "https://as.example.com/a b",
        "as.example.com",
        "",
    ],
)
def test_other_endpoints_are_refused(url: str) -> None:
    told = mistakes(endpoint=url, **SECRET)
    assert told.startswith("authenticator.api.introspection.endpoint: ")
    assert "password" not in told


@pytest.mark.parametrize(
    ("auth", "needed"),
    [
        ("client_secret_basic", ["client_id", "client_secret"]),
        ("client_secret_post", ["client_id", "client_secret"]),
        ("client_secret_jwt", ["client_id", "client_secret"]),
        ("private_key_jwt", ["client_id", "assertion_key"]),
        ("tls_client_auth", ["client_id", "certificate", "key"]),
        ("self_signed_tls_client_auth", ["client_id", "certificate", "key"]),
        ("bearer", ["bearer_token"]),
        ("basic", ["client_id", "client_secret"]),
    ],
)
def test_all_that_is_missing_is_said(auth: str, needed: list[str]) -> None:
    told = mistakes(auth=auth)
    for option in needed:
        assert f"auth = {auth!r} needs {option}" in told


def test_who_proves_nothing_needs_nothing() -> None:
    assert config(auth="none").client_id == ""


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"auth": "none", **SECRET}, "client_secret has no effect"),
        ({**SECRET, "bearer_token": "env:SECRET"}, "bearer_token has no effect"),
        ({**SECRET, "assertion_key": "k"}, "without auth = 'private_key_jwt'"),
        ({**SECRET, "assertion_kid": "k"}, "assertion_kid has no effect"),
        ({**SECRET, "assertion_audience": "a"}, "assertion_audience has no effect"),
        ({**SECRET, "certificate": "c"}, "certificate and key are set together"),
        ({**SECRET, "key": "k"}, "certificate and key are set together"),
        (
            {**SECRET, "endpoint": "http://127.0.0.1/", "ca": "c"},
            "no effect at an http endpoint",
        ),
        (
            {**SECRET, "endpoint": "http://[::1]/", "certificate": "c", "key": "k"},
            "no effect at an http endpoint",
        ),
        (
            {**SECRET, "method": "GET", "auth": "client_secret_post"},
            "would put a secret into URLs; use POST",
        ),
        (
            {**SECRET, "method": "GET", "auth": "client_secret_jwt"},
            "would put a secret into URLs; use POST",
        ),
        ({**SECRET, "params": {"token": "x"}}, "params: token is set already"),
        ({**SECRET, "params": {"client_id": "x"}}, "client_id is set already"),
        (
            {**SECRET, "token_param": "t", "params": {"t": "x"}},
            "params: t is set already",
        ),
        ({**SECRET, "token_param": "client_id"}, "token_param"),
        ({**SECRET, "params": {"a": 1}}, "must be a string"),
        ({**SECRET, "answer_audience": "rs"}, "without answer = 'jwt'"),
        ({"auth": "none", "answer": "jwt"}, "needs answer_audience or client_id"),
        ({**SECRET, "answer_algorithms": ["HS256"]}, "'HS256' is none of"),
        ({**SECRET, "answer_algorithms": []}, "must not be empty"),
        ({**SECRET, "timeout": 0}, "more than 0"),
        ({**SECRET, "at_once": 0}, "must be from 1"),
        ({**SECRET, "auth": "password"}, "must be one of 'none'"),
        ({**SECRET, "auth": "basic", "client_id": "a:b"}, "no colon"),
        ({**SECRET, "method": "PUT"}, "must be one of 'POST', 'GET'"),
    ],
)
def test_what_is_unsafe_or_does_nothing_is_refused(
    options: dict[str, Any], problem: str
) -> None:
    assert problem in mistakes(**options)


def test_a_certificate_may_be_shown_besides() -> None:
    assert config(**SECRET, certificate="c", key="k").certificate == "/nowhere/c"
