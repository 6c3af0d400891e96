"""What happens to a session at the same moment as its user's sessions are ended."""

from collections.abc import Callable
from typing import Any

import pytest

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.sessions import MAKERS, Browser, SessionTools, Store

ALICE = make_identity("alice")
OPERATIONS = sorted(MemoryCache.operations - {"subscribe"})


class InterruptedCache(MemoryCache):
    """
    A cache at which somebody else gets a turn before one of the operations.

    Attributes:
        left: Operations until then; none if negative.
        meanwhile: What is done then.
    """

    left = -1
    meanwhile: Callable[[], None]

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401
        if name in OPERATIONS:
            self.left -= 1
            if self.left == -1:
                self.meanwhile()
        return object.__getattribute__(self, name)


class Desk:
    """Two processes, one of which does something in the middle of the other's work."""

    def __init__(self, kind: str, *, sid: bool = False) -> None:
        self.sid = sid
        self.tools = SessionTools()
        self.cache = InterruptedCache(MemoryCacheConfig(), self.tools.clock)
        self.tools.memory = self.cache
        self.store = MAKERS[kind](self.tools)
        self.other = MAKERS[kind](self.tools.another())
        self.browser = Browser()

    def log_in(self, store: Store) -> None:
        try:
            self.browser.take(
                now(store.start(self.browser.request(), ALICE, {"sid": "s-1"}))
            )
        except UnavailableError:
            assert not self.browser.cookies

    def end_all(self, store: Store) -> None:
        if self.sid:
            now(store.revoke_sid(ALICE.issuer, "s-1"))
        else:
            now(store.revoke_user(ALICE.issuer, "alice"))

    def is_known(self) -> bool:
        """Say whether anybody knows the session, when no message is fresh any more."""
        self.tools.clock.advance(130)
        late = self.store.common.endings
        late._groups.clear()  # noqa: SLF001
        late._known.clear()  # noqa: SLF001
        return now(self.store.load(self.browser.request())).session is not None


@pytest.mark.parametrize("sid", [False, True])
@pytest.mark.parametrize("step", range(8))
def test_no_session_outlives_an_end_that_came_while_it_began(
    step: int,
    sid: bool,  # noqa: FBT001
) -> None:
    desk = Desk("server", sid=sid)
    desk.cache.left, desk.cache.meanwhile = step, lambda: desk.end_all(desk.other)
    desk.log_in(desk.store)
    if desk.cache.left < 0:
        assert not desk.is_known()
    else:
        assert step > 3, "it has begun before, and nothing has ended"


@pytest.mark.parametrize("sid", [False, True])
@pytest.mark.parametrize("kind", sorted(MAKERS))
@pytest.mark.parametrize("step", range(6))
def test_no_session_outlives_an_end_during_which_it_began(
    kind: str,
    step: int,
    sid: bool,  # noqa: FBT001
) -> None:
    """They have the same time: that is no later."""
    desk = Desk(kind, sid=sid)
    desk.cache.left, desk.cache.meanwhile = step, lambda: desk.log_in(desk.other)
    desk.end_all(desk.store)
    if desk.cache.left < 0:
        assert not desk.is_known()
    else:
        assert step > 1, "nobody has logged in"


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_whoever_logs_in_a_moment_later_has_a_session(kind: str) -> None:
    desk = Desk(kind)
    desk.end_all(desk.store)
    desk.tools.clock.advance(0.001)
    desk.log_in(desk.other)
    assert desk.is_known()
