"""The parts of an authenticator are made of its options."""

from typing import Any

import pytest

from sso_proxy.authn.openid2_config import OpenId2Config
from sso_proxy.authn.openid2_parts import build_parts
from sso_proxy.errors import ConfigError
from sso_proxy.testing.fakes import FakeTools


def _mistakes(**options: Any) -> list[str]:  # noqa: ANN401
    config = OpenId2Config(**{"mappers": ("users",), **options})
    with pytest.raises(ConfigError) as refused:
        build_parts(config, FakeTools())
    return [str(each) for each in refused.value.mistakes]


def test_a_mapper_has_to_be_there() -> None:
    (mistake,) = _mistakes()
    assert "mappers[0]" in mistake
    assert mistake.endswith("[AOID 001]")
