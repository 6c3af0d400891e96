"""Cookies: what is read out of requests, and what browsers are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.cookies import (
    CHUNK,
    MOST_CHUNKS,
    MOST_OCTETS,
    MOST_PAIRS,
    Scope,
    build_set_cookie,
    join_chunks,
    login_name,
    name_problem,
    read_cookies,
    scope_problem,
    split_chunks,
)

NAME = "__Host-sso"
VALUES = st.integers(1, 12000).map(lambda length: ("aB3-_x" * 2000)[:length])
LONG = st.integers(CHUNK, 12000).map(lambda length: ("aB3-_x" * 2000)[:length])


@given(VALUES)
def test_a_value_comes_back_from_its_chunks(value: str) -> None:
    cookies = dict(split_chunks(NAME, value))
    assert join_chunks(cookies, NAME) == value


@given(VALUES)
def test_no_chunk_is_longer_than_browsers_take(value: str) -> None:
    assert all(len(f"{n}={v}") <= CHUNK for n, v in split_chunks(NAME, value))


@given(LONG, st.data())
def test_an_incomplete_set_is_no_value(value: str, data: st.DataObject) -> None:
    cookies = dict(split_chunks(NAME, value))
    del cookies[data.draw(st.sampled_from(sorted(cookies)))]
    assert join_chunks(cookies, NAME) is None


def test_more_chunks_than_there_may_be_are_not_written() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        split_chunks(NAME, "a" * (MOST_CHUNKS * CHUNK))


@pytest.mark.parametrize(
    "first", ["", "x", "0.x", "10.x", "99999999999.x", "1", "-1.x", "\u0661.x", ".x"]
)
def test_a_count_is_one_digit(first: str) -> None:
    """However many chunks a client says that there are, nothing is looked for (C16)."""
    assert join_chunks({NAME: first}, NAME) is None


def test_chunks_beyond_the_count_mean_nothing() -> None:
    """They are left over from a longer value."""
    assert join_chunks({NAME: "1.new", f"{NAME}.1": "old"}, NAME) == "new"


def test_cookies_of_others_are_not_looked_at() -> None:
    field = "a=1; __Host-sso=1.x; __host-sso=2; x__Host-sso=3; b; __Host-sso.1=y"
    assert read_cookies(field, NAME) == {NAME: "1.x", f"{NAME}.1": "y"}


@pytest.mark.parametrize(
    "value", ['"1.x"', "1.x y", "1.x,y", "1.%41", "1.\x7f", "1.é", "1.x=", "1.a\\b"]
)
def test_what_we_never_write_is_no_value(value: str) -> None:
    assert read_cookies(f"{NAME}={value}", NAME) == {NAME: None}


def test_two_values_of_one_name_are_none() -> None:
    """A host beside ours may have set one of them, and nobody knows which."""
    assert read_cookies(f"{NAME}=1.a; {NAME}=1.b", NAME) == {NAME: None}
    assert read_cookies(f"{NAME}=1.a; {NAME}=1.b; {NAME}=1.a", NAME) == {NAME: None}


def test_the_same_cookie_twice_is_one() -> None:
    assert read_cookies(f"{NAME}=1.a; {NAME}=1.a", NAME) == {NAME: "1.a"}


@pytest.mark.parametrize(
    "field",
    [
        f"{NAME}=1.a; " + "a=; " * MOST_PAIRS,
        f"{NAME}=1.a; a=" + "b" * MOST_OCTETS,
    ],
)
def test_a_flood_of_cookies_is_refused(field: str) -> None:
    """Each costs memory, and no browser has so many (C17)."""
    with pytest.raises(BadMessageError) as caught:
        read_cookies(field, NAME)
    assert caught.value.status == 431


@given(st.text(max_size=200))
def test_nothing_else_goes_wrong(text: str) -> None:
    for name, value in read_cookies(text + NAME, NAME).items():
        assert name.startswith(NAME)
        assert value is None or value.isascii()


def test_a_cookie_is_protected_in_every_way() -> None:
    written = build_set_cookie(NAME, "1.x", Scope(), max_age=60)
    assert written == (
        "__Host-sso=1.x; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax"
    )


def test_a_cookie_of_a_domain_says_so() -> None:
    scope = Scope(domain="example.com", path="/app/", same_site="none")
    assert build_set_cookie("__Secure-sso", "x", scope) == (
        "__Secure-sso=x; Path=/app/; Domain=example.com; Secure; HttpOnly"
        "; SameSite=None"
    )


@pytest.mark.parametrize("name", ["__Host-sso", "__Secure-sso", "__Host-sso-admin-2"])
def test_a_name_of_ours_is_good(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "sso",
        "__host-sso",
        "__Host-session",
        "__Host-sso.1",
        "__Host-sso-",
        "__Host-sso-login",
        "__Host-sso-login-x",
        "__Host-sso-bound",
        "__Secure-sso-bound",
        "__Host-sso;x",
        "__Host-ssox",
    ],
)
def test_another_name_is_not(name: str) -> None:
    """It would reach backends, or be another cookie of ours."""
    assert name_problem(name) is not None


@pytest.mark.parametrize(
    ("name", "scope", "good"),
    [
        ("__Host-sso", Scope(), True),
        ("__Host-sso", Scope(domain="example.com"), False),
        ("__Host-sso", Scope(path="/app/"), False),
        ("__Secure-sso", Scope(domain="example.com", path="/app/"), True),
        ("__Secure-sso", Scope(domain=".example.com"), False),
        ("__Secure-sso", Scope(domain="com"), False),
        ("__Secure-sso", Scope(domain="example.com; x"), False),
        ("__Secure-sso", Scope(path="/a;b"), False),
        ("__Secure-sso", Scope(path="a"), False),
    ],
)
def test_a_scope_is_one_that_browsers_take(name: str, scope: Scope, good: bool) -> None:  # noqa: FBT001
    assert (scope_problem(name, scope) is None) == good


@pytest.mark.parametrize(
    ("scope", "host", "path", "covered"),
    [
        (Scope(), "app.example.com", "/x", True),
        (Scope(domain="example.com"), "app.example.com", "/", True),
        (Scope(domain="example.com"), "example.com", "/", True),
        (Scope(domain="example.com"), "evilexample.com", "/", False),
        (Scope(path="/app/"), "h", "/app/x", True),
        (Scope(path="/app"), "h", "/app", True),
        (Scope(path="/app"), "h", "/apple", False),
        (Scope(path="/app/"), "h", "/", False),
    ],
)
def test_a_scope_covers_what_browsers_send_it_to(
    scope: Scope,
    host: str,
    path: str,
    covered: bool,  # noqa: FBT001
) -> None:
    assert scope.covers(host, path) == covered


def test_a_login_has_a_cookie_of_its_own() -> None:
    assert login_name("abc") == "__Host-sso-login-abc"
