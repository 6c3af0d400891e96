"""Tests for `sso_proxy.specs.claims`."""

import pytest

from sso_proxy.specs.claims import claim_at, read_claim_path, scan_claim_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("email", ("email",)),
        ("realm_access.user", ("realm_access", "user")),
        ("cognito:groups", ("cognito:groups",)),
        ("x5t#S256", ("x5t#S256",)),
        ("'https://example.com/a.b'.code", ("https://example.com/a.b", "code")),
        ('"it\'s"', ("it's",)),
    ],
)
def test_a_path_is_names_with_dots_between_them(
    text: str, path: tuple[str, ...]
) -> None:
    assert read_claim_path(text) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a b", "''", "'a", "é"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="claim"):
        read_claim_path(text)


def test_a_path_has_a_greatest_depth() -> None:
    assert len(read_claim_path(".".join("a" * 16))) == 16
    with pytest.raises(ValueError, match="at most 16"):
        read_claim_path(".".join("a" * 17))


def test_a_path_within_a_text_ends_where_it_ends() -> None:
    assert scan_claim_path("claims.a.b == 1", 7) == (("a", "b"), 10)


def test_dots_descend_and_never_stand_for_themselves() -> None:
    """One reading: a claim whose name has a dot is reached with quotes alone."""
    claims = {"a.b": "flat", "a": {"b": "deep"}}
    assert claim_at(claims, read_claim_path("a.b")) == "deep"
    assert claim_at(claims, read_claim_path("'a.b'")) == "flat"


@pytest.mark.parametrize("claims", [{}, {"a": None}, {"a": "x"}, {"a": [{"b": 1}]}])
def test_what_is_not_there_is_none(claims: dict[str, object]) -> None:
    assert claim_at(claims, ("a", "b")) is None


def test_a_null_is_not_there() -> None:
    assert claim_at({"a": None}, ("a",)) is None
