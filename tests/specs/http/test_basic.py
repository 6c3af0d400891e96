"""The Basic scheme, as RFC 7617 has it."""

from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.http.basic import (
    BasicError,
    UserPass,
    basic_challenge,
    read_basic,
)

TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")))


def encode(text: bytes) -> str:
    return "Basic " + b64encode(text).decode()


def test_the_example_of_the_standard() -> None:
    """Section 2: "Aladdin" and "open sesame"."""
    found = read_basic(["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="])
    assert found == UserPass("Aladdin", "open sesame")


def test_the_example_with_utf_8() -> None:
    """Section 2.1: user-id "test", password "123" and a pound sign."""
    assert read_basic(["Basic dGVzdDoxMjPCow=="]) == UserPass("test", "123\u00a3")


@given(user=TEXT.filter(lambda t: ":" not in t), password=TEXT)
def test_what_was_written_is_read(user: str, password: str) -> None:
    found = read_basic([encode(f"{user}:{password}".encode())])
    assert found == UserPass(user, password)


@given(st.text())
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    with suppress(BasicError):
        read_basic([f"Basic {text}"])


@pytest.mark.parametrize("values", [[], ["Bearer abc"], ["Negotiate a", "Bearer b"]])
def test_other_schemes_are_left_to_others(values: list[str]) -> None:
    assert read_basic(values) is None


@pytest.mark.parametrize("scheme", ["basic", "BASIC"])
def test_the_case_of_the_scheme_does_not_matter(scheme: str) -> None:
    assert read_basic([f"{scheme} YTpi"]) == UserPass("a", "b")


@pytest.mark.parametrize(
    "values",
    [
        ["Basic"],
        ["Basic "],
        ["Basic YTpi YTpi"],
        ["Basic YTpi", "Basic YTpi"],
        ["Basic YTpi", "Bearer abc"],
        ["Basic YTp"],
        ["Basic !!!!"],
        [encode(b"no colon")],
        [encode(b"a:\xff")],
        [encode(b"a:b\0")],
        [encode(b"a\n:b")],
        [encode("a:\u0085".encode())],
    ],
)
def test_what_can_be_read_in_two_ways_or_none_is_refused(values: list[str]) -> None:
    with pytest.raises(BasicError):
        read_basic(values)


def test_a_colon_in_the_password_belongs_to_it() -> None:
    assert read_basic([encode(b"a:b:c")]) == UserPass("a", "b:c")


def test_nothing_of_it_is_in_a_repr() -> None:
    assert "secret" not in repr(UserPass("secret", "secret"))


def test_a_realm_is_quoted() -> None:
    assert basic_challenge('a "b" \\') == (
        'Basic realm="a \\"b\\" \\\\", charset="UTF-8"'
    )


@pytest.mark.parametrize("realm", ["a\nb", "ä"])
def test_a_realm_that_no_field_can_have_is_refused(realm: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        basic_challenge(realm)
