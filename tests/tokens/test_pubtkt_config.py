"""Options of tickets that contradict each other, or are not safe, are refused."""

from typing import Any

import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.tokens.pubtkt_config import PubtktTokenConfig

SECRET = Secret("0123456789abcdef")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"grace": 3600}, "grace"),
        ({"bauth_claim": "pw"}, "bauth_key"),
        ({"bauth_password": SECRET}, "bauth_key"),
        ({"bauth_key": SECRET}, "bauth_key"),
        ({"bauth_claim": "pw", "bauth_key": Secret("short")}, "bauth_key"),
        (
            {"bauth_claim": "pw", "bauth_password": SECRET, "bauth_plain": True},
            "bauth_password",
        ),
        (
            {"bauth_claim": "pw", "bauth_key": SECRET, "bauth_plain": True},
            "bauth_plain",
        ),
    ],
)
def test_a_contradiction_is_named(options: dict[str, Any], named: str) -> None:
    found = PubtktTokenConfig(key="k.pem", **options).problems()
    assert [option for option, _ in found] == [named]


def test_what_is_meant_is_taken() -> None:
    for options in ({}, {"bauth_claim": "p", "bauth_key": SECRET}):
        assert not [*PubtktTokenConfig(key="k.pem", **options).problems()]  # type: ignore[arg-type]
