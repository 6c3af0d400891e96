"""Sessions of both types, in any order of events, against a model of what is right."""

from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from sso_proxy.config.key_ring import KeyRing, RingKey
from sso_proxy.sealing import RingSealer
from sso_proxy.session import Session
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.sessions import MAKERS, Browser, SessionTools

INACTIVITY, LIFETIME = 600.0, 3600.0
GUARD = 60.0
"""Seconds by which a session may end early: its last use is not always noted."""


@attrs.define(kw_only=True)
class Keys(SessionTools):
    """Tools whose keys change."""

    ring: list[RingKey] = attrs.field(factory=list)

    def rotate(self) -> None:
        number = len(self.ring) + 1
        key = RingKey(kid=f"k{number}", created=number, secret=bytes([number]) * 32)
        self.ring.insert(0, key)

    def sealer(self, kind: str) -> RingSealer:
        return RingSealer(kind, KeyRing(tuple(self.ring)))


@attrs.define(kw_only=True, eq=False)
class Login:
    """
    What should be true of one login.

    Attributes:
        browser: Has its cookies.
        user: Who logged in.
        created: When, by the clock that says how much time has passed.
        used: The last time that it was used.
        data: What it holds.
        over: Somebody has ended it.
        id: What the session is called.
    """

    browser: Browser
    user: str
    created: float
    used: float
    data: int = 0
    over: bool = False
    id: str = ""


class SessionLife(RuleBasedStateMachine):
    """Two processes with one store and one key ring, and people who come and go."""

    logins: Bundle[Login] = Bundle("logins")

    @initialize(kind=st.sampled_from(sorted(MAKERS)))
    def begin(self, kind: str) -> None:
        self.tools = Keys()
        self.tools.rotate()
        self.kind = kind
        self.all: list[Login] = []
        self.restart()

    @rule()
    def restart(self) -> None:
        """Let processes begin anew, with the keys that there are."""
        options: dict[str, Any] = {"inactivity": INACTIVITY, "lifetime": LIFETIME}
        make = MAKERS[self.kind]
        self.processes = [make(self.tools, **options) for _ in range(2)]

    @rule()
    def rotate_keys(self) -> None:
        if len(self.tools.ring) < 20:
            self.tools.rotate()
            self.restart()

    @rule(target=logins, user=st.sampled_from(["alice", "bob"]), at=st.booleans())
    def log_in(self, user: str, at: bool) -> Login:  # noqa: FBT001
        return self.begin_session(Browser(), user, at)

    @rule(target=logins, login=consumes(logins), at=st.booleans())
    def log_in_again(self, login: Login, at: bool) -> Login:  # noqa: FBT001
        """As somebody else, at the same browser: the session before is over."""
        known = self.is_good(login)
        copy = Browser(**login.browser.cookies)
        other = "bob" if login.user == "alice" else "alice"
        begun = self.begin_session(login.browser, other, at)
        login.browser, login.over = copy, True
        assert begun.id != login.id or not known
        assert now(self.processes[at].load(copy.request())).session is None
        return begun

    def begin_session(self, browser: Browser, user: str, at: bool) -> Login:  # noqa: FBT001
        time = self.tools.clock.monotonic()
        opened = now(
            self.processes[at].start(browser.request(), make_identity(user), {"n": 0})
        )
        browser.take(opened)
        assert opened.session is not None
        login = Login(browser=browser, user=user, created=time, used=time)
        login.id = opened.session.id
        assert all(login.id != other.id for other in self.all)
        self.all.append(login)
        return login

    def is_good(self, login: Login, spare: float = 0.0) -> bool:
        """Say what the model says."""
        time = self.tools.clock.monotonic() + spare
        return (
            not login.over
            and time < login.created + LIFETIME
            and time < login.used + INACTIVITY
        )

    def look(self, login: Login, at: bool) -> Session | None:  # noqa: FBT001
        opened = now(self.processes[at].load(login.browser.request()))
        login.browser.take(opened)
        return opened.session

    @rule(login=logins, at=st.booleans())
    def ask(self, login: Login, at: bool) -> None:  # noqa: FBT001
        session = self.look(login, at)
        if session is not None:
            assert self.is_good(login), "somebody is in who should not be"
            assert session.identity.subject == login.user
            assert session.id == login.id
            assert session.data == {"n": login.data}
            login.used = self.tools.clock.monotonic()
        else:
            assert not self.is_good(login, GUARD), "somebody is out too early"
            login.over = True

    @rule(login=logins, at=st.booleans())
    def renew(self, login: Login, at: bool) -> None:  # noqa: FBT001
        session = self.look(login, at)
        if session is None:
            return
        login.used = self.tools.clock.monotonic()

        async def work(given: Session) -> tuple[Any, dict[str, Any]]:
            return given.identity, {"n": given.data["n"] + 1}

        store = self.processes[at]
        opened = now(store.renew(login.browser.request(), session, work))
        login.browser.take(opened)
        assert opened.session is not None
        login.data += 1
        assert opened.session.data == {"n": login.data}

    @rule(login=logins, at=st.booleans())
    def log_out(self, login: Login, at: bool) -> None:  # noqa: FBT001
        copy = Browser(**login.browser.cookies)
        login.browser.take(now(self.processes[at].end(login.browser.request())))
        assert not login.browser.cookies
        login.browser = copy
        login.over = True

    @rule(login=logins, at=st.booleans())
    def revoke(self, login: Login, at: bool) -> None:  # noqa: FBT001
        now(self.processes[at].revoke(login.id))
        login.over = True

    @rule(user=st.sampled_from(["alice", "bob"]), at=st.booleans())
    def revoke_user(self, user: str, at: bool) -> None:  # noqa: FBT001
        now(self.processes[at].revoke_user(make_identity().issuer, user))
        for login in self.all:
            login.over = login.over or login.user == user
        self.tools.clock.advance(0.01)

    @rule(seconds=st.sampled_from([1.0, 30.0, 61.0, 300.0, 599.0, 601.0, 2000.0]))
    def pass_time(self, seconds: float) -> None:
        self.tools.clock.advance(seconds)

    @rule(jump=st.sampled_from([-7200.0, 7200.0]))
    def clock_jumps(self, jump: float) -> None:
        """Everybody has to log in again; nobody is in for longer."""
        self.tools.clock.now += jump
        for login in self.all:
            self.look(login, at=False)
            login.over = True
        self.tools.clock.now -= jump
        for login in self.all:
            now(self.processes[0].revoke(login.id))

    @invariant()
    def nobody_is_in_who_should_not_be(self) -> None:
        for login in getattr(self, "all", ())[-6:]:
            if not self.is_good(login):
                request = login.browser.request()
                assert now(self.processes[0].load(request)).session is None


SessionLife.TestCase.settings = settings(
    max_examples=120, stateful_step_count=30, deadline=None
)
TestSessionLife = SessionLife.TestCase
