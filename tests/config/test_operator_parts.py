"""What operators may write about what they see is read strictly."""

from typing import Any

import pytest

from sso_proxy.config.operator_parts import TracesConfig
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError


def test_few_traces_are_sampled_by_default() -> None:
    assert TracesConfig().ratio == 0.01


@pytest.mark.parametrize("ratio", [-0.1, 1.1, "1"])
def test_a_share_is_one_of_the_whole(ratio: Any, tmp_path: Any) -> None:  # noqa: ANN401
    with pytest.raises(ConfigError):
        structure(
            {"ratio": ratio}, TracesConfig, path="server.traces", directory=tmp_path
        )


def test_spans_leave_the_machine_by_https_only(tmp_path: Any) -> None:  # noqa: ANN401
    text = {"endpoint": "http://collector.example:4318/v1/traces"}
    with pytest.raises(ConfigError, match="https"):
        structure(text, TracesConfig, path="server.traces", directory=tmp_path)
