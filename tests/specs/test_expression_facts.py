"""Facts are compared with what they can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.expression_facts import LISTS, TEXTS, TRUTHS, check_text
from sso_proxy.specs.http.target import canonical_path, matching_path


def test_a_fact_is_one_of_these() -> None:
    assert not set(TEXTS) & set(LISTS)
    assert not {*TEXTS, *LISTS} & set(TRUTHS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("client", "10.0.0.1/8"),
        ("host", "A.example"),
        ("host", "a.example."),
        ("path", "/a//b"),
        ("path", "/%2e"),
        ("path", ""),
        ("acr", "a b"),
    ],
)
def test_what_a_fact_can_never_be_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_text(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("client", "unix"),
        ("client", "2001:db8::/32"),
        ("host", "[::1]"),
        ("path", "/a%2Fb/@x"),
        ("subject", "A B"),
    ],
)
def test_what_a_fact_can_be_is_good(name: str, text: str) -> None:
    check_text(name, text)


@given(st.text("abA%2Ff40.;@/", max_size=12))
def test_every_path_that_comes_can_be_written(raw: str) -> None:
    try:
        path = matching_path(canonical_path("/" + raw))
    except BadMessageError:
        return
    check_text("path", path)
