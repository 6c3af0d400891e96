"""What has been read of a request tells no log more than it may."""

from sso_proxy.specs.http.incoming import Framing
from tests.specs.http.conftest import Reader


def test_a_request_without_anything_said_has_no_body_and_stays() -> None:
    framing = Framing()
    assert (framing.length, framing.chunked, framing.keep_alive) == (0, False, True)


def test_neither_what_proxies_said_nor_the_path_that_came_is_shown(
    read: Reader,
) -> None:
    incoming = read(
        b"GET /a/../secret HTTP/1.1\r\nHost: a.example\r\n"
        b"X-Forwarded-For: 192.0.2.77\r\n\r\n"
    )
    assert incoming.forwarded == (("x-forwarded-for", "192.0.2.77"),)
    assert incoming.path_sent == "/a/../secret"
    assert "192.0.2.77" not in repr(incoming)
    assert "/a/.." not in repr(incoming)


def test_the_path_that_came_makes_no_other_request(read: Reader) -> None:
    plain = read(b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n")
    assert read(b"GET /b/../a HTTP/1.1\r\nHost: a.example\r\n\r\n") == plain
