"""All is looked at in one run, each thing in a line."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sso_proxy.cli import main
from tests.support.programs import free_port
from tests.support.running import environment

CONFIG = """
[server]
state_dir = "state"
[key_ring]
file = "keys.json"
[[listener]]
address = "127.0.0.1"
port = 8080
tls = false
allow_plaintext = true
[cache.fleet]
type = "memcached"
servers = ["127.0.0.1:{port}"]
[cache.default]
type = "memory"
[session.main]
type = "server"
[authenticator.people]
type = "form"
checker = "staff"
[checker.staff]
type = "htpasswd"
file = "users"
[[route]]
host = "app.example.com"
authenticate = ["people"]
session = "main"
backend = "http://127.0.0.1:9"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keys, path = tmp_path / "keys.json", tmp_path / "sso-proxy.toml"
    assert main(["key", "new", "--file", str(keys)]) == 0
    ring = json.loads(keys.read_text())
    ring[0]["created"] = int(time.time()) - 500 * 86400
    keys.write_text(json.dumps(ring))
    (tmp_path / "users").write_text("")
    path.write_text(CONFIG.format(port=free_port()))
    return path


def test_a_cache_that_is_down_and_a_key_that_is_old(file: Path) -> None:
    program = "import sys; from sso_proxy.cli import main; sys.exit(main())"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program, "doctor", str(file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
    )
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, ""), done
    for text in (
        "ok      configuration: no mistakes",
        f"warning key ring: {file.parent}/keys.json: the key that seals is of ",
        "ok      session.main, cookie: is a short name; the session is in a store",
        "broken  cache.fleet: ",
        "ok      cache.default: each operation works, the slowest in ",
        "ok      clock: nobody was asked",
    ):
        assert [line for line in lines if line.startswith(text)], (text, lines)
    assert [line for line in lines if "sso-proxy cache probe --config" in line]
