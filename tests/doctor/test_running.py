"""All is looked at in one run, each thing in a line."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from twisted.internet import reactor as installed  # noqa: TID251 - a real one
from twisted.trial.unittest import TestCase

from sso_proxy.cli import main
from sso_proxy.config.load import parse_config
from sso_proxy.doctor.finding import Finding
from sso_proxy.doctor.running import look
from sso_proxy.errors import ConfigError
from tests.support.programs import free_port
from tests.support.running import environment

PLAIN = """
[[listener]]
address = "127.0.0.1"
port = 8080
tls = false
allow_plaintext = true
[[route]]
host = "*"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9"
"""
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


class LookingTests(TestCase):
    """In a process that goes on."""

    async def test_a_reader_that_has_seen_enough_is_no_error(self) -> None:
        said = []

        def say(finding: Finding) -> None:
            said.append(finding)
            raise BrokenPipeError

        found = await look(parse_config(PLAIN, "/nowhere/x.toml"), installed, say)
        assert isinstance(found, BrokenPipeError)
        assert len(said) == 1

    async def test_whoever_is_needed_is_asked(self) -> None:
        api = f"""
[authenticator.api]
type = "bearer"
issuer = "https://127.0.0.1:{free_port()}"
audience = ["https://api.example"]
"""
        text = PLAIN.replace('"anonymous"', '"api"')
        said: list[Finding] = []
        config = parse_config(api + text, "/nowhere/x.toml")
        assert await look(config, installed, said.append) is False
        (found,) = [each for each in said if each.what == "authenticator.api"]
        assert found.state == "broken"
        assert "is it up, and reached from here" in found.todo

    async def test_a_file_that_is_gone_is_a_mistake(self) -> None:
        text = PLAIN.replace("tls = false", 'certificate = "no.crt"\nkey = "no.key"')
        config = parse_config(text.replace("allow_", "#"), "/nowhere/x.toml")
        found = await look(config, installed, print)
        assert isinstance(found, ConfigError)


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
