"""What components may use."""

import pytest

from sso_proxy.net.clock import SystemClock
from sso_proxy.tools import Tools


def test_what_has_no_builder_has_no_caches_and_seals_nothing() -> None:
    tools = Tools(
        name="a",
        clock=SystemClock(),
        http_client=None,
        reactor=None,
        spawn=lambda _: None,
        shared=lambda _, make: make(),
    )

    with pytest.raises(RuntimeError, match="only components"):
        tools.cache(None, frozenset())
    with pytest.raises(RuntimeError, match="only components"):
        tools.sealer("a")
