"""Options of a provider's client fit together, or all that is wrong is said."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.authn.oidc_client_config import ClientConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError

SECRET = Secret("0123456789abcdef0123456789abcdef")


def problems(**options: Any) -> list[str]:  # noqa: ANN401
    """Say what is wrong with *options*."""
    try:
        ClientConfig(**{"client_id": "c", **options})
    except ValueError as e:
        return str(e).split("; ")
    return []


@pytest.mark.parametrize(
    "options",
    [
        {"client_secret": SECRET},
        {"client_secret": SECRET, "client_secret_next": SECRET},
        {"auth": "client_secret_post", "client_secret": SECRET},
        {
            "auth": "client_secret_jwt",
            "client_secret": SECRET,
            "assertion_audience": "a",
        },
        {"auth": "private_key_jwt", "signing_keys": ("a", "b"), "signing_kid": "k"},
        {"auth": "tls_client_auth", "certificate": "c", "key": "k"},
        {"auth": "self_signed_tls_client_auth", "certificate": "c", "key": "k"},
        {"auth": "none", "dpop": "required", "dpop_key": "k", "dpop_alg": "ES256"},
        {"auth": "none", "client_secret": SECRET},
        {"auth": "none", "dpop": "on", "dpop_key": "k", "userinfo_method": "body"},
        {"auth": "none", "signing_keys": ("for request objects",)},
    ],
)
def test_what_fits_is_taken(options: dict[str, Any]) -> None:
    assert problems(**options) == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "auth = 'client_secret_basic' needs client_secret"),
        ({"auth": "private_key_jwt"}, "auth = 'private_key_jwt' needs signing_keys"),
        (
            {"auth": "tls_client_auth", "certificate": "c"},
            "auth = 'tls_client_auth' needs key",
        ),
        (
            {"auth": "none", "client_secret_next": SECRET},
            "client_secret_next has no effect without client_secret",
        ),
        (
            {"auth": "none", "assertion_audience": "a"},
            (
                "assertion_audience has no effect without auth = 'client_secret_jwt' or"
                " 'private_key_jwt'"
            ),
        ),
        (
            {"auth": "none", "signing_alg": "PS256"},
            "signing_alg has no effect without signing_keys",
        ),
        ({"auth": "none", "key": "k"}, "certificate and key are set together"),
        ({"auth": "none", "dpop": "on"}, "dpop = 'on' needs dpop_key"),
        ({"auth": "none", "dpop_key": "k"}, "dpop_key has no effect without dpop"),
        (
            {"auth": "none", "token_params": {"code": "c"}},
            "token_params must not set code",
        ),
        (
            {"auth": "none", "token_params": {"client_assertion": "c"}},
            "token_params must not set client_assertion",
        ),
        (
            {
                "auth": "none",
                "dpop": "required",
                "dpop_key": "k",
                "userinfo_method": "body",
            },
            "userinfo_method = 'body' has no effect with dpop = 'required'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], problem: str) -> None:
    assert problem in problems(**options)


def test_all_mistakes_are_said_at_once() -> None:
    assert len(problems(dpop="on", key="k", signing_kid="k")) == 4


def test_a_class_with_more_options_adds_its_mistakes(tmp_path: Path) -> None:
    @attrs.frozen(kw_only=True)
    class More(ClientConfig):
        """With more."""

        scope: str = ""

        def problems(self) -> Any:  # noqa: ANN401
            yield from super().problems()
            if not self.scope:
                yield "scope is missing"

    raw = {"client_id": "c", "auth": "private_key_jwt"}
    with pytest.raises(ConfigError, match=r"^a: .*needs signing_keys; scope is miss"):
        structure(raw, More, path="a", directory=tmp_path)
    raw |= {"auth": "none", "scope": "openid"}
    made = structure(raw, More, path="a", directory=tmp_path)
    assert (made.client_id, made.scope) == ("c", "openid")


def test_a_secret_is_never_shown() -> None:
    config = ClientConfig(client_id="c", client_secret=SECRET)
    assert SECRET.reveal() not in repr(config)


def test_a_client_has_a_name() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        ClientConfig(client_id="", auth="none")
