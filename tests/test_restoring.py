"""What was posted before a login; tests of logins have the way there."""

from typing import Any

import attrs
import pytest

from sso_proxy.admission import Trail
from sso_proxy.endpoints.logins import RESTORE_FIELD, RESTORE_OCTETS
from sso_proxy.model import Request, Response
from sso_proxy.restoring import RestoredBody, restore
from sso_proxy.routing import Route
from tests.support.caching import now
from tests.support.doubles import FakeUpstream, make_route
from tests.support.login_scene import LoginScene

FORM = "application/x-www-form-urlencoded"


class Asking:
    """Somebody with a session who sends the form that asks for what was posted."""

    def __init__(self) -> None:
        self.scene = LoginScene()
        self.scene.log_in()
        self.trail = Trail()
        self.route = make_route(FakeUpstream(), logins=self.scene.desk)
        self.request = self.make(FORM)

    def make(self, content_type: str, method: str = "POST") -> Request:
        fields = {"content-type": content_type, "accept": "text/html"}
        request = self.scene.browser.request(**fields)
        session = now(self.scene.store.load(request)).session
        head = attrs.evolve(request.head, method=method, path="/orders")
        store = self.scene.store
        return attrs.evolve(request, head=head, session=session, sessions=store)

    def kept(self, target: str = "/orders") -> str:
        keeper, session = self.scene.store.kept, self.request.session
        assert keeper is not None
        assert session is not None
        name = now(keeper.keep(target, "text/plain", b"posted"))
        now(keeper.give(name, session.id))
        return name

    def send(self, content: bytes, **changes: Any) -> Request | Response:  # noqa: ANN401
        self.trail.body = RestoredBody(content)
        route: Route = changes.pop("route", self.route)
        request = attrs.evolve(self.request, **changes)
        return now(restore(request, route, self.trail))


def test_what_was_posted_takes_the_place_of_the_form() -> None:
    asking = Asking()
    content = f"{RESTORE_FIELD}={asking.kept()}".encode()
    assert len(content) == RESTORE_OCTETS

    restored = asking.send(content)
    assert isinstance(restored, Request)
    assert restored.head.values("content-type") == ["text/plain"]
    assert restored.head.values("accept") == ["text/html"]
    assert restored.body is not None
    assert now(restored.body.read(1)) == b"posted"


def test_what_goes_elsewhere_is_not_restored() -> None:
    asking = Asking()

    answer = asking.send(f"{RESTORE_FIELD}={asking.kept('/other')}".encode())
    assert isinstance(answer, Response)
    assert (answer.status, answer.reason) == (303, "login-form-sent")


def test_a_route_that_logs_nobody_in_restores_nothing() -> None:
    asking = Asking()
    content = f"{RESTORE_FIELD}={asking.kept()}".encode()

    route = make_route(FakeUpstream())
    assert asking.send(content, route=route) == asking.request


def test_whoever_has_no_session_gets_nothing() -> None:
    asking = Asking()
    content = f"{RESTORE_FIELD}={asking.kept()}".encode()

    answer = asking.send(content, session=None)
    assert isinstance(answer, Request)
    assert answer.body is None


@pytest.mark.parametrize(
    ("content_type", "method"), [("text/plain", "POST"), (FORM, "PUT")]
)
def test_nothing_but_the_form_asks(content_type: str, method: str) -> None:
    asking = Asking()
    content = f"{RESTORE_FIELD}={asking.kept()}".encode()

    answer = asking.send(content, head=asking.make(content_type, method).head)
    assert isinstance(answer, Request)
    assert answer.body is None
