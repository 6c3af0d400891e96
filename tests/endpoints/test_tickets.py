"""Who has logged in gets a ticket and goes back; who would go round gets a page."""

from urllib.parse import quote

import pytest

from sso_proxy.model import Authenticated
from sso_proxy.testing.fakes import FakeAuthenticator, make_identity
from sso_proxy.token import NotIssued, Token
from tests.support.doubles import HOST
from tests.support.ticket_scene import ASK, BACK, TICKET, TicketScene, given

SPENT = (
    "back_to=; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
)


def test_who_has_logged_in_gets_a_ticket_and_goes_back() -> None:
    scene = TicketScene()
    seen = scene.ask(ASK)
    assert (seen.status, seen.location) == (303, BACK)
    assert given(seen) == [TICKET]
    assert ("cache-control", "no-store") in seen.headers
    assert scene.reason == "ticket"


def test_http_1_0_knows_302_alone() -> None:
    assert TicketScene().ask(ASK, version="1.0").status == 302


@pytest.mark.parametrize("why", ["timeout=1", "refresh=1", "unauth=0", "badip=1"])
def test_who_has_no_good_ticket_any_more_gets_a_new_one(why: str) -> None:
    """Silently, as long as the session lasts."""
    seen = TicketScene().ask(f"/login?{why};{ASK.partition('?')[2]}")
    assert (seen.status, seen.location) == (303, BACK)


def test_without_a_way_back_a_page_says_who_is_logged_in() -> None:
    seen = TicketScene().ask("/login")
    assert seen.status == 200
    assert given(seen) == [TICKET]
    assert "<strong>alice</strong>" in seen.body
    assert '<form action="/.sso/logout" method="post"' in seen.body


def test_who_is_not_allowed_there_is_told_and_not_sent_back() -> None:
    scene = TicketScene()
    seen = scene.ask(f"{ASK}&unauth=1")
    assert (seen.status, scene.reason) == (403, "ticket-unauth")
    assert given(seen) == []
    assert scene.source.asked == []
    assert f'href="{ASK}"' in seen.body


def test_who_comes_from_nowhere_is_told_as_well() -> None:
    scene = TicketScene()
    seen = scene.ask("/login?unauth=1")
    assert (seen.status, scene.reason) == (403, "ticket-unauth")
    assert "href" not in seen.body


def test_nothing_is_posted_again() -> None:
    for method, target in (
        ("POST", f"{ASK}&posttimeout=1"),
        ("POST", ASK),
        ("GET", f"{ASK}&posttimeout=1"),
    ):
        scene = TicketScene()
        seen = scene.ask(target, b"Content-Length: 0", method=method)
        assert (seen.status, scene.reason) == (200, "ticket-posted")
        assert given(seen) == [TICKET]
        assert f'href="{BACK}"' in seen.body


def test_another_address_at_the_site_is_told() -> None:
    scene = TicketScene()
    assert scene.ask(f"/login?ip=198.51.100.7&{ASK[7:]}").status == 403
    assert scene.reason == "ticket-address"
    assert scene.ask(f"/login?ip=192.0.2.1&{ASK[7:]}").location == BACK


def test_a_site_that_takes_no_ticket_sends_nobody_round_for_ever() -> None:
    scene = TicketScene()
    statuses = [scene.ask(ASK).status for _ in range(4)]
    assert (statuses, scene.reason) == ([303, 303, 303, 403], "ticket-loop")
    assert scene.ask(ASK).status == 303, "who tries again themselves may"


def test_that_is_seen_in_a_browser_that_does_not_take_the_ticket() -> None:
    scene = TicketScene()
    for _ in range(3):
        scene.ask(ASK)
        del scene.cookies["auth_pubtkt"]
    assert scene.ask(ASK).status == 403


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example/",
        "javascript:alert(1)",
        "/x",
        "https://site.example.com@evil.example/",
        "https://site.example.com\\.evil/",
    ],
)
def test_nobody_goes_back_to_where_no_site_is(back: str) -> None:
    scene = TicketScene()
    seen = scene.ask(f"/login?back={quote(back, safe='')}")
    assert (seen.status, scene.reason, seen.location) == (400, "ticket-back", "")
    assert given(seen) == []
    assert "evil" not in seen.body


def test_a_cookie_may_say_where_to_once() -> None:
    scene = TicketScene()
    scene.cookies = {"x_back_to": "no", "back_to": quote(BACK, safe="")}
    seen = scene.ask("/login")
    assert (seen.status, seen.location) == (303, BACK)
    assert ("set-cookie", SPENT) in seen.headers
    assert scene.cookies["back_to"] == ""


def test_the_argument_comes_before_the_cookie() -> None:
    scene = TicketScene()
    scene.cookies = {"back_to": quote("https://site.example.com/other", safe="")}
    seen = scene.ask(ASK)
    assert seen.location == BACK
    assert ("set-cookie", SPENT) not in seen.headers


def test_a_page_takes_that_cookie_away_too() -> None:
    scene = TicketScene()
    scene.cookies = {"back_to": quote(BACK, safe="")}
    seen = scene.ask("/login?unauth=1")
    assert (seen.status, given(seen)) == (403, [])
    assert ("set-cookie", SPENT) in seen.headers
    assert f'href="{ASK}"' in seen.body


def test_a_cookie_leads_to_no_site_that_is_not_listed() -> None:
    """Any host of the domain can set it; who has such a one is not stuck with it."""
    scene = TicketScene()
    scene.cookies = {"back_to": quote("https://evil.example/", safe="")}
    seen = scene.ask("/login")
    assert (seen.status, given(seen)) == (400, [])
    assert ("set-cookie", SPENT) in seen.headers
    assert scene.ask("/login").status == 200


def test_two_cookies_lead_nowhere_unless_they_say_the_same() -> None:
    other = quote("https://site.example.com/other", safe="")
    here = quote(BACK, safe="")
    for second, status in ((other, 400), (here, 303)):
        field = f"Cookie: back_to={here}; back_to={second}".encode()
        assert TicketScene().ask("/login", field).status == status


def test_of_two_ways_back_none_is_taken() -> None:
    assert TicketScene().ask(f"{ASK}&back=x").status == 400
    assert TicketScene().ask(f"{ASK};b%61ck=x").status == 400


def test_what_others_write_into_a_page_stays_text() -> None:
    user = 'x"><script>alert(1)</script>'
    knows = FakeAuthenticator(Authenticated(make_identity(user)))
    back = quote('https://site.example.com/"><script>alert(2)</script>', safe="")
    for why in ("unauth=1", "posttimeout=1", "ip=<script>"):
        scene = TicketScene(authenticators=(knows,))
        body = scene.ask(f"/login?{why}&back={back}").body
        assert "<script>" not in body
        assert "&lt;script&gt;" in body


def test_forwarded_headers_of_strangers_change_nothing() -> None:
    scene = TicketScene()
    fields = (
        b"X-Forwarded-Host: evil.example",
        b"X-Forwarded-Proto: javascript",
        b"X-Forwarded-For: 198.51.100.7",
    )
    seen = scene.ask(f"/login?ip=192.0.2.1&{ASK[7:]}", *fields)
    assert (seen.status, seen.location) == (303, BACK)
    ((caller, _),) = scene.source.asked
    assert caller.request.client.address == "192.0.2.1"


def test_other_methods_and_other_places_are_refused() -> None:
    assert TicketScene().ask("/login", method="DELETE").status == 405
    assert TicketScene().ask("/login/more").status == 404


def test_head_is_answered_without_a_body() -> None:
    seen = TicketScene().ask(ASK, method="HEAD")
    assert (seen.status, seen.location, seen.body) == (303, BACK, "")


def test_who_can_have_no_ticket_is_refused() -> None:
    scene = TicketScene(NotIssued(reason="token-ticket", detail="too long"))
    seen = scene.ask(ASK)
    assert (seen.status, scene.reason, given(seen)) == (403, "token-ticket", [])


def test_who_has_to_log_in_for_it_again_does() -> None:
    scene = TicketScene(NotIssued(reason="token-expired", status=401))
    assert (scene.ask(ASK).status, scene.reason) == (401, "token-expired")


def test_the_session_s_cookies_come_along() -> None:
    session = ("set-cookie", "__Host-sso=1; Secure")
    outcome = Authenticated(make_identity(), headers=(session,))
    token = Token(value="t0ken", headers=(("set-cookie", "other=1"),))
    scene = TicketScene(token, authenticators=(FakeAuthenticator(outcome),))
    headers = scene.ask(ASK).headers
    assert session in headers
    assert ("set-cookie", "other=1") in headers


def test_each_time_somebody_is_asked_who_it_is() -> None:
    """Nothing of the answer is kept for the same octets."""
    knows = FakeAuthenticator()
    scene = TicketScene(authenticators=(knows,))
    client, _ = scene.scene.connect()
    request = f"GET {ASK} HTTP/1.1\r\n".encode() + HOST + b"\r\n"
    client.receive(request)
    client.receive(request)
    assert len(knows.asked) == 2
