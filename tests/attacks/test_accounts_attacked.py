"""The page about one's own sessions shows and ends nobody else's."""

from typing import Any

import attrs
import pytest

from sso_proxy.model import CertificateFacts, Identity, Request
from sso_proxy.sessions.keys import SessionBindingConfig
from sso_proxy.testing.fakes import make_certificate
from sso_proxy.tls_facts import TlsFacts
from tests.support.account_scene import (
    CROSS,
    FORM,
    ROOT,
    SAME,
    AccountScene,
    listed,
    text_of,
)
from tests.support.caching import now
from tests.support.login_scene import OWN_PAGE, PAGE
from tests.support.sessions import Browser, server_sessions


def test_whatever_people_are_called_is_text() -> None:
    scene = AccountScene()
    scene.names = ("<b>x</b>&{time}",)
    scene.log_in()
    assert "&lt;b&gt;x&lt;/b&gt;&amp;{time}" in scene.page(ROOT).body


def test_a_link_of_another_site_cannot_say_that_something_has_happened() -> None:
    scene = AccountScene()
    scene.log_in()
    for fields in ((*PAGE, CROSS), PAGE):
        assert "has ended" not in scene.ask("/.sso/?ended", *fields).body


def test_nobody_ends_a_session_of_somebody_else() -> None:
    """The answer is the same as for a session that never was."""
    scene = AccountScene()
    scene.log_in(user="mallory")
    alice = scene.another()
    theirs = scene.session(alice).id

    seen = scene.post(do="end", session=theirs)
    assert scene.has_session(alice)
    nothing = scene.post(do="end", session="A" * len(theirs))
    assert (seen.status, seen.location) == (nothing.status, nothing.location)
    assert scene.post(do="end", session="../x\x00").location == nothing.location


def test_the_same_name_at_another_provider_is_somebody_else() -> None:
    scene = AccountScene("server", "corp", "other")
    scene.logins["other"].issuer = "https://elsewhere.example"
    theirs = Identity(
        issuer="https://elsewhere.example", subject="alice", authenticator="other"
    )
    begun = now(scene.store.start(Browser().request(), theirs, {})).session
    assert begun is not None
    begun_by = scene.page("/.sso/login?with=corp")
    scene.come_back(begun_by)

    assert len(listed(scene.page(ROOT))) == 1
    scene.post(do="end", session=begun.id)
    assert now(scene.store.newest(begun)) is not None
    scene.post(do="everywhere")
    assert now(scene.store.newest(begun)) is not None


@pytest.mark.parametrize(
    "fields",
    [
        (*PAGE, CROSS, b"Origin: https://evil.example"),
        (*PAGE, b"Sec-Fetch-Site: same-site", b"Origin: https://evil.example.com"),
        (*PAGE, SAME, b"Origin: https://evil.example"),
        (*PAGE, b"Origin: null"),
        PAGE,
        (b"Accept: text/html", SAME, b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: i"),
        (b"Accept: */*", SAME, b"Sec-Fetch-Mode: cors", b"Sec-Fetch-Dest: empty"),
        (*PAGE, SAME, b"X-Requested-With: XMLHttpRequest"),
    ],
)
@pytest.mark.parametrize("do", ["end", "everywhere"])
def test_no_form_of_others_and_no_frame_ends_anything(
    fields: tuple[bytes, ...], do: str
) -> None:
    scene = AccountScene()
    scene.log_in()
    other = scene.another()
    seen = scene.post(*fields, do=do, session=scene.session(other).id)
    assert (seen.status, scene.reason) == (403, "logout-foreign")
    assert scene.has_session(other)
    assert scene.has_session()


@pytest.mark.parametrize(
    "body",
    [b"", b"do=", b"do=end&do=everywhere", b"do=all", b"do=end;do=everywhere", b"\xff"],
)
def test_what_says_nothing_does_nothing(body: bytes) -> None:
    scene = AccountScene()
    scene.log_in()
    seen = scene.ask(ROOT, *OWN_PAGE, FORM, method="POST", body=body)
    assert seen.status == 400
    assert scene.has_session()


def test_a_form_that_never_ends_is_not_read() -> None:
    scene = AccountScene()
    scene.log_in()
    body = b"do=everywhere&x=" + b"x" * 5000
    seen = scene.ask(ROOT, *OWN_PAGE, FORM, method="POST", body=body)
    assert seen.status == 413
    assert scene.has_session()


def test_what_is_asked_for_in_a_query_does_nothing() -> None:
    scene = AccountScene()
    scene.log_in()
    other = scene.another()
    path = f"{ROOT}?do=end&session={scene.session(other).id}"
    assert scene.ask(path, *PAGE, SAME).status == 200
    seen = scene.ask(path, *OWN_PAGE, FORM, method="POST", body=b"")
    assert seen.status == 400
    assert scene.has_session(other)


@pytest.mark.parametrize("logged_in", [True, False])
@pytest.mark.parametrize(
    "fields",
    [
        (b"Accept: */*",),
        (b"Accept: text/html", b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: iframe"),
        (b"Accept: text/html", b"Sec-Fetch-Mode: cors", b"Sec-Fetch-Dest: empty"),
    ],
)
def test_scripts_and_frames_see_nothing(
    fields: tuple[bytes, ...],
    logged_in: bool,  # noqa: FBT001
) -> None:
    scene = AccountScene()
    if logged_in:
        scene.log_in()
    seen = scene.ask(ROOT, *fields, SAME)
    assert (seen.status, scene.reason) == (401, "no-navigation")
    assert "Alice" not in seen.body


def test_whose_session_is_over_ends_nothing_and_logs_in() -> None:
    """Nothing that was posted is done after the login either."""
    scene = AccountScene()
    scene.log_in()
    other = scene.another()
    now(scene.store.revoke(scene.session().id))
    seen = scene.post(do="everywhere")
    assert (seen.status, seen.location) == (303, ROOT)
    scene.log_in(ROOT)
    assert scene.has_session(other)


def test_a_session_that_no_login_of_this_host_has_begun_is_not_shown() -> None:
    scene = AccountScene()
    elsewhere = Identity(issuer="https://x.example", subject="a", authenticator="no")
    begun = now(scene.store.start(scene.browser.request(), elsewhere, {}))
    scene.browser.take(begun)
    assert scene.page(ROOT).status == 302
    assert scene.post(do="everywhere").location == ROOT


def test_a_session_counts_only_where_its_login_begins_such_sessions() -> None:
    """Another host may have begun it by the same login, in a store of both."""
    scene = AccountScene("server", "corp", "other")
    elsewhere = server_sessions(attrs.evolve(scene.tools, name="elsewhere"))
    scene.desks["corp"] = attrs.evolve(scene.desks["corp"], sessions=elsewhere)
    theirs = Identity(issuer="https://x.example", subject="x", authenticator="corp")
    scene.browser.take(now(scene.store.start(scene.browser.request(), theirs, {})))
    scene.page(ROOT)
    assert scene.reason == "login-choice"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [(PAGE, "device-missing"), ((*PAGE, CROSS), "device-again")],
)
def test_who_has_a_copied_cookie_sees_nothing(
    fields: tuple[bytes, ...], reason: str
) -> None:
    scene = AccountScene()
    scene.log_in()

    class Thief(type(scene.store)):  # type: ignore[misc]
        async def load(self, request: Request) -> Any:  # noqa: ANN401
            opened = await super().load(request)
            return attrs.evolve(opened, session=None, refused="device-missing")

    scene.store.__class__ = Thief
    seen = scene.ask(ROOT, *fields)
    assert (seen.status, scene.reason) == (403, reason)
    assert "Alice" not in seen.body
    assert scene.post(do="everywhere").location == ROOT
    scene.store.__class__ = Thief.__mro__[1]
    assert scene.has_session()


def test_a_session_that_is_bound_to_a_certificate_is_for_who_shows_it() -> None:
    binding = SessionBindingConfig(certificate="prefer")
    scene = AccountScene(options={"binding": binding})

    def connect(certificate: CertificateFacts | None) -> None:
        facts = TlsFacts(version="TLSv1.3", cipher="x", certificate=certificate)
        scene.scene.facts = attrs.evolve(scene.scene.facts, tls=facts)
        scene.scene.client, scene.scene.connection = scene.scene.connect()

    connect(None)
    scene.another()
    connect(make_certificate("CN=alice"))
    scene.log_in()
    seen = scene.page(ROOT)
    assert "Bound to your certificate" in text_of(seen)
    assert [text.split(" · ")[-1] for text in listed(seen)] == [
        "bound",
        "not bound End",
    ]
    for thief in (make_certificate("CN=mallory"), None):
        connect(thief)
        seen = scene.page(ROOT)
        assert (seen.status, scene.reason) == (403, "session-binding")
        assert "Alice" not in seen.body
        assert scene.post(do="everywhere").location == ROOT
    connect(make_certificate("CN=alice"))
    assert len(listed(scene.page(ROOT))) == 2


def test_where_nobody_can_say_whose_session_it_is_nobody_sees_anything() -> None:
    scene = AccountScene()
    scene.log_in()
    scene.cache.broken = frozenset({"get"})
    assert scene.page(ROOT).status == 503
