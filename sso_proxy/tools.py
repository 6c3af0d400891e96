"""What components may use of the proxy that they are parts of."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import attrs
from zope.interface import implementer

from sso_proxy.authz.conditions import compile_condition
from sso_proxy.interfaces import (
    ICache,
    IClock,
    IPasswordChecker,
    ISealer,
    ITokenSource,
    ITools,
    IUserMapper,
)
from sso_proxy.model import Identity, Request


def _not_here(*_: object) -> Any:  # noqa: ANN401
    raise RuntimeError("only components have caches, sealers and others' tokens")


@implementer(ITools)
@attrs.frozen(kw_only=True)
class Tools:
    """
    What components may use of the proxy.

    The builder of their configuration adds directory, caches and sealers.
    """

    name: str
    clock: IClock
    http_client: Any
    reactor: Any
    spawn: Callable[[Coroutine[Any, Any, Any]], None]
    shared: Callable[[tuple[Any, ...], Callable[[], Any]], Any]
    decide_anew: Callable[[], None] = lambda: None
    state_dir: Path = Path("/nonexistent")
    cache: Callable[[str | None, frozenset[str]], ICache] = _not_here
    sealer: Callable[[str], ISealer] = _not_here
    token: Callable[[str], ITokenSource] = _not_here
    checker: Callable[[str], IPasswordChecker] = _not_here
    mapper: Callable[[str], IUserMapper] = _not_here

    def condition(self, text: str, option: str) -> Callable[[Identity, Request], bool]:
        """Give the test that a condition is, as `ITools` says."""
        return compile_condition(text, option).holds
