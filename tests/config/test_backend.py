"""A backend is read in one way, or refused."""

import pytest

from sso_proxy.config.backend import Backend, read_backend


@pytest.mark.parametrize(
    ("text", "backend"),
    [
        ("http://h", Backend(kind="http", host="h", port=80)),
        ("http://H:8080/", Backend(kind="http", host="h", port=8080)),
        ("https://a.example", Backend(kind="https", host="a.example", port=443)),
        ("http://[::1]:81", Backend(kind="http", host="::1", port=81)),
        ("http://127.0.0.1:9000", Backend(kind="http", host="127.0.0.1", port=9000)),
        ("unix:/run/app.sock", Backend(kind="unix", target="/run/app.sock")),
        ("wsgi:pkg.mod:app", Backend(kind="wsgi", target="pkg.mod:app")),
        ("static:/srv/www", Backend(kind="static", target="/srv/www")),
        ("resource:mod:root", Backend(kind="resource", target="mod:root")),
        ("decisions:main", Backend(kind="decisions", target="main")),
        ("ticket:main", Backend(kind="ticket", target="main")),
    ],
)
def test_backend_is_taken_apart(text: str, backend: Backend) -> None:
    assert read_backend(text) == backend


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("h:80", "no kind of backend"),
        ("HTTP://h", "no kind of backend"),
        ("ftp://h", "no kind of backend"),
        ("http:h", "is not 'http://host:port'"),
        ("http://", "is not 'http://host:port'"),
        ("http://h/app", "none can be put before it"),
        ("http://h?q", "is not"),
        ("http://h#f", "is not"),
        ("http://h:0", "no port"),
        ("http://h:65536", "no port"),
        ("http://h:-1", "is not"),
        ("http://h b", "no host name"),
        ("http://h\r\nx", "no host name"),
        ("http://h..b", "no host name"),
        ("http://127.1", "no IPv4 address"),
        ("http://0177.0.0.1", "no IPv4 address"),
        ("http://[1.2.3.4]", "no IPv6 address"),
        ("http://[::g]", "no IPv6 address"),
        ("unix:run/app.sock", "absolute path"),
        ("unix:", "absolute path"),
        ("static:www", "absolute path"),
        ("wsgi:module", "no 'module:name'"),
        ("resource:a b:c", "no 'module:name'"),
        ("decisions:", "needs the name of a policy"),
        ("ticket:", "needs the name of a token"),
    ],
)
def test_other_texts_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_backend(text)


def test_password_in_a_url_is_refused_and_not_shown() -> None:
    with pytest.raises(ValueError, match="user name or password") as e:
        read_backend("http://me:hush@h/")
    assert "hush" not in str(e.value)


@pytest.mark.parametrize(
    ("text", "proxied"),
    [("http://h", True), ("unix:/s", True), ("static:/w", False), ("wsgi:a:b", False)],
)
def test_backend_knows_whether_requests_leave(text: str, proxied: bool) -> None:  # noqa: FBT001
    assert read_backend(text).proxied is proxied
