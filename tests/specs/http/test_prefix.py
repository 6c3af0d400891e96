"""Paths there and back again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.http.prefix import AnswerPaths, PathPrefix, plain_authorities
from sso_proxy.specs.http.target import canonical_path

SHOP = PathPrefix("/shop", "")
MOVED = PathPrefix("/shop", "/app/v2")
BELOW = PathPrefix("", "/app")


def answers(prefix: PathPrefix) -> AnswerPaths:
    return AnswerPaths(
        prefix=prefix,
        authorities=plain_authorities({"app.example.com", "inside:8080"}),
        origin="https://app.example.com",
        host="app.example.com",
        names=frozenset({"inside.corp.example", "inside"}),
    )


@pytest.mark.parametrize(
    ("prefix", "path", "sent"),
    [
        (SHOP, "/shop/cart", "/cart"),
        (SHOP, "/shop/", "/"),
        (SHOP, "/shop", "/"),
        (SHOP, "/shop/shop/x", "/shop/x"),
        (SHOP, "/shop/%2Fx", "/%2Fx"),
        (MOVED, "/shop/cart", "/app/v2/cart"),
        (MOVED, "/shop", "/app/v2"),
        (BELOW, "/", "/app/"),
        (PathPrefix("/@a/b", ""), "/%40a/b/c", "/c"),
    ],
)
def test_a_path_gets_the_backends_form(
    prefix: PathPrefix, path: str, sent: str
) -> None:
    assert prefix.to_backend(path) == sent


_segment = st.text("ab.%2F@;", min_size=1, max_size=4)


@given(st.lists(_segment, max_size=4), st.booleans())
def test_no_canonical_path_becomes_another_kind_of_path(
    segments: list[str],
    slash: bool,  # noqa: FBT001
) -> None:
    """B12: no ``//`` and no ``/../`` come of taking segments off."""
    path = "/shop" + "".join(f"/{each}" for each in segments) + "/" * slash
    try:
        canonical = canonical_path(path) == path
    except Exception:  # noqa: BLE001
        canonical = False
    if canonical:
        for prefix in (SHOP, MOVED, BELOW):
            sent = prefix.to_backend(path)
            assert canonical_path(sent) == sent
            assert prefix.to_client(sent) in {path, path + "/"}


@pytest.mark.parametrize(
    ("prefix", "url", "told"),
    [
        (SHOP, "/cart?a=/x#f", "/shop/cart?a=/x#f"),
        (SHOP, "/", "/shop/"),
        (SHOP, "http://app.example.com/cart", "https://app.example.com/shop/cart"),
        (SHOP, "HTTPS://APP.example.com:443/a?b", "https://app.example.com/shop/a?b"),
        (SHOP, "//inside:8080/a", "https://app.example.com/shop/a"),
        (SHOP, "http://inside:8080", "https://app.example.com/shop/"),
        (SHOP, "http://inside:8080?a=b", "https://app.example.com/shop/?a=b"),
        (SHOP, "http://inside:8081/a", "http://inside:8081/a"),
        (SHOP, "http://elsewhere.example/cart", "http://elsewhere.example/cart"),
        (SHOP, "//elsewhere.example/cart", "//elsewhere.example/cart"),
        (SHOP, "http://inside:8080@evil.example/", "http://inside:8080@evil.example/"),
        (
            SHOP,
            "http://inside:8080\\@evil.example/",
            "http://inside:8080\\@evil.example/",
        ),
        (SHOP, "cart", "cart"),
        (SHOP, "?a=b", "?a=b"),
        (SHOP, "", ""),
        (SHOP, "mailto:a@b", "mailto:a@b"),
        (MOVED, "/app/v2/cart", "/shop/cart"),
        (MOVED, "/app/v2", "/shop"),
        (MOVED, "/app/v2x", "/app/v2x"),
        (MOVED, "/other", "/other"),
        (BELOW, "/app/a", "/a"),
        (BELOW, "/app", "/"),
        (BELOW, "/app//evil.example", "/app//evil.example"),
        (BELOW, "/app/\\evil.example", "/app/\\evil.example"),
    ],
)
def test_a_url_gets_the_clients_form(prefix: PathPrefix, url: str, told: str) -> None:
    assert answers(prefix).url(url) == told


@given(st.text("/\\a.?#:@app", max_size=12))
def test_no_path_becomes_another_host(rest: str) -> None:
    """A redirect that stayed here leads nowhere else afterwards."""
    for prefix in (SHOP, MOVED, BELOW):
        url = "/" + rest
        told = answers(prefix).url(url)
        if not url.startswith(("//", "/\\")):
            assert not told.startswith(("//", "/\\"))


@pytest.mark.parametrize(
    ("prefix", "line", "told"),
    [
        (SHOP, "Location: /a", "Location: /shop/a"),
        (SHOP, "Content-Location: /a", "Content-Location: /shop/a"),
        (SHOP, "Refresh: 5; url=/a", "Refresh: 5; url=/shop/a"),
        (SHOP, "Refresh: 0;URL='/a'", "Refresh: 0;URL='/shop/a'"),
        (SHOP, "Refresh: 5", "Refresh: 5"),
        (SHOP, "Set-Cookie: a=b; Path=/", "Set-Cookie: a=b; Path=/shop"),
        (SHOP, "Set-Cookie: a=/x; path = /y; X", "Set-Cookie: a=/x; path = /shop/y; X"),
        (SHOP, "Set-Cookie: a=b", "Set-Cookie: a=b"),
        (SHOP, "Set-Cookie: a=b; Path=x", "Set-Cookie: a=b; Path=x"),
        (SHOP, "Set-Cookie: __Host-a=b; Path=/", "Set-Cookie: __Host-a=b; Path=/"),
        (MOVED, "Set-Cookie: a=b; Path=/app/v2/", "Set-Cookie: a=b; Path=/shop/"),
        (MOVED, "Set-Cookie: a=b; Path=/", "Set-Cookie: a=b; Path=/"),
        (BELOW, "Set-Cookie: a=b; Path=/app", "Set-Cookie: a=b; Path=/"),
        (SHOP, "X-Location: /a", "X-Location: /a"),
        (SHOP, "Link: </a>; rel=next", "Link: </a>; rel=next"),
    ],
)
def test_fields_get_the_clients_paths(prefix: PathPrefix, line: str, told: str) -> None:
    block = b"HTTP/1.1 200 OK\r\nA: b\r\n%b\r\nVia: c\r\n"
    assert answers(prefix).rewrite(block % line.encode()) == block % told.encode()


@pytest.mark.parametrize(
    ("domain", "stays"),
    [
        ("inside.corp.example", False),
        (".Inside.Corp.example", False),
        ("corp.example", False),
        ("inside", False),
        ("app.example.com", True),
        (".example.com", True),
        ("side.corp.example", True),  # neither's: as wrong as it was
        ("x.inside.corp.example", True),
        ("", True),
    ],
)
def test_a_cookie_of_the_backends_domain_is_one_of_the_clients_host(
    domain: str, *, stays: bool
) -> None:
    block = "HTTP/1.1 200 OK\r\nSet-Cookie: a=domain=x{};Path={}; Secure\r\n"
    written = f"; domain = {domain} "
    told = block.format(written if stays else "", "/shop")
    assert answers(SHOP).rewrite(block.format(written, "/").encode()) == told.encode()


def test_every_cookie_is_changed() -> None:
    block = b"X\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/x\r\n"
    assert answers(SHOP).rewrite(block) == (
        b"X\r\nSet-Cookie: a=1; Path=/shop\r\nSet-Cookie: b=2; Path=/shop/x\r\n"
    )
