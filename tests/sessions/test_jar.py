"""The cookie of a session in requests and answers."""

import pytest

from sso_proxy.errors import SessionTooLargeError
from sso_proxy.sessions.jar import Jar, cookies_of, field_of
from sso_proxy.specs.http.cookies import Scope
from tests.support.sessions import Browser

JAR = Jar(name="__Host-sso", scope=Scope())
ADMIN = Jar(name="__Host-sso-admin", scope=Scope())


def test_what_is_written_is_read() -> None:
    browser = Browser()
    browser.take(JAR.write(browser.request(), "x" * 10000))
    assert sorted(browser.cookies) == ["__Host-sso", "__Host-sso.1", "__Host-sso.2"]
    assert JAR.read(browser.request()) == "x" * 10000


def test_what_is_left_of_a_longer_value_is_taken_away() -> None:
    browser = Browser()
    browser.take(JAR.write(browser.request(), "x" * 10000))
    browser.take(JAR.write(browser.request(), "y"))
    assert browser.cookies == {"__Host-sso": "1.y"}


def test_pieces_of_two_values_are_never_one_of_them() -> None:
    """Whoever seals sees that; here the first piece says how many there are."""
    browser = Browser()
    browser.take(JAR.write(browser.request(), "x" * 10000))
    del browser.cookies["__Host-sso.1"]
    assert JAR.read(browser.request()) is None


def test_a_jar_leaves_the_cookies_of_others_alone() -> None:
    browser = Browser(other="1")
    for jar in (JAR, ADMIN):
        browser.take(jar.write(browser.request(), "x" * 5000))
    browser.cookies["__Host-sso-login-abc"] = "y"
    assert ADMIN.read(browser.request()) == "x" * 5000
    browser.take(JAR.clear(browser.request()))
    assert sorted(browser.cookies) == [
        "__Host-sso-admin",
        "__Host-sso-admin.1",
        "__Host-sso-login-abc",
        "other",
    ]


def test_where_nothing_is_nothing_is_taken_away() -> None:
    assert JAR.clear(Browser(other="1").request()) == ()


def test_what_cannot_fit_is_refused() -> None:
    with pytest.raises(SessionTooLargeError, match="type server"):
        JAR.write(Browser().request(), "x" * 40000)


def test_all_cookies_of_a_request_stand_in_one_field() -> None:
    request = Browser(**{"a": "1", "__Host-sso": "1.x"}).request()
    assert field_of(request) == "a=1; __Host-sso=1.x"
    assert JAR.find(field_of(request)) == JAR.read(request) == "x"
    assert field_of(Browser().request()) == ""
    assert JAR.find("") is None
    assert cookies_of(Browser().request(), "__Host-sso") == {}


def test_no_value_is_shown() -> None:
    assert "secret" not in repr(JAR)
