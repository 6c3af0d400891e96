"""Answers and requests of a route whose application's cookies are bound to devices."""

import re
import time
from typing import Any

import pytest

from tests.support.device_application import build
from tests.support.doubles import FakeStream, Scene, make_reply
from tests.support.repeating import ByCookie
from tests.support.sessions import SessionTools

SETS = (
    b"HTTP/1.1 200 OK\r\nDate: now\r\nSet-Cookie: JSESSIONID=s3cr; Path=/\r\n"
    b"Set-Cookie: __Host-sso-device-0=theirs\r\nSet-Cookie: lang=de\r\n"
    b"Content-Length: 0"
)


def make(
    options: dict[str, Any] | None = None,
    tools: SessionTools | None = None,
    **route: Any,  # noqa: ANN401
) -> Scene:
    """Make a scene whose time is that of the machine."""
    tools = tools or SessionTools()
    tools.clock.now = time.time()
    cookies, _ = build(tools, "h", device_options=options or {})
    return Scene(**{"cookies": cookies, **route})


def ask(scene: Scene, client: FakeStream, cookie: bytes = b"a=b") -> bytes:
    """Ask with cookies, and give what the backend gets of them."""
    scene.client = client
    scene.ask(b"GET / HTTP/1.1", b"Cookie: " + cookie)
    return b"|".join(re.findall(rb"\r\nCookie: ([^\r]*)\r\n", scene.backend.head))


def answer(scene: Scene, head: bytes = SETS) -> bytes:
    """Have the backend answer, and give what the client gets."""
    scene.client.take()
    scene.backend.exchange.whole(make_reply(head), b"")
    return scene.client.take()


def pairs_in(sent: bytes) -> dict[bytes, bytes]:
    """Give the cookies in an answer."""
    return dict(re.findall(rb"\r\nSet-Cookie: ([^=]+)=([^;\r]*)", sent))


def test_a_cookie_goes_out_with_an_offer_and_comes_back_open() -> None:
    scene = make()
    ask(scene, scene.client)
    sent = answer(scene)
    assert b"s3cr" not in sent
    assert b"theirs" not in sent
    assert sent.count(b"\r\nSecure-Session-Registration: (ES256 RS256);path=") == 1
    field = b"; ".join(b"%b=%b" % pair for pair in pairs_in(sent).items())
    assert b"__Host-sso-device-" in field
    found = ask(scene, scene.client, field)
    assert found == b"JSESSIONID=s3cr; lang=de"
    assert b"Secure-Session-Registration" not in answer(scene)


def test_what_two_browsers_ask_alike_is_bound_for_each_by_itself() -> None:
    """The decision is used again for the same octets, and whom it binds is not."""
    scene = make()
    found = []
    for client in (scene.client, scene.connect()[0], scene.client):
        ask(scene, client)
        pairs = pairs_in(answer(scene))
        (name,) = (name for name in pairs if name.startswith(b"__Host-sso-device"))
        found.append((name + b"=" + pairs[name], b"JSESSIONID=" + pairs[b"JSESSIONID"]))
    assert len({holder for holder, _ in found}) == 3
    for holder in range(2):
        for session in range(2):
            field = found[holder][0] + b"; " + found[session][1]
            mine = b"JSESSIONID=s3cr" if holder == session else b""
            assert ask(scene, scene.client, field) == mine
            answer(scene)


@pytest.mark.parametrize(("grace", "most"), [(600, 30.0), (7, 7.0)])
def test_a_decision_holds_no_longer_than_the_device_s_standing(
    grace: int, most: float
) -> None:
    scene = make({"grace": grace})
    ask(scene, scene.client)
    pairs = pairs_in(answer(scene))
    field = b"; ".join(b"%b=%b" % pair for pair in pairs.items())
    ask(scene, scene.client, field)
    admission = scene.backend.exchange.admission
    assert admission is not None
    assert most - 3 < admission.reuse_until - time.monotonic() <= most
    answer(scene)


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        (b"cross-site", b"navigate", 403),
        (b"same-site", b"navigate", 403),
        (b"same-origin", b"navigate", 200),
        (b"cross-site", b"no-cors", 200),
    ],
)
def test_who_follows_another_site_s_link_comes_once_more(
    site: bytes, mode: bytes, status: int
) -> None:
    """Or the application would begin another session over theirs."""
    tools = SessionTools()
    scene = make(tools=tools)
    ask(scene, scene.client)
    pairs = pairs_in(answer(scene))
    tools.clock.advance(61)
    fields = [b"Cookie: " + b"; ".join(b"%b=%b" % pair for pair in pairs.items())]
    fields += [b"Sec-Fetch-Site: " + site, b"Sec-Fetch-Mode: " + mode]
    fields += [b"Sec-Fetch-Dest: document", b"Sec-Fetch-User: ?1"]
    asked = len(scene.backend.asked)
    scene.ask(b"GET / HTTP/1.1", *fields)
    if status == 200:
        assert b"JSESSIONID" not in scene.backend.head
        answer(scene)
    else:
        assert len(scene.backend.asked) == asked
        assert b"\r\nRefresh: 0\r\n" in scene.client.take()
    assert scene.statuses()[-1] == status


def test_what_is_decided_for_one_credential_is_decided_anew_for_another() -> None:
    scene = make(authenticators=(ByCookie(),), consumed_cookies=("t",))
    ask(scene, scene.client, b"t=alice")
    pairs = pairs_in(answer(scene))
    field = b"; ".join(b"%b=%b" % pair for pair in pairs.items())
    for name in (b"alice", b"bob"):
        found = ask(scene, scene.client, b"t=" + name + b"; " + field)
        assert b"JSESSIONID=s3cr" in found
        admission = scene.backend.exchange.admission
        assert admission is not None
        assert admission.shared == 0
        answer(scene)
