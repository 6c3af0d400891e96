"""Single parameters and cookies are found, and taken out without touching the rest."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.model import Headers
from sso_proxy.specs.http.parameters import (
    is_form,
    read_cookie,
    read_parameter,
    without_cookie,
    without_parameter,
)
from sso_proxy.testing.fakes import make_request

NAME = "access_token"


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (None, []),
        ("", []),
        ("a=1", []),
        ("access_token=x", ["x"]),
        ("a=1&access_token=x&b=2", ["x"]),
        ("access%5Ftoken=x", ["x"]),
        ("%61ccess_token=x", ["x"]),
        ("access_token=a%2Bb%3D%3D", ["a+b=="]),
        ("access_token=x&access%5ftoken=y", ["x", "y"]),
        ("access_token", [""]),
        ("access_token=", [""]),
        ("xaccess_token=x&access_tokenx=y&ACCESS_TOKEN=z", []),
        ("a=access_token=x", []),
    ],
)
def test_a_parameter_is_found_however_it_is_spelled(
    query: str | None, values: list[str]
) -> None:
    assert read_parameter(query, NAME) == values


@pytest.mark.parametrize(
    "query", ["a=1;access_token=x", "a;access%5Ftoken", "a&b;access_token=x"]
)
def test_a_parameter_after_a_semicolon_has_two_readings(query: str) -> None:
    with pytest.raises(BadMessageError):
        read_parameter(query, NAME)


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (None, None),
        ("", ""),
        ("access_token=x", None),
        ("access_token=x&", None),
        ("a=%zz&access_token=x&b=<>", "a=%zz&b=<>"),
        ("a&&access%5Ftoken=x&b=1;c", "a&&b=1;c"),
        ("access_token=x&a=1&access_token", "a=1"),
        ("a=1&b=%20+", "a=1&b=%20+"),
    ],
)
def test_a_parameter_is_taken_out_and_nothing_else_changes(
    query: str | None, left: str | None
) -> None:
    assert without_parameter(query, NAME) == left


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("a=1;access_token=x", "a=1"),
        ("a=1;access%5Ftoken=x;b=2&c;d", "a=1;b=2&c;d"),
        (";access_token=x", None),
        ("access_token=x;b=2", None),
        ("a=1;b", "a=1;b"),
        ("", ""),
    ],
)
def test_what_is_a_parameter_to_some_is_taken_out_too(
    query: str, left: str | None
) -> None:
    """A backend may take ``;`` for ``&``."""
    assert without_parameter(query, NAME) == left


@given(
    st.lists(
        st.sampled_from(
            ["a=1", "", "access_token=x", "access%5Ftoken", "b=%", "a;access_token=x"]
        )
    ).map("&".join)
)
def test_what_was_taken_out_is_not_found_again(query: str) -> None:
    assert read_parameter(without_parameter(query, NAME), NAME) == []


@pytest.mark.parametrize(
    ("fields", "form"),
    [
        ((("content-type", "application/x-www-form-urlencoded"),), True),
        ((("content-type", "Application/X-WWW-Form-URLencoded ; charset=x"),), True),
        ((), False),
        ((("content-type", "application/x-www-form-urlencoded-not"),), False),
        ((("content-type", "multipart/form-data"),), False),
        ((("content-type", "application/x-www-form-urlencoded"),) * 2, False),
        (
            (
                ("content-type", "application/x-www-form-urlencoded"),
                ("content-encoding", "gzip"),
            ),
            False,
        ),
    ],
)
def test_a_form_says_that_it_is_one(fields: Headers, form: bool) -> None:  # noqa: FBT001
    made = make_request().head
    assert is_form(attrs.evolve(made, headers=fields)) is form


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ("access_token=x", ["x"]),
        ("a=1; access_token=x; b=2", ["x"]),
        ("a=1;access_token = x", ["x"]),
        ("access_token=x; access_token=y", ["x", "y"]),
        ("a=access_token=x", []),
        ("access_token", [""]),
    ],
)
def test_a_cookie_is_found(value: str, values: list[str]) -> None:
    assert read_cookie(value, NAME) == values


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("access_token=x", ""),
        ("a=1; access_token=x; b=2", "a=1; b=2"),
        ("access_token=x; a=1", "a=1"),
        ("a=1;  b=2", "a=1;  b=2"),
        ("access_token; a=1; access_token=y", "a=1"),
    ],
)
def test_a_cookie_is_taken_out_and_nothing_else_changes(value: str, left: str) -> None:
    assert without_cookie(value, NAME) == left
