"""``sso-proxy log`` speaks to the proxy that runs."""

import json
import signal
from pathlib import Path

import pytest

from sso_proxy.cli import main
from tests.support.programs import RealProxy
from tests.support.running import eventually

TEXT = """
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true

[[route]]
host = "app.example.com"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9"
"""


def test_a_part_is_silenced_while_an_operator_wants_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = str(tmp_path / "state")
    with RealProxy(tmp_path, TEXT, workers=2, state_dir=state) as proxy:
        proxy.serve()
        command = ["log", "--config", str(proxy.config)]
        assert main([*command, "sso_proxy.supervisor", "error"]) == 0
        usual, line = capsys.readouterr().out.splitlines()
        assert usual == "usual: info"
        told = json.loads(line)
        assert (told["namespace"], told["level"]) == ("sso_proxy.supervisor", "error")
        before = proxy.log().count("] reloaded")
        proxy.write_config(name="second")
        proxy.signal(signal.SIGHUP)
        shown = "/configuration"
        eventually(lambda: '"second"' in proxy.ask_admin(shown)[1], "the reload")
        assert proxy.log().count("] reloaded") == before
        assert main([*command, "sso_proxy.supervisor", "info", "--seconds", "60"]) == 0
        proxy.reload()
        assert "logging sso_proxy.supervisor from level error on" in proxy.log()
        assert main([*command, "sso_proxy", "loud"]) == 1
        assert "level must be one of debug" in capsys.readouterr().err
