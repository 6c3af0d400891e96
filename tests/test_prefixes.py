"""Routes whose backend has other paths, and what they must not reach by them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.upstream_scene import UpstreamScene

ROUTE = """
[[route]]
host = "app.example.com"
path = "{path}"
authenticate = ["anonymous"]
backend = "{{{server}}}"
{more}
"""
REDIRECT = (
    b"HTTP/1.1 302 X\r\nLocation: /cart\r\nSet-Cookie: a=b; Path=/\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def route(path: str, more: str = "", server: int = 0) -> str:
    return ROUTE.format(path=path, more=more, server=server)


PUBLIC = """
strip_prefix = "/public"
path_parameters = "keep"
encoded_slashes = true
"""
MOVED = route("/x/", "strip_prefix = '/x'\nadd_prefix = '/admin'")
LOCALHOST = route("/admin/").replace('"{0}"', '"http://localhost:{ports[0]}"')
GROUP = """
[upstream.all]
server = [{{ url = "{1}" }}, {{ url = "{0}" }}]
""" + route("/admin/").replace("{0}", "upstream:all")
SHOP = route("/shop/", "strip_prefix = '/shop'")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Callable[[str], UpstreamScene]]:
    made: list[UpstreamScene] = []

    def make(text: str) -> UpstreamScene:
        made.append(UpstreamScene(tmp_path, text))
        return made[-1]

    yield make
    for each in made:
        each.close()


Make = Callable[[str], UpstreamScene]


def test_requests_and_answers_are_changed_at_both_speeds(scene: Make) -> None:
    """The second and third request go by what was decided for the first."""
    proxy = scene(SHOP)
    client = proxy.connect()
    for number, target in enumerate(["/shop/a", "/shop/b?c=/shop/d", "/shop/"]):
        proxy.send(target, "X-Forwarded-Prefix: /other", client=client)
        sock = proxy.servers[0].hear()
        sent = target.removeprefix("/shop").encode()
        head = proxy.servers[0].heads[number]
        assert head.startswith(b"GET " + sent + b" HTTP/1.1")
        assert head.count(b"\r\nX-Forwarded-Prefix: /shop\r\n") == 1
        sock.send(REDIRECT)
        told = proxy.answer(client)
        assert b"\r\nLocation: /shop/cart\r\n" in told
        assert b"\r\nSet-Cookie: a=b; Path=/shop\r\n" in told
    assert '"path":"/shop/a"' in proxy.records()


@pytest.mark.parametrize(
    ("others", "target", "status"),
    [
        (route("/"), "/public/admin/x", b"200"),  # the same paths: written so
        (route("/admin/"), "/public/other", b"200"),
        (route("/admin/"), "/public/admin/x", b"400"),
        (route("/admin/"), "/public/admin/", b"400"),
        (route("/admin/"), "/public/%61dmin/x", b"400"),
        (route("/admin/"), "/public/admin%2Fx", b"400"),
        (route("/admin/"), "/public/x%2F..%2Fadmin%2Fx", b"400"),
        (route("/admin/"), "/public/admin;a=b/x", b"400"),
        (route("/admin/"), "/public/x%5Cy/..%2F..%2Fadmin%2Fx", b"400"),
        (route("/admin/"), "/public/;a/admin/x", b"400"),
        (route("/admin/"), "/public/a%2Fx;b", b"200"),
        (route("/a/{{id}}/"), "/public/a/1/x", b"400"),
        (route("/admin/", server=1), "/public/admin/x", b"200"),
        (LOCALHOST, "/public/admin/x", b"400"),
        (GROUP, "/public/admin/x", b"400"),
        (MOVED, "/public/admin/y", b"400"),
        (route("/public/admin/"), "/public/admin/x", b"200"),
    ],
)  # fmt: skip
def test_no_other_routes_paths_are_reached(
    scene: Make, others: str, target: str, status: bytes
) -> None:
    """B12: what the backend would read as another route's is that route's."""
    proxy = scene(route("/public/", PUBLIC) + others)
    client = proxy.connect()
    proxy.send("/public/fine", client=client)
    proxy.servers[0].hear().send(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")
    assert proxy.answer(client).startswith(b"HTTP/1.1 200")
    for over in (client, None):  # by what is remembered, and without
        asked = proxy.send(target, client=over)
        if status == b"200":
            proxy.servers[0].hear().send(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")
        assert proxy.answer(asked).startswith(b"HTTP/1.1 " + status)


def test_an_absolute_redirect_of_the_backend_leads_back_here(scene: Make) -> None:
    proxy = scene(
        route(
            "/shop/",
            "strip_prefix = '/shop'\nadd_prefix = '/app'\n"
            "upstream = {{ host = 'inside.example:8080' }}",
        )
    )
    client = proxy.send("/shop/a")
    sock = proxy.servers[0].hear()
    assert proxy.servers[0].heads[0].startswith(b"GET /app/a HTTP/1.1\r\n")
    assert b"Prefix" not in proxy.servers[0].heads[0]
    sock.send(
        b"HTTP/1.1 302 X\r\nLocation: http://inside.example:8080/app/b\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert b"\r\nLocation: http://app.example.com/shop/b\r\n" in proxy.answer(client)


def test_a_backend_with_another_name_leads_back_here(scene: Make) -> None:
    more = "upstream = {{ host = 'inside.example' }}\nencoded_slashes = true"
    proxy = scene(route("/", more) + route("/admin/"))
    client = proxy.connect()
    for target in ("/a%2Fb", "/a%2Fc"):
        proxy.send(target, client=client)
        sock = proxy.servers[0].hear()
        head = proxy.servers[0].heads[-1]
        assert head.startswith(f"GET {target} ".encode())
        assert b"\r\nHost: inside.example\r\n" in head
        assert b"X-Forwarded-Prefix" not in head
        sock.send(
            b"HTTP/1.1 302 X\r\nLocation: https://inside.example/b?c\r\n"
            b"Set-Cookie: a=b; Path=/x; Domain=inside.example\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        told = proxy.answer(client)
        assert b"\r\nLocation: http://app.example.com/b?c\r\n" in told
        assert b"\r\nSet-Cookie: a=b; Path=/x\r\n" in told


def test_our_own_paths_stay_ours(scene: Make) -> None:
    proxy = scene(SHOP.replace('"/shop/"', '"/"').replace("strip", "add"))
    client = proxy.send("/.sso/nothing")
    assert proxy.answer(client).startswith(b"HTTP/1.1 404")


def test_a_backend_that_names_its_own_port_leads_back_here(scene: Make) -> None:
    proxy = scene(SHOP)
    port = proxy.servers[0].port
    for name in ("127.0.0.1", "app.example.com"):
        client = proxy.send("/shop/a")
        proxy.servers[0].hear().send(
            b"HTTP/1.1 302 X\r\nLocation: http://%b:%d/b\r\nContent-Length: 0\r\n\r\n"
            % (name.encode(), port)
        )
        told = proxy.answer(client)
        assert b"\r\nLocation: http://app.example.com/shop/b\r\n" in told
