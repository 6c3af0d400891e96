"""Explanations outside the proxy that runs."""

from pathlib import Path

import pytest

from sso_proxy.config.load import load_config
from sso_proxy.errors import ConfigError
from sso_proxy.explain.running import explain_now, make_explainer
from tests.support.explain_scene import ALICE, CONFIG, make_situation, write_config


def test_one_explainer_explains_many_requests(tmp_path: Path) -> None:
    explain = make_explainer(load_config(write_config(tmp_path)))
    found = [explain(make_situation(path)).status for path in ("/a", "/orders/%2F")]
    assert found == [404, 400]


def test_a_configuration_that_cannot_be_built_is_refused(tmp_path: Path) -> None:
    spoilt = CONFIG.replace("exists claims.email", "exists (")
    config = load_config(write_config(tmp_path, spoilt))
    with pytest.raises(ConfigError):
        explain_now(config, make_situation(who=ALICE))
