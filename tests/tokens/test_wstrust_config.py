"""What does not fit together is refused when the file is read."""

from typing import Any

import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.specs.wstrust.names import SAML2_TYPE, WST, X509
from sso_proxy.tokens.wstrust_config import JWT, WsTrustConfig

URL = "https://sts.example.com/trust"


def make(**options: Any) -> WsTrustConfig:  # noqa: ANN401
    return WsTrustConfig(**{"endpoint": URL, **options})


def test_a_service_and_nothing_else_is_enough() -> None:
    config = make()
    assert (config.soap, config.action, config.wanted_type) == (
        "1.2",
        "issue",
        SAML2_TYPE,
    )
    assert config.key_type_uri == f"{WST}/Bearer"
    assert config.type_of("subject") == JWT


def test_a_certificate_is_called_one() -> None:
    config = make(subject="certificate", actor="certificate", actor_value_type="urn:x")
    assert (config.type_of("subject"), config.type_of("actor")) == (X509, "urn:x")


def test_to_validate_asks_for_no_token_and_no_key() -> None:
    config = make(action="validate")
    assert (config.wanted_type, config.key_type_uri) == ("", "")
    assert make(key_type="unsaid").key_type_uri == ""


SECRET = Secret("secret")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"endpoint": None}, "endpoint is missing"),
        ({"endpoint": "http://sts.example.com/"}, "https"),
        ({"username": "proxy"}, "no effect without auth"),
        ({"auth": "basic"}, "needs username and password"),
        ({"auth": "username_token", "username": "p"}, "needs username and password"),
        ({"auth": "basic", "username": "a:b", "password": SECRET}, "no colon"),
        ({"username": "a\0"}, "XML cannot hold"),
        ({"applies_to": "a\x1f"}, "XML cannot hold"),
        ({"value_type": "\ud800"}, "XML cannot hold"),
        ({"action": "validate", "subject": "none"}, "subject is missing"),
        ({"subject": "none", "actor": "access_token"}, "subject is missing"),
        ({"action": "validate", "subject_in": "header"}, "subject_in has no effect"),
        ({"action": "validate", "subject_form": "username"}, "needs token_type"),
        ({"action": "validate", "encode": "base64"}, "without token_type"),
        ({"action": "validate", "lifetime": 60}, "lifetime has no effect"),
        ({"subject_form": "saml", "value_type": "urn:x"}, "are for subject_form"),
        ({"actor": "ticket", "actor_in": "on_behalf_of"}, "the same place"),
        ({"encode": "deflate", "token_type": JWT}, "for SAML assertions"),
        ({"lifetime": -1}, "from 0 to 86400"),
    ],
)
def test_what_has_no_effect_or_is_missing_is_said(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        make(**options)


def test_the_password_is_not_shown() -> None:
    config = make(auth="basic", username="proxy", password=Secret("geheim"))
    assert "geheim" not in repr(config)
