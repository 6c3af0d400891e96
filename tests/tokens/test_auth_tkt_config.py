"""Options of tickets of mod_auth_tkt."""

import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.tokens.auth_tkt_config import AuthTktTokenConfig

SECRET = Secret("a long secret of all sites")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"ipv6": "text"}, ["ipv6"]),
        ({"ipv6": "text", "cip": True}, []),
        ({"token_table": {"a": ("b",)}}, ["token_table"]),
        ({}, []),
    ],
)
def test_a_contradiction_is_named(options: dict[str, object], named: list[str]) -> None:
    config = AuthTktTokenConfig(secret=SECRET, **options)  # type: ignore[arg-type]
    assert [option for option, _ in config.problems()] == named


def test_a_secret_that_can_be_tried_out_is_refused() -> None:
    for secret, named in (("seven77", ["secret"]), ("eight888", [])):
        found = AuthTktTokenConfig(secret=Secret(secret)).problems()
        assert [option for option, _ in found] == named


def test_it_is_as_the_module_is_without_options() -> None:
    """But for the address, which few sites can do with."""
    config = AuthTktTokenConfig(secret=SECRET)
    assert (config.digest, config.lifetime, config.cip) == ("md5", 7200, False)


def test_nothing_shows_the_secret() -> None:
    assert SECRET.reveal() not in repr(AuthTktTokenConfig(secret=SECRET))
