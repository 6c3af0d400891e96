"""Tests for `sso_proxy.mappers.pattern`."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.mappers.pattern import (
    PatternMapper,
    PatternMapperConfig,
    PatternRule,
    fill_template,
    read_template,
)
from sso_proxy.model import DECLINED, REFUSED, MapperVerdict
from sso_proxy.testing.checks import check_user_mapper, outcome_of
from sso_proxy.testing.fakes import FakeTools, make_identity


def user_of(subject: str, *rules: tuple[str, str]) -> str | MapperVerdict:
    config = PatternMapperConfig(
        rules=tuple(PatternRule(match=match, user=user) for match, user in rules)
    )
    mapper = PatternMapper.from_config(config, FakeTools())
    return outcome_of(mapper.map_user(make_identity(subject)))


def test_groups_go_where_their_numbers_stand() -> None:
    assert user_of("alice@example.com", (r"(\w+)@(.*)", "$2/$1")) == "example.com/alice"


def test_two_dollar_signs_are_one() -> None:
    assert user_of("a", ("(a)", "$$1$1$$")) == "$1a$"


def test_all_of_the_string_must_match() -> None:
    """An address at example.com.evil.net is none at example.com."""
    rule = (r"(\w+)@example\.com", "$1")
    assert user_of("alice@example.com.evil.net", rule) is DECLINED
    assert user_of("x alice@example.com", rule) is DECLINED


def test_an_address_in_two_domains_is_in_neither() -> None:
    """A rule for one part before the sign finds no second sign in it (C26)."""
    rule = (r"([^@]+)@company\.example", "$1")
    assert user_of("alice@company.example", rule) == "alice"
    for address in (
        "alice@evil.example@company.example",
        "alice@company.example@evil.example",
        "alice@evil-company.example",
        "alice@company.example.",
        '"alice@company.example"@evil.example',
    ):
        assert user_of(address, rule) is DECLINED, address


def test_a_line_feed_does_not_end_the_string() -> None:
    assert user_of("alice\n", (r"alice$", "alice")) is REFUSED


def test_the_first_rule_that_matches_decides() -> None:
    assert user_of("root", ("root", "nobody"), ("(.*)", "$1")) == "nobody"


def test_without_a_match_the_next_mapper_is_asked() -> None:
    assert user_of("bob", ("alice", "a")) is DECLINED


def test_captures_belong_to_the_rule_that_matched() -> None:
    """What an earlier rule captured before it failed is not in the name."""
    rules = (r"(admin)-(\d+)", "$1"), (r"(?:(x)-)?admin-(\w+)", "u$1$2")
    assert user_of("admin-x", *rules) == "ux"


def test_what_is_captured_is_not_expanded_again() -> None:
    assert user_of("$2-b", (r"(.*)-(b)", "$1")) == "$2"


@pytest.mark.parametrize("subject", ["a\x00", "\ud800", "", " ", "x" * 257])
def test_an_unsafe_name_is_refused(subject: str) -> None:
    assert user_of(subject, ("(?s)(.*)", "$1")) is REFUSED


def test_a_claim_may_be_the_source() -> None:
    rules = (PatternRule(match="(.*)@x", user="$1"),)
    mapper = PatternMapper(PatternMapperConfig(source="a.mail", rules=rules))
    identity = make_identity(claims={"a": {"mail": ["bob@x"]}})
    assert outcome_of(mapper.map_user(identity)) == "bob"
    assert outcome_of(mapper.map_user(make_identity())) is DECLINED
    wrong = make_identity(claims={"a": {"mail": 1}})
    assert outcome_of(mapper.map_user(wrong)) is REFUSED


def test_a_claim_called_subject_is_written_in_quotes() -> None:
    rules = (PatternRule(match="(.*)", user="$1"),)
    mapper = PatternMapper(PatternMapperConfig(source="'subject'", rules=rules))
    identity = make_identity("alice", claims={"subject": "claimed"})
    assert outcome_of(mapper.map_user(identity)) == "claimed"


@pytest.mark.parametrize(
    ("match", "user", "problem"),
    [
        ("(", "a", "no RE2 expression"),
        (r"(a)\1", "a", "no RE2 expression"),
        ("(?=a)a", "a", "no RE2 expression"),
        ("a", "$1", "no group 1"),
        ("(a)", "$2", "no group 2"),
        ("(a)", "$0", "after \\$"),
        ("(a)", "x$", "after \\$"),
        ("(a)", "${1}", "after \\$"),
        ("(a)", "", "empty"),
    ],
)
def test_a_wrong_rule_is_refused_at_the_start(
    match: str, user: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        PatternRule(match=match, user=user)


def test_rules_and_a_readable_source_are_required() -> None:
    with pytest.raises(ValueError, match="empty"):
        PatternMapperConfig(rules=())
    with pytest.raises(ValueError, match="claim"):
        PatternMapperConfig(source="a b", rules=(PatternRule(match="a", user="a"),))


def test_a_hostile_string_takes_no_time() -> None:
    """(a+)+b takes a backtracking engine for ever."""
    start = time.monotonic()
    assert user_of("a" * 5000, ("(a+)+b", "$1")) is DECLINED
    assert time.monotonic() - start < 1


@given(st.text())
def test_text_without_groups_stays_as_it_is(text: str) -> None:
    template = read_template(text.replace("$", "$$"), 0)
    assert fill_template(template, ()) == text


def test_it_keeps_the_contract_of_mappers() -> None:
    rule = PatternRule(match="(?s)(.*)", user="$1")
    check_user_mapper(PatternMapper(PatternMapperConfig(rules=(rule,))))
    config = PatternMapperConfig(rules=(rule,), source="email")
    check_user_mapper(PatternMapper(config))
