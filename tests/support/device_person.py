"""Somebody whose browser binds sessions to its device, as far as stores see of it."""

from collections.abc import Mapping
from typing import Any

from sso_proxy.model import Response
from sso_proxy.session import Opened, Session
from sso_proxy.sessions.keys import SessionBindingConfig
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.device_keys import Device, challenged, instructed, offered
from tests.support.sessions import Browser, SessionTools, Store

ALICE = make_identity("alice")


class Person:
    """
    Somebody who logs in with a browser, which may know what a device's key is.

    Attributes:
        browser: Their cookies.
        device: Their key.
        session_id: What their browser calls the session.
        challenge: What it is to prove next.
    """

    def __init__(self, browser: Browser | None = None) -> None:
        self.browser = browser or Browser()
        self.device = Device()
        self.session_id = self.challenge = ""
        self.offer: Mapping[str, str] = {}

    def log_in(self, store: Store) -> Session:
        """Log in, and see what is offered."""
        opened = now(store.start(self.browser.request(), ALICE, {"t": 1}))
        self.browser.take(opened)
        self.offer = offered(opened.headers)
        assert opened.session is not None
        return opened.session

    def register(self, store: Store) -> Response:
        """Register the key, as was offered."""
        proof = self.device.registration(
            self.offer["challenge"], self.offer["authorization"]
        )
        request = self.browser.request(**{"Secure-Session-Response": proof})
        session = now(store.by_cookie(request))
        id_, began, expires = (
            (None, 0.0, 0.0)
            if session is None
            else (session.id, session.created, session.expires)
        )
        assert store.devices is not None
        return self.take(now(store.devices.register(request, id_, began, expires)))

    def refresh(self, store: Store, challenge: str | None = None) -> Response:
        """Prove the key again."""
        fields = {"Sec-Secure-Session-Id": self.session_id}
        text = self.challenge if challenge is None else challenge
        if text:
            fields["Secure-Session-Response"] = self.device.refresh(text)
        request = self.browser.request(**fields)
        session = now(store.by_cookie(request))
        id_, began, expires = (
            (None, 0.0, 0.0)
            if session is None
            else (session.id, session.created, session.expires)
        )
        assert store.devices is not None
        return self.take(now(store.devices.refresh(request, id_, began, expires)))

    def take(self, answer: Response) -> Response:
        """Do as a browser does with an answer."""
        self.browser.take(answer.headers)
        self.challenge = challenged(answer) or self.challenge
        if answer.status == 200 and not self.session_id:
            self.session_id = instructed(answer)["session_identifier"]
        return answer

    def load(self, store: Store) -> Opened:
        """Send a request."""
        return now(store.load(self.browser.request()))

    def stolen(self) -> "Person":
        """Give somebody who has copied all that a browser sends."""
        thief = Person(Browser(**self.browser.cookies))
        thief.session_id, thief.challenge = self.session_id, self.challenge
        thief.offer = self.offer
        return thief


def make(
    maker: Any,  # noqa: ANN401
    tools: SessionTools,
    level: Any = "prefer",  # noqa: ANN401
    **options: Any,  # noqa: ANN401
) -> Store:
    """Make sessions that are bound to devices."""
    store: Store = maker(tools, binding=SessionBindingConfig(device=level), **options)
    return store


def bound(
    maker: Any,  # noqa: ANN401
    tools: SessionTools,
    level: Any = "prefer",  # noqa: ANN401
    **options: Any,  # noqa: ANN401
) -> tuple[Store, Person]:
    """Give sessions, and somebody whose device is bound."""
    store, alice = make(maker, tools, level, **options), Person()
    alice.log_in(store)
    assert alice.register(store).status == 200
    return store, alice
