"""What lets operators in; tests/process/test_admin_listener.py connects."""

from pathlib import Path

import pytest

from sso_proxy.config.operator_parts import AdminConfig
from sso_proxy.errors import ConfigError
from sso_proxy.net.tls.operators import build_operators_tls


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.pem")
    config = AdminConfig(
        address="::1", certificate=missing, key=missing, client_ca=missing
    )
    with pytest.raises(ConfigError) as caught:
        build_operators_tls(config, now=0.0)
    paths = {mistake.path for mistake in caught.value.mistakes}
    assert paths >= {"server.admin.certificate", "server.admin.client_ca"}
