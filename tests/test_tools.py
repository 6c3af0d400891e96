"""What components may use."""

import pytest

from sso_proxy.errors import ConfigError
from sso_proxy.net.clock import SystemClock
from sso_proxy.testing.fakes import make_identity, make_request
from sso_proxy.tools import Tools


def make_tools() -> Tools:
    return Tools(
        name="a",
        clock=SystemClock(),
        http_client=None,
        reactor=None,
        spawn=lambda _: None,
        shared=lambda _, make: make(),
    )


def test_what_has_no_builder_has_no_caches_and_seals_nothing() -> None:
    tools = make_tools()
    with pytest.raises(RuntimeError, match="only components"):
        tools.cache(None, frozenset())
    with pytest.raises(RuntimeError, match="only components"):
        tools.sealer("a")


def test_a_condition_is_that_of_a_route() -> None:
    tools = make_tools()
    test = tools.condition("amr contains 'otp'", "multifactor")
    assert test(make_identity(claims={"amr": ["otp"]}), make_request())
    assert not test(make_identity(claims={"amr": ["pwd"]}), make_request())
    with pytest.raises(ConfigError) as e:
        tools.condition("amr ==", "multifactor")
    assert [mistake.path for mistake in e.value.mistakes] == ["multifactor"]
