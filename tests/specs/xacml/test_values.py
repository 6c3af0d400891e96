"""Values as a decision point is told them."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.xacml.names import DATA_TYPES
from sso_proxy.specs.xacml.values import Bag, UnfitError, read_bag

DOUBLE = DATA_TYPES["double"]


@pytest.mark.parametrize(
    ("found", "values", "declared"),
    [
        ("a", ("a",), ""),
        ("", ("",), ""),
        (["b", "a"], ("a", "b"), ""),
        (("a", "a"), ("a", "a"), ""),
        (True, (True,), ""),
        (17, (17,), ""),
        ([2, 1], (1, 2), ""),
        (1.5, (1.5,), DOUBLE),
        ([2, 1.5], (1.5, 2.0), DOUBLE),
        (None, (), ""),
        ([], (), ""),
    ],
)
def test_type_is_inferred_where_readers_infer_the_same(
    found: object, values: tuple[Any, ...], declared: str
) -> None:
    """Text, truths and whole numbers are what they are; the rest is declared."""
    bag = read_bag(found)
    assert bag == Bag(values, declared)
    assert [type(value) for value in bag.values] == [type(value) for value in values]


@pytest.mark.parametrize(
    "found",
    [
        {"a": 1},
        [["a"]],
        ["a", 1],
        [True, 1],
        [None],
        ["a", None],
        2**53,
        -(2**53),
        math.nan,
        math.inf,
        "\ud800",
        [1.5, 2**60],
        b"a",
    ],
)
def test_what_has_no_exact_form_is_refused(found: object) -> None:
    """Left out or bent, a decision would be about somebody else."""
    with pytest.raises(UnfitError):
        read_bag(found)


@pytest.mark.parametrize(
    ("kind", "found", "value"),
    [
        ("string", "17", "17"),
        ("boolean", False, False),
        ("integer", 17, 17),
        ("integer", "17", 17),
        ("integer", "-17", -17),
        ("integer", "0", 0),
        ("double", 17, 17.0),
        ("double", 1.5, 1.5),
        ("time", "12:30:00Z", "12:30:00Z"),
        ("time", 1_700_000_000, "22:13:20Z"),
        ("date", "2026-02-28", "2026-02-28"),
        ("date", "2026-02-28+01:00", "2026-02-28+01:00"),
        ("date", 1_700_000_000.9, "2023-11-14Z"),
        ("dateTime", "2026-02-28T12:30:00.5+01:00", "2026-02-28T12:30:00.5+01:00"),
        ("dateTime", 1_700_000_000.9, "2023-11-14T22:13:20Z"),
        ("dateTime", -60_000_000_000, "0068-09-03T13:20:00Z"),
        ("dayTimeDuration", "P1DT2H", "P1DT2H"),
        ("yearMonthDuration", "-P1Y2M", "-P1Y2M"),
        ("anyURI", "https://app.example.com/a?b#c", "https://app.example.com/a?b#c"),
        ("hexBinary", "0aFF", "0aFF"),
        ("base64Binary", "aGk=", "aGk="),
        ("rfc822Name", "alice@example.com", "alice@example.com"),
        ("x500Name", "CN=alice,O=Exämple", "CN=alice,O=Exämple"),
        ("ipAddress", "192.0.2.1", "192.0.2.1"),
        ("ipAddress", "2001:DB8::1", "[2001:db8::1]"),
        ("dnsName", "app.example.com", "app.example.com"),
        ("urn:example:type", "anything", "anything"),
    ],
)
def test_value_is_written_as_its_type_wants_it(
    kind: str, found: object, value: object
) -> None:
    """The type is declared by its URI."""
    bag = read_bag(found, kind)
    assert bag == Bag((value,), DATA_TYPES.get(kind, kind))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("string", 17),
        ("string", True),
        ("boolean", "true"),
        ("boolean", 1),
        ("integer", "017"),
        ("integer", "+17"),
        ("integer", "17.0"),
        ("integer", "٣"),
        ("integer", True),
        ("integer", 1.5),
        ("integer", "9" * 16),
        ("double", "1.5"),
        ("double", math.nan),
        ("double", True),
        ("time", "25:00:00"),
        ("time", "12:30"),
        ("date", "2026-02-30"),
        ("date", "20260228"),
        ("dateTime", "2026-02-28 12:30:00"),
        ("dateTime", "2026-02-28T12:30:00\n"),
        ("dateTime", 1e30),
        ("dateTime", math.inf),
        ("dateTime", True),
        ("dayTimeDuration", "P"),
        ("dayTimeDuration", "P1DT"),
        ("yearMonthDuration", "P1D"),
        ("anyURI", "https://app.example.com/a b"),
        ("anyURI", "https://ä.example.com/"),
        ("anyURI", "a\nb"),
        ("anyURI", "<a>"),
        ("hexBinary", "0"),
        ("base64Binary", "aGk"),
        ("rfc822Name", "alice"),
        ("rfc822Name", "a@b@c"),
        ("x500Name", ""),
        ("x500Name", "CN=a\x00b"),
        ("ipAddress", "192.0.2.1/24"),
        ("ipAddress", "192.0.2.01"),
        ("ipAddress", "fe80::1%eth0"),
        ("ipAddress", 17),
        ("dnsName", "a..b"),
        ("dnsName", "-a"),
        ("urn:example:type", 17),
    ],
)
def test_value_that_is_not_of_its_type_is_refused(kind: str, found: object) -> None:
    """Values are never turned into one another."""
    with pytest.raises(UnfitError):
        read_bag(found, kind)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_bag_does_not_depend_on_the_order(values: list[str]) -> None:
    """A bag has no order, so that what is kept is found again."""
    assert read_bag(values) == read_bag(values[::-1])
