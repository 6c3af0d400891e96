"""Patterns hold credentials, and show none."""

from sso_proxy.specs.http.repeat import find_pattern
from tests.specs.http.conftest import Reader

HEAD = (
    b"GET / HTTP/1.1\r\nHost: a.example\r\nAuthorization: DPoP %s\r\n"
    b"X-Between: %s\r\nDPoP: %s\r\nX-After: %s\r\n\r\n"
)


def test_what_stands_around_a_credential_is_not_shown(read: Reader) -> None:
    data = HEAD % (b"token", b"hidden-between", b"proof", b"hidden-after")
    pattern = find_pattern(data[data.index(b"\r\n") :], read(data))
    assert pattern is not None
    assert [hole.name for hole in pattern.holes] == ["authorization", "dpop"]
    assert pattern.once
    assert b"hidden-between" in pattern.holes[1].before
    assert b"hidden-after" in pattern.after
    assert "hidden" not in repr(pattern)
