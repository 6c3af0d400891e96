"""The example etc/stores.toml works with nothing but names and ports replaced."""

import subprocess
import sys
from pathlib import Path

from sso_proxy.testing.pki import Pki
from tests.support.memcached import Memcached, tls_options
from tests.support.programs import curl, free_port
from tests.support.running import REAL, Proxy, environment

EXAMPLE = Path(__file__).parent.parent / "etc" / "stores.toml"
COMMAND = "import sys; from sso_proxy.cli import main; sys.exit(main())"


def replaced(directory: Path, port: int, *servers: str) -> str:
    text = EXAMPLE.read_text()
    for old, new in {
        '"0.0.0.0"': '"127.0.0.1"',
        "8443": str(port),
        "cache1.example.com:11211": servers[0],
        "cache2.example.com:11211": servers[1],
        "https://login.example.com/jwks": "http://127.0.0.1:9/jwks",
    }.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return f"[server]\nstate_dir = '{directory / 'state'}'\n{text}"


def test_what_the_example_says_is_what_happens(tmp_path: Path) -> None:
    tls, pki, port = tmp_path / "tls", Pki.create(), free_port()
    tls.mkdir()
    pki.issue("api", dns=["api.example.com"], server=True).write(tls, "api")
    pki.issue("proxy", client=True).write(tls, "proxy")
    pki.write(tls, "caches-ca")
    options = tls_options(tmp_path, pki)
    with (
        Memcached(tmp_path, *options) as one,
        Memcached(tmp_path, *options) as other,
        Proxy(tmp_path) as proxy,
    ):
        proxy.config.write_text(replaced(tmp_path, port, one.name, other.name))
        proxy.start(program=REAL).wait_until_serving()
        connect = f"api.example.com:{port}:127.0.0.1"
        url = f"https://api.example.com:{port}/orders/42"
        answer = curl("--cacert", tls / "caches-ca.crt", "--resolve", connect, url)
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
    assert done.stdout.count("  memcached 1.") == 2
    assert "default  type local" in done.stdout
