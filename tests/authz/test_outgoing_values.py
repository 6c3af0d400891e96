"""What decision points are told about a request."""

import pytest

from sso_proxy.authz.facts import Context
from sso_proxy.authz.outgoing_values import check_value, is_changing, make_value
from sso_proxy.testing.fakes import NOW, make_identity, make_request

ALICE = make_identity(claims={"groups": ["a", "b"], "level": 3})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("subject", "alice"),
        ("claims.groups", ["a", "b"]),
        ("claims.level", 3),
        ("claims.nothing", None),
        ("method", "GET"),
        ("path", "/orders/17"),
        ("scheme", "https"),
        ("url", "https://app.example.com/orders/17"),
        ("now", NOW),
        ("'it\\'s'", "it's"),
        ("17", 17),
        ("true", True),
        ("false", False),
    ],
)
def test_word_stands_for_a_value(text: str, value: object) -> None:
    """Operands of conditions, constants, and three words more."""
    request = make_request(path="/orders/17", query="secret=1")
    assert make_value(text)(ALICE, request) == value


def test_url_names_a_port_that_is_not_usual() -> None:
    """Two ports are two resources."""
    request = make_request(path="/", tls=False)
    url = make_value("url")
    assert url(ALICE, request) == "http://app.example.com/"
    object.__setattr__(request.head, "port", 8080)
    assert url(ALICE, request) == "http://app.example.com:8080/"


def test_request_about_no_resource_has_no_url() -> None:
    """``OPTIONS *`` must not look like a path."""
    request = make_request(method="OPTIONS", path="*")
    assert make_value("url")(ALICE, request) is None


def test_url_has_one_spelling() -> None:
    """What backends take for the same is the same for a decision point."""
    request = make_request(path="/a%40b/%2F")
    assert make_value("url")(ALICE, request) == "https://app.example.com/a@b/%2F"


@pytest.mark.parametrize(
    ("path", "value"),
    [("/orders/17", "17"), ("/orders/17/items", "17"), ("/users/17", None)],
)
def test_named_part_is_there_where_the_path_begins_as_the_template(
    path: str, value: str | None
) -> None:
    """A user's number is not an order's."""
    tables = {"t": {"17": {"c": "x"}}}
    context = Context(template="/orders/{id}", tables=tables)
    request = make_request(path=path)
    assert make_value("path.id", context)(ALICE, request) == value
    cell = make_value("tables.t[path.id].c", context)(ALICE, request)
    assert cell == (value and "x")


def test_path_that_is_shorter_than_the_template_has_no_parts() -> None:
    """Not even those that it is long enough for."""
    part = make_value("path.id", Context(template="/orders/{id}/items"))
    assert part(ALICE, make_request(path="/orders/17")) is None
    assert part(ALICE, make_request(path="/orders/17/items")) == "17"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("method == GET", "at column 8: expected a value"),
        ("scope:a", "at column 1"),
        ("", "at column 1"),
        ("claims.a claims.b", "at column 10"),
        ("nonsense", "at column 1: expected a value"),
        ("path.id", "has no part 'id'"),
        ("tables.t[subject].c", "no table"),
        ("exists subject", "at column 1"),
        ("subject and exists claims.a", "condition"),
    ],
)
def test_other_words_are_refused(text: str, problem: str) -> None:
    """A mistake is found when the configuration is read."""
    with pytest.raises(ValueError, match=problem):
        make_value(text)


def test_word_can_be_checked_before_its_template_is_known() -> None:
    """Each option is checked where it stands."""
    check_value("path.id")
    with pytest.raises(ValueError, match="expected a value"):
        check_value("method == GET")


def test_only_the_time_is_always_another() -> None:
    """All else is the same for the same request."""
    assert is_changing("now")
    assert not is_changing("url")
