"""Limits have safe defaults."""

import pytest

from sso_proxy.config.documented import options
from sso_proxy.config.limits import LimitsConfig


def test_every_limit_is_finite_and_cannot_be_switched_off() -> None:
    for field in options(LimitsConfig):
        assert isinstance(field.default, int | float)
        assert field.default > 0
        with pytest.raises(ValueError, match=r"must be (more|from)"):
            LimitsConfig(**{field.name: 0})
