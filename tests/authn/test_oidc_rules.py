"""What tokens are compared with follows from the options."""

from typing import Any

import attrs
import pytest

from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.authn.oidc_rules import (
    id_token_rules,
    read_secrets,
    response_rules,
    userinfo_rules,
)
from sso_proxy.config.secrets import Secret
from sso_proxy.specs.jose.compact import ALGORITHMS
from sso_proxy.specs.jose.decrypt import DecryptionKeys
from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.oidc.metadata import ProviderEndpoints

ISSUER = "https://login.example.com"
PLACE = ProviderEndpoints(
    issuer=ISSUER, authorization=ISSUER + "/authorize", token=ISSUER + "/token"
)
NONE = DecryptionKeys(())


def config(**options: Any) -> OidcConfig:  # noqa: ANN401
    return OidcConfig(issuer=ISSUER, client_id="app", **{"auth": "none", **options})


def with_secret(*secrets: str, **options: Any) -> OidcConfig:  # noqa: ANN401
    names = ("client_secret", "client_secret_next")
    given = {name: Secret(text) for name, text in zip(names, secrets, strict=False)}
    return config(auth="client_secret_basic", **given, **options)


def test_without_options_all_signatures_are_good_and_nothing_else() -> None:
    rules = id_token_rules(config(), PLACE)
    assert rules.envelope.algorithms == ALGORITHMS
    assert not rules.envelope.allow_none
    assert not rules.fapi


def test_what_the_provider_lists_is_what_it_uses() -> None:
    offered = frozenset({"ES256", "HS256", "none"})
    place = attrs.evolve(PLACE, id_token_algorithms=offered)
    assert id_token_rules(config(), place).envelope.algorithms == {"ES256"}


def test_what_the_operator_pins_counts_alone() -> None:
    pinned = config(id_token_algorithms=("PS256",))
    assert id_token_rules(pinned, PLACE).envelope.algorithms == {"PS256"}
    assert userinfo_rules(pinned, ISSUER).envelope.algorithms == {"PS256"}
    assert response_rules(pinned).algorithms == {"PS256"}


def test_answers_in_the_browser_are_never_signed_with_a_secret() -> None:
    """Else who has the secret could write them; and none is no signature at all."""
    pinned = with_secret("s" * 32, id_token_algorithms=("HS256", "ES256"))
    assert response_rules(pinned).algorithms == {"ES256"}
    assert not response_rules(config(allow_alg_none=True)).allow_none


def test_no_signature_is_taken_only_where_the_option_says_so() -> None:
    rules = id_token_rules(config(allow_alg_none=True), PLACE)
    assert rules.envelope.allow_none


def test_both_secrets_are_good_while_they_are_changed() -> None:
    options = with_secret("a" * 32, "b" * 32, id_token_algorithms=("HS256",))
    secrets = read_secrets(options, NONE)
    assert len(secrets.mac_keys) == 2
    assert len(secrets.decryption) == 2


def test_secrets_sign_nothing_unless_the_option_says_so() -> None:
    assert not read_secrets(with_secret("a" * 32), NONE).mac_keys


def test_a_secret_that_is_too_short_to_sign_with_is_refused() -> None:
    with pytest.raises(KeyRefusedError):
        read_secrets(with_secret("short", id_token_algorithms=("HS256",)), NONE)


def test_secrets_are_not_shown() -> None:
    options = with_secret("a" * 32, id_token_algorithms=("HS256",))
    assert "KeySet" not in repr(read_secrets(options, NONE))
