"""The example etc/redis.toml works with nothing but names and ports replaced."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import curl, free_port
from tests.support.redis_servers import (
    USER_PASSWORD,
    acl_options,
    server_port,
    temporary_servers,
)
from tests.support.running import REAL, Proxy, environment

EXAMPLE = Path(__file__).parent.parent / "etc" / "redis.toml"
COMMAND = "import sys; from sso_proxy.cli import main; sys.exit(main())"


def replaced(directory: Path, port: int, server: str) -> str:
    text = EXAMPLE.read_text()
    for old, new in {
        '"0.0.0.0"': '"127.0.0.1"',
        "8443": str(port),
        "redis.example.com:6379": server,
        "https://login.example.com/jwks": "http://127.0.0.1:9/jwks",
    }.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return f"[server]\nstate_dir = '{directory / 'state'}'\n{text}"


def test_what_the_example_says_is_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", USER_PASSWORD)
    directory, servers = temporary_servers()
    tls, port, redis = tmp_path / "tls", free_port(), server_port()
    tls.mkdir()
    pki = servers.authority
    pki.issue("api", dns=["api.example.com"], server=True).write(tls, "api")
    pki.issue("proxy", client=True).write(tls, "proxy")
    pki.write(tls, "redis-ca")
    with directory, servers, Proxy(tmp_path) as proxy:
        options = (*servers.tls_options(redis), *acl_options("sso:"))
        address = servers.run(*options, port=redis).address
        proxy.config.write_text(replaced(tmp_path, port, address))
        proxy.start(program=REAL).wait_until_serving()
        connect = f"api.example.com:{port}:127.0.0.1"
        url = f"https://api.example.com:{port}/orders/42"
        answer = curl("--cacert", tls / "redis-ca.crt", "--resolve", connect, url)
        assert answer.status == 401
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", COMMAND, "cache", "probe", "--config", proxy.config],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment(),
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"redis at {address}, version" in done.stdout
    assert "publish, subscribe" in done.stdout
    assert USER_PASSWORD not in done.stdout
