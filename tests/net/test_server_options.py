"""Options by which servers are reached fit each other."""

from pathlib import Path
from typing import Any

import pytest

from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import Mistake
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.server_options import ServerOptions, read_access
from sso_proxy.testing.fakes import FakeTools


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"proxy": "socks://p:1"}, "must be http://host:port"),
        ({"timeout": 100}, "must be from 0.1"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ServerOptions(**options)


@pytest.mark.parametrize(
    ("options", "url", "problem"),
    [
        ({"certificate": "c"}, None, "certificate and key are set together"),
        ({"crl": "c"}, None, "crl needs ca"),
        ({"ca": "c"}, "http://127.0.0.1/", "have no effect at an http endpoint"),
        (
            {"proxy": "http://p:1"},
            "http://127.0.0.1/",
            "have no effect at an http endpoint",
        ),
    ],
)
def test_what_does_not_fit_is_said(
    options: dict[str, Any], url: str | None, problem: str
) -> None:
    (said,) = ServerOptions(**options).server_problems(url)
    assert problem in said


def test_a_proxy_and_a_time_of_its_own_are_used() -> None:
    client: Any = HttpClient(None, OutboundConfig())
    mistakes: list[Mistake] = []
    tools = FakeTools(http_client=client)
    config = ServerOptions(proxy="http://proxy.example.com:8080", timeout=2)
    access = read_access(config, tools, mistakes)
    assert access.http_client is client.through(("proxy.example.com", 8080))
    assert (access.tls, access.within, mistakes) == (None, 2, [])
    assert read_access(ServerOptions(), tools, mistakes).http_client is client


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    mistakes: list[Mistake] = []
    config = ServerOptions(ca=str(tmp_path / "none.pem"))
    assert read_access(config, FakeTools(), mistakes).tls is None
    assert [mistake.path for mistake in mistakes] == ["ca"]
