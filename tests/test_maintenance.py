"""Routes that are worked on answer for their backends."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sso_proxy.config.model import RouteConfig
from sso_proxy.config.upstream_parts import MaintenanceOptions
from sso_proxy.errors import ConfigError
from sso_proxy.maintenance import build_maintenance
from sso_proxy.testing.fakes import FakeTools
from tests.support.upstream_scene import UpstreamScene

ROUTE = """
[[route]]
host = "app.example.com"
authenticate = ["anonymous"]
backend = "{{0}}"
[route.maintenance]
{options}
"""
OK = b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n"
HTML = "Accept: text/html"

Make = Callable[[str], UpstreamScene]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Make]:
    made: list[UpstreamScene] = []

    def make(options: str) -> UpstreamScene:
        made.append(UpstreamScene(tmp_path, ROUTE.format(options=options), count=1))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_everybody_hears_of_it(scene: Make) -> None:
    proxy = scene("on = true\nretry_after = 60")
    answer = proxy.answer(proxy.send("/", HTML))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 60\r\n" in answer
    assert b"Down for maintenance" in answer
    assert b"application/problem+json" in proxy.answer(proxy.send("/"))
    assert '"reason":"maintenance"' in proxy.records()


def test_pages_of_ones_own_are_shown(scene: Make, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"<h1>Sunday</h1>")
    (tmp_path / "page.json").write_bytes(b'{"sunday": true}')
    proxy = scene("on = true\nhtml = 'page.html'\njson = 'page.json'")
    page = proxy.answer(proxy.send("/", HTML))
    assert page.endswith(b"\r\n\r\n<h1>Sunday</h1>")
    assert b"\r\nContent-Type: text/html; charset=utf-8\r\n" in page
    assert b"default-src 'none'" in page
    assert proxy.answer(proxy.send("/")).endswith(b'\r\n\r\n{"sunday": true}')
    assert proxy.answer(proxy.send("/", method="HEAD")).endswith(b"\r\n\r\n")


def test_a_file_turns_it_on_and_off_for_connections_that_stand(
    scene: Make, tmp_path: Path
) -> None:
    """What was decided for them before does not count any more."""
    proxy = scene("file = 'stop'")
    client = proxy.connect()
    for _ in range(2):
        proxy.send("/", client=client)
        proxy.servers[0].hear().send(OK)
        assert proxy.answer(client).startswith(b"HTTP/1.1 200")
    (tmp_path / "stop").touch()
    proxy.pass_time(1.0)
    proxy.send("/", client=client)
    assert proxy.answer(client).startswith(b"HTTP/1.1 503")
    (tmp_path / "stop").unlink()
    proxy.pass_time(1.0)
    proxy.send("/", client=client)
    proxy.servers[0].hear().send(OK)
    assert proxy.answer(client).startswith(b"HTTP/1.1 200")


def test_a_reload_keeps_looking_and_turns_it_off(scene: Make, tmp_path: Path) -> None:
    proxy = scene("on = true")
    assert proxy.answer(proxy.send("/")).startswith(b"HTTP/1.1 503")
    proxy.reload(ROUTE.format(options="file = 'stop'"))
    proxy.reload(ROUTE.format(options="file = 'stop'\nretry_after = 7"))
    client = proxy.send("/")
    proxy.servers[0].hear().send(OK)
    assert proxy.answer(client).startswith(b"HTTP/1.1 200")
    (tmp_path / "stop").touch()
    proxy.pass_time(1.0)
    assert b"Retry-After: 7\r\n" in proxy.answer(proxy.send("/"))


def test_operators_get_through(scene: Make) -> None:
    proxy = scene("on = true\nallow = ['127.0.0.0/8']")
    client = proxy.send("/")
    proxy.servers[0].hear().send(OK)
    assert proxy.answer(client).startswith(b"HTTP/1.1 200")


def test_nobody_says_by_a_field_that_they_are_one(scene: Make) -> None:
    proxy = scene("on = true\nallow = ['192.0.2.1']")
    client = proxy.send("/", "X-Forwarded-For: 192.0.2.1")
    assert proxy.answer(client).startswith(b"HTTP/1.1 503")


def test_our_own_paths_go_on(scene: Make) -> None:
    proxy = scene("on = true")
    assert proxy.answer(proxy.send("/.sso/x")).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("content", [None, b"", b"x" * 262145])
def test_a_page_that_cannot_be_shown_is_a_mistake(
    tmp_path: Path, content: bytes | None
) -> None:
    page = tmp_path / "page"
    if content is not None:
        page.write_bytes(content)
    route = RouteConfig(
        host="a",
        authenticate=("anonymous",),
        backend="http://b",
        maintenance=MaintenanceOptions(on=True, html=str(page)),
    )
    with pytest.raises(ConfigError) as caught:
        build_maintenance("route[0]", route, FakeTools())
    assert [m.path for m in caught.value.mistakes] == ["route[0].maintenance.html"]
