"""Tests for `sso_proxy.mappers.claim`."""

from typing import Any

import pytest

from sso_proxy.mappers.claim import ClaimMapper, ClaimMapperConfig
from sso_proxy.model import DECLINED, REFUSED, MapperVerdict
from sso_proxy.testing.checks import check_user_mapper, outcome_of
from sso_proxy.testing.fakes import FakeTools, make_identity


def user_of(
    claims: dict[str, Any], claim: str = "user", *, lowercase: bool = False
) -> str | MapperVerdict:
    config = ClaimMapperConfig(claim=claim, lowercase=lowercase)
    mapper = ClaimMapper.from_config(config, FakeTools())
    return outcome_of(mapper.map_user(make_identity(claims=claims)))


def test_the_claim_is_the_name() -> None:
    assert user_of({"user": "Alice"}) == "Alice"


def test_the_claim_may_be_inside_another() -> None:
    assert user_of({"a": {"b": "alice"}}, "a.b") == "alice"


def test_the_only_element_of_a_list_is_the_name() -> None:
    assert user_of({"user": ["alice"]}) == "alice"


@pytest.mark.parametrize("claims", [{}, {"user": None}, {"User": "alice"}])
def test_without_the_claim_the_next_mapper_is_asked(claims: dict[str, Any]) -> None:
    assert user_of(claims) is DECLINED


@pytest.mark.parametrize(
    "value",
    [1, True, {"a": "b"}, [], ["alice", "bob"], [1], [["alice"]], [None]],
)
def test_a_claim_of_another_type_is_refused(value: object) -> None:
    """A list of two is a choice that the issuer's order must not make."""
    assert user_of({"user": value}) is REFUSED


@pytest.mark.parametrize("value", ["", "a\r\nb", "alice ", "x" * 257, "\udfff"])
def test_an_unsafe_name_is_refused(value: str) -> None:
    assert user_of({"user": value}) is REFUSED


def test_lowercase_touches_ascii_letters_only() -> None:
    """The Kelvin sign is a small k to str.lower(): somebody else's name."""
    assert user_of({"user": "ALICE"}, lowercase=True) == "alice"
    assert user_of({"user": "\u212aATE"}, lowercase=True) == "\u212aate"


@pytest.mark.parametrize("claim", ["", "a.", "a b"])
def test_what_is_no_path_is_refused_at_the_start(claim: str) -> None:
    with pytest.raises(ValueError, match="claim"):
        ClaimMapperConfig(claim=claim)


def test_it_keeps_the_contract_of_mappers() -> None:
    check_user_mapper(
        ClaimMapper(ClaimMapperConfig(claim="email", lowercase=True)),
        [make_identity(claims={"email": "a@example.com"})],
    )
