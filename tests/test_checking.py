"""A configuration, built without being served."""

from pathlib import Path

import pytest

from sso_proxy.checking import build_parts, check
from sso_proxy.config.load import load_config
from sso_proxy.errors import ConfigError
from sso_proxy.testing.clock import SettableClock
from tests.support.explain_scene import CONFIG, write_config


def test_what_was_built_has_the_routes(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path))
    parts = build_parts(config, SettableClock())
    assert parts.routes.of_host("app.example.com") is not None


def test_a_good_configuration_has_no_notes(tmp_path: Path) -> None:
    assert check(load_config(write_config(tmp_path))).notes == ()


def test_every_mistake_is_found(tmp_path: Path) -> None:
    spoilt = CONFIG.replace("exists claims.email", "(").replace("scope:orders", "@")
    with pytest.raises(ConfigError) as caught:
        check(load_config(write_config(tmp_path, spoilt)))
    assert len(caught.value.mistakes) == 2
