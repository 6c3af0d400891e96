"""Expressions are RE2, whose time is linear."""

import pytest

from sso_proxy.config.expressions import compile_expression


def test_an_expression_is_compiled() -> None:
    assert compile_expression("[a-z]+").fullmatch("abc")


@pytest.mark.parametrize("text", ["(", "a{1,99999}", "(?=a)", r"(a)\1"])
def test_what_re2_has_not_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no RE2 expression"):
        compile_expression(text)
