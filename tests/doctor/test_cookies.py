"""Cookies have to get through what is on their way."""

from typing import Any

from sso_proxy.doctor.cookies import look_at_cookies
from sso_proxy.sessions.cookie import CookieSessionConfig
from sso_proxy.sessions.server import ServerSessionConfig


def lines(session: Any) -> list[str]:  # noqa: ANN401
    return [str(finding) for finding in look_at_cookies({"main": session})]


def test_a_name_is_short() -> None:
    (line,) = lines(ServerSessionConfig())
    assert line.startswith("ok      session.main, cookie: is a short name")


def test_whole_sessions_fit_in_what_is_usual() -> None:
    (line,) = lines(CookieSessionConfig())
    assert line == "ok      session.main, cookie: has up to 8000 octets"


def test_other_servers_take_less() -> None:
    (line,) = lines(CookieSessionConfig(max_bytes=8193))
    assert line.startswith("warning session.main, cookie: has up to 8193 octets; ")
    assert "large_client_header_buffers" in line


def test_sessions_of_others_are_their_own_affair() -> None:
    assert lines(object()) == []
