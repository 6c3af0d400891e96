"""A whole configuration that is right, and ways to spoil it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sso_proxy.config.load import parse_config
from sso_proxy.config.model import Config
from sso_proxy.errors import ConfigError

LISTENER = """
[[listener]]
address = "127.0.0.1"
port = 8443
certificate = "tls/app.crt"
key = "tls/app.key"
client_certificate = "optional_no_ca"
"""
ROUTE = """
[[route]]
host = "app.example.com"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9000"
"""

Parse = Callable[..., Config]
Mistakes = Callable[..., dict[str, str]]


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    """Parse pieces of a file; a listener or route that is not given is a good one."""

    def run(*pieces: str, listener: str = LISTENER, route: str = ROUTE) -> Config:
        text = "\n".join([*pieces, listener, route])
        return parse_config(text, tmp_path / "sso-proxy.toml")

    return run


@pytest.fixture
def mistakes(parse: Parse) -> Mistakes:
    """Parse pieces and give the mistakes: problem by path; none is none."""

    def run(*pieces: str, **tables: str) -> dict[str, str]:
        try:
            parse(*pieces, **tables)
        except ConfigError as e:
            return {mistake.path: mistake.problem for mistake in e.mistakes}
        return {}

    return run
