"""Tests for `sso_proxy.testing.contract`."""

from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, succeed

from sso_proxy.interfaces import ITools
from sso_proxy.testing.contract import ContractError, check_config_class, outcome_of


async def answer(deferred: Deferred[int]) -> int:
    return await deferred


def test_an_outcome_that_is_there_is_given() -> None:
    assert outcome_of(answer(succeed(5))) == 5


def test_what_is_raised_comes_out() -> None:
    deferred: Deferred[int] = Deferred()
    deferred.errback(OSError("down"))
    with pytest.raises(OSError, match="down"):
        outcome_of(answer(deferred))


def test_what_waits_for_ever_is_found_out() -> None:
    with pytest.raises(ContractError, match="waits"):
        outcome_of(answer(Deferred()))


@attrs.frozen(kw_only=True)
class Good:
    """
    Options.

    Attributes:
        size: Octets,
            at most.
    """

    size: int = 1


@attrs.define
class Thawed:
    """
    Options.

    Attributes:
        size: Octets.
    """

    size: int = 1


@attrs.frozen
class Undocumented:
    """
    Options, such as size: octets.

    Attributes:
        other: Something.
    """

    size: int = 1


class Plain:
    """Options."""


def component(config: type[Any]) -> type[Any]:
    class Component:
        config_class = config

        @classmethod
        def from_config(cls, config: Good, tools: ITools) -> None:
            """Make one."""

    return Component


def test_a_good_config_class_passes() -> None:
    check_config_class(component(Good))


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (Thawed, "not frozen"),
        (Undocumented, "no sentence about 'size'"),
        (Plain, "no attrs class"),
    ],
)
def test_a_bad_config_class_is_found_out(config: type[Any], problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        check_config_class(component(config))


def test_a_bad_from_config_is_found_out() -> None:
    class WithoutTools:
        config_class = Good

        @classmethod
        def from_config(cls, config: Good) -> None:
            """Make one."""

    class NoClassMethod:
        config_class = Good

        def from_config(self, config: Good, tools: ITools) -> None:
            """Make one."""

    with pytest.raises(ContractError, match="config and tools"):
        check_config_class(WithoutTools)
    with pytest.raises(ContractError, match="no class method"):
        check_config_class(NoClassMethod)
