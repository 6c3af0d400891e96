"""Patterns say the same in linear time, whatever they are."""

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.expression_patterns import PatternError, compile_pattern
from sso_proxy.specs.expression_tree import Pattern


@pytest.mark.parametrize(
    ("operator", "pattern", "text", "fits"),
    [
        ("starts with", "/a", "/ab", True),
        ("starts with", "/a", "b/a", False),
        ("like", "/a/*", "/a/b", True),
        ("like", "/a/*", "/a/b/c", False),
        ("like", "/a/**", "/a/b/c", True),
        ("like", "a?c", "abc", True),
        ("like", "a?c", "a/c", False),
        ("like", "a.c", "abc", False),
        ("like", "**", "a\nb", True),
        ("like", "", "", True),
        ("matches", "[a-z]+", "abc", True),
        ("matches", "[a-z]+", "abc1", False),
        ("matches", "a|b", "ab", False),
        ("matches", "(?i)ABC", "abc", True),
        ("matches", "\\p{L}+", "\u00fcber", True),
    ],
)
def test_a_pattern_fits_whole_texts(
    operator: Pattern, pattern: str, text: str, *, fits: bool
) -> None:
    assert compile_pattern(operator, pattern)(text) is fits


@pytest.mark.parametrize(
    ("operator", "pattern"),
    [
        ("starts with", ""),
        ("matches", "("),
        ("matches", "(a)\\1"),
        ("matches", "(?=a)"),
        ("matches", "((a{100}){100}){100}"),
    ],
)
def test_what_is_no_pattern_is_refused(operator: Pattern, pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(operator, pattern)


@given(st.text("ab*?.[", max_size=8), st.text("ab.[", max_size=8))
def test_globs_mean_what_others_mean_by_them(glob: str, text: str) -> None:
    plain = glob.replace("[", "[[]")
    assert compile_pattern("like", glob)(text) == fnmatch.fnmatchcase(text, plain)


def test_no_pattern_takes_long() -> None:
    began = time.process_time()
    assert not compile_pattern("matches", "(a|a)*b")("a" * 50_000)
    assert time.process_time() - began < 1.0
