"""``sso-proxy doctor`` says what is wrong, and with which status."""

from pathlib import Path

import pytest

from sso_proxy.cli import main


def test_a_wrong_configuration_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is around it is not looked at; tests/doctor has what is."""
    file = tmp_path / "sso-proxy.toml"
    file.write_text("[server]\nworkers = 0\n[[route]]\n")
    assert main(["doctor", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "server.workers: " in err
    assert "route[0].host: " in err
