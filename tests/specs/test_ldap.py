"""Filters are values, and names are read and written by the rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.ldap import (
    AnyOf,
    Equal,
    Matching,
    NoneOf,
    Present,
    build_conditions,
    check_attribute,
    check_template,
    escape_value,
    fill_template,
    read_leading,
)


@pytest.mark.parametrize("name", ["uid", "2.5.4.3", "cn;lang-de", "a-b", "m:1.2.840"])
def test_names_of_attributes_are_taken(name: str) -> None:
    check_attribute(name)


@pytest.mark.parametrize("name", ["", "*", "u(id", "1", "a b", "a:", ":1.2", "a=b"])
def test_what_names_no_attribute_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name of an attribute"):
        check_attribute(name)


def test_conditions_are_filters() -> None:
    where = {"a": ("1",), "b": ("1", "*"), "c": ()}
    unless = {"d:1.2.3": ("2",)}
    assert build_conditions(where, unless) == (
        Equal("a", "1"),
        AnyOf((Equal("b", "1"), Equal("b", "*"))),
        Present("c"),
        NoneOf(Matching("d", "1.2.3", "2")),
    )


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        # RFC 4514 section 4
        ('James "Jim" Smith, III', 'James \\"Jim\\" Smith\\, III'),
        ("Before\rAfter", "Before\rAfter"),
        ("#x", "\\#x"),
        (" x ", "\\ x\\ "),
        (" ", "\\ "),
        ("a+b<c>d;e=f\\g", "a\\+b\\<c\\>d\\;e\\=f\\\\g"),
        ("a\0b", "a\\00b"),
        ("Lučić", "Lučić"),
    ],
)
def test_values_are_escaped(text: str, escaped: str) -> None:
    assert escape_value(text) == escaped


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50))
def test_a_name_that_is_filled_in_is_one_value(text: str) -> None:
    """However it is typed, it changes nothing of the name around it."""
    name = fill_template("uid={user},o=x", text)
    assert name.endswith(",o=x")
    assert read_leading(name, "uid") == text


@pytest.mark.parametrize(
    "template", ["o=x", "uid={user}", "{user},o=x", "uid=a{user},o=x", "uid={user}b,o"]
)
def test_what_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="as a whole value"):
        check_template(template)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cn=admins,ou=groups", "admins"),
        ("CN = admins , ou=groups", "admins"),
        ("cn=admins", "admins"),
        ("cn=a\\2cb\\,c\\C4\\8D,o=x", "a,b,cč"),
        ("cn=a\\ff,o=x", None),
        ("ou=admins,cn=groups", None),
        ("cn=a+sn=b,o=x", None),
        ("cn=a;o=x", None),
        ("", None),
        ("cn=" + "a" * 5000, None),
    ],
)
def test_the_leading_value_is_read(name: str, value: str | None) -> None:
    assert read_leading(name, "cn") == value
