"""Tests for `sso_proxy.specs.expression_tokens`."""

import pytest

from sso_proxy.specs.expression_tokens import ExpressionError, Token, read_tokens


def test_a_text_is_cut_into_words_with_their_columns() -> None:
    assert read_tokens(" claims.a.b in['x']") == [
        Token("claim", 2, "claims.a.b", ("a", "b")),
        Token("word", 13, "in"),
        Token("sign", 15, "["),
        Token("string", 16, "x"),
        Token("sign", 19, "]"),
        Token("end", 20, "the end"),
    ]


def test_a_scope_ends_at_a_sign_of_the_grammar() -> None:
    assert [t.text for t in read_tokens("scope:a.b/c:d,scope:e)")][:-1] == [
        "a.b/c:d",
        ",",
        "e",
        ")",
    ]


def test_a_scope_in_quotes_ends_with_them() -> None:
    tokens = read_tokens("scope:'a(1),b',scope:'c'")
    assert [t.text for t in tokens][:-1] == ["a(1),b", ",", "c"]


@pytest.mark.parametrize("sign", ["=", "&&", "|", "{", ";", "+", "é", "\x00", "`"])
def test_there_are_no_other_signs(sign: str) -> None:
    with pytest.raises(ExpressionError, match="cannot read"):
        read_tokens(sign)
