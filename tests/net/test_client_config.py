"""Options for who we are to an authorization server say what does not fit."""

from typing import Any

import attrs
import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.net.client_config import ClientOptions


@attrs.frozen(kw_only=True)
class Options(ClientOptions):
    """What has these, and a certificate."""

    certificate: str | None = None
    key: str | None = None


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "auth = 'client_secret_basic' needs client_id"),
        ({"auth": "tls_client_auth"}, "auth = 'tls_client_auth' needs certificate"),
        (
            {"auth": "none", "client_secret_next": Secret("s")},
            "client_secret_next has no effect without client_secret",
        ),
        (
            {"auth": "none", "signing_kid": "k"},
            "signing_kid has no effect without signing_keys",
        ),
        ({"auth": "none", "dpop": "on"}, "dpop = 'on' needs dpop_key"),
        ({"auth": "none", "dpop_alg": "ES256"}, "dpop_alg has no effect without dpop"),
    ],
)
def test_what_does_not_fit_is_said(options: dict[str, Any], problem: str) -> None:
    assert problem in list(Options(**options).client_problems())


def test_nothing_is_proved_if_that_is_what_is_said() -> None:
    assert not list(Options(auth="none").client_problems())
