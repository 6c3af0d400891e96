"""A request's token is found where it may stand, and there is one."""

import pytest

from sso_proxy.errors import BadMessageError
from sso_proxy.model import RequestHead
from sso_proxy.specs.oauth.bearer import InvalidRequestError
from sso_proxy.specs.oauth.presentation import (
    STANDARD,
    Place,
    Presented,
    find_token,
    names_parameter,
    octets_name_parameter,
    read_place,
)

ALL = ("header", "header:X-Token", "header:X-Auth Token", "query", "cookie", "basic")
BASIC = "Basic YWxpY2U6dA=="  # alice:t


def head(query: str | None = None, *fields: tuple[str, str]) -> RequestHead:
    return RequestHead(
        method="GET",
        scheme="https",
        host="a",
        port=443,
        path="/",
        query=query,
        headers=fields,
    )


def find(
    *places: str, query: str | None = None, **fields: str | list[str]
) -> Presented | None:
    """Look for a token; underscores in the names of *fields* are hyphens."""
    given = [
        (name.replace("_", "-"), value)
        for name, values in fields.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    return find_token(head(query, *given), [read_place(place) for place in places])


def test_a_token_is_found_in_a_form() -> None:
    """RFC 6750 section 2.2."""
    places = [read_place("form"), STANDARD]
    found = find_token(head(), places, "a=1&access_token=t")
    assert found == Presented("Bearer", "t", Place("form", "access_token"))
    assert find_token(head(), places, None) is None
    assert find_token(head(), [STANDARD], "access_token=t") is None
    bearer = head(None, ("authorization", "Bearer t"))
    for form in ("access_token=t", "access_token=t&access%5Ftoken=u"):
        with pytest.raises(InvalidRequestError):
            find_token(bearer, places, form)
    with pytest.raises(InvalidRequestError):
        find_token(head("access_token=t"), places, "access_token=t")


def refusal(*places: str, query: str | None = None, **fields: str | list[str]) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        find(*places, query=query, **fields)
    return caught.value.reason


def test_places_are_read() -> None:
    assert read_place("header") == STANDARD
    assert read_place("header:X-Token") == Place("header", "x-token")
    assert read_place("header:X-Auth Token") == Place("header", "x-auth", "Token")
    assert read_place("query") == Place("query", "access_token")
    assert read_place("query:t") == Place("query", "t")
    assert read_place("cookie:t") == Place("cookie", "t")
    assert read_place("basic") == Place("basic", "authorization")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "body",
        "header:",
        "header:X Y Z",
        "header:X-Töken",
        "header:Authorization",
        "header:cookie",
        "header:DPoP",
        "query:",
        "query:a b",
        "cookie:a b",
        "basic:x",
        "Header",
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"place|none of"):
        read_place(text)


def test_a_token_is_found_in_each_place() -> None:
    assert find("header", authorization="Bearer t") == Presented(
        "Bearer", "t", STANDARD
    )
    assert find("header", authorization="DPoP t") == Presented("DPoP", "t", STANDARD)
    for place, given in {
        "header:X-Token": {"x_token": "t"},
        "header:X-Auth Token": {"x_auth": "token t"},
        "query": {"query": "a=1&access%5Ftoken=t"},
        "cookie": {"cookie": "a=1; access_token=t"},
        "basic": {"authorization": BASIC},
    }.items():
        assert find(place, **given) == Presented("Bearer", "t", read_place(place))
        assert find(*ALL, **given) == Presented("Bearer", "t", read_place(place))


def test_nothing_is_found_in_other_places() -> None:
    assert find("header", query="access_token=t", cookie="access_token=t") is None
    assert find("header", authorization=BASIC) is None
    assert find("query", authorization="Bearer t") is None
    assert find("header:X-Auth Token", x_auth="Other t") is None


def test_a_cookie_that_was_taken_back_is_no_token() -> None:
    assert find("cookie", cookie="access_token=; a=1") is None


def test_a_token_twice_in_one_place_is_refused() -> None:
    """RFC 6750 2: clients MUST NOT use more than one method in each request."""
    assert refusal("query", query="access_token=t&access%5ftoken=t") == "token-twice"
    assert refusal("cookie", cookie="access_token=t; access_token=u") == "token-twice"
    assert refusal("header:X-Token", x_token=["t", "t"]) == "token-twice"
    assert refusal("basic", authorization=[BASIC, BASIC]) == "token-twice"


@pytest.mark.parametrize("places", [ALL, ("header", "query"), ("header",), ("query",)])
@pytest.mark.parametrize("name", ["access_token", "access%5Ftoken", "%61ccess_token"])
def test_tokens_in_two_places_are_refused(places: tuple[str, ...], name: str) -> None:
    found = refusal(*places, query=f"a=1&{name}=t", authorization="Bearer t")
    assert found == "token-twice"


def test_tokens_in_two_places_of_ours_are_refused() -> None:
    assert refusal(*ALL, x_token="t", cookie="access_token=t") == "token-twice"
    assert refusal("cookie", cookie="access_token=t", authorization="DPoP t")


@pytest.mark.parametrize(
    ("place", "given"),
    [
        ("query", {"query": "access_token"}),
        ("query", {"query": "access_token=a+b"}),
        ("query", {"query": "access_token=a%20b"}),
        ("query", {"query": "access_token=t%0d%0a"}),
        ("cookie", {"cookie": 'access_token="t"'}),
        ("header:X-Token", {"x_token": ""}),
        ("header:X-Auth Token", {"x_auth": "Token  t"}),
        ("basic", {"authorization": "Basic !"}),
        ("basic", {"authorization": "Basic YWxpY2U6"}),
        ("basic", {"authorization": "Basic YWxpY2U="}),
    ],
)
def test_what_is_no_token_is_refused(place: str, given: dict[str, str]) -> None:
    assert refusal(place, **given) == "token-syntax"


def test_a_query_with_two_readings_is_refused() -> None:
    with pytest.raises(BadMessageError):
        find("query", query="access_token=t&a=1;access_token=u")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("access_token=t", True),
        ("a=1&access_token", True),
        ("a=1;access_token=t", True),
        ("%61%63%63%65%73%73%5f%74%6F%6b%65%6E=t", True),
        ("a=access_token", False),
        ("access_token2=t&xaccess_token=t", False),
        ("", False),
        ("redirect=%3Faccess_token%3Dt", False),
    ],
)
def test_the_parameter_is_recognised_without_reading_all(
    query: str,
    named: bool,  # noqa: FBT001
) -> None:
    assert names_parameter(query) is named
    assert octets_name_parameter(b"?" + query.encode()) is named
