"""What a route may ask of logins."""

from typing import Any

import attrs
import pytest

from sso_proxy.config.login_parts import RouteLoginConfig
from sso_proxy.login import Wishes


def test_nothing_is_said_where_nothing_is_written() -> None:
    assert set(attrs.asdict(RouteLoginConfig()).values()) == {None}


def test_options_are_what_logins_can_be_asked_for() -> None:
    def names(of: Any) -> list[str]:  # noqa: ANN401
        return [field.name for field in attrs.fields(of)]

    assert names(RouteLoginConfig) == [*names(Wishes), "refresh_failed"]


@pytest.mark.parametrize("option", [{"max_age": -1}, {"prompt": ("none",)}])
def test_what_makes_no_sense_is_refused(option: dict[str, Any]) -> None:
    """Nobody who has to log in gets in if nobody may be asked anything."""
    with pytest.raises(ValueError, match=r"must be|none of"):
        RouteLoginConfig(**option)
