"""Tickets, and those who have none of their own."""

import ast
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.pubtkt_desk import LOGIN, Desk, Said, cip, cookie, good, grace, to
from tests.support.pubtkt_routes import Site
from tests.support.ticket_requests import head_of, trust_local

TESTS = Path(__file__).parent.parent
PUBTKT = "authn/test_pubtkt.py::"
ROWS = "authn/test_pubtkt_rows.py::test_ours_answers_as_the_row_says"
SPEC = "specs/test_pubtkt.py::"
DESK = "endpoints/test_tickets.py::"
FRAMES = "endpoints/test_provider_logouts.py::"
HERE = "attacks/test_tickets_attacked.py::"

TABLE = {
    "open redirect: back leads elsewhere": (
        HERE + "test_the_way_back_is_one_argument_and_leads_here",
        "specs/test_ticket_return.py::test_nothing_ends_the_argument",
    ),
    "X-Forwarded-Host, -Proto and -For of anybody": (
        HERE + "test_only_trusted_proxies_say_where_a_request_is_from",
    ),
    "cookie tossing by another host of the domain": (
        PUBTKT + "test_every_cookie_of_the_name_is_looked_at_if_wanted",
    ),
    "a cookie whose name ends alike": (
        PUBTKT + "test_a_name_that_ends_alike_is_another_cookie",
        ROWS,
    ),
    "a ticket that another key or digest has made known": (ROWS,),
    "a weaker digest than what was agreed on": (
        "specs/test_pubtkt_keys.py::test_each_digest_is_good_for_itself_alone",
        ROWS,
    ),
    "a name that is cut to another's": (
        SPEC + "test_what_readers_would_read_differently_is_refused",
        ROWS,
    ),
    "fields behind the signature": (
        SPEC + "test_nothing_behind_the_signature_is_read",
    ),
    "fields that stand twice": (
        SPEC + "test_what_readers_would_read_differently_is_refused",
    ),
    "times below zero and beyond 32 bits": (
        SPEC + "test_what_readers_would_read_differently_is_refused",
    ),
    "line ends in a name": (
        SPEC + "test_what_readers_would_read_differently_is_refused",
        HERE + "test_no_ticket_adds_a_field",
    ),
    "the client's own Authorization at the backend": (
        PUBTKT + "test_the_clients_own_authorization_counts_only_where_it_is_said_to",
        ROWS,
    ),
    "a user's name that ends early in Basic": (
        PUBTKT + "test_a_user_with_a_colon_is_nobody_else_to_the_backend",
    ),
    "307 posts a form to the login server": (
        PUBTKT + "test_nothing_is_posted_again_to_the_login_server",
    ),
    "tickets in logs": (PUBTKT + "test_the_log_never_has_a_ticket_or_what_is_in_it",),
    "what was decided for one request is used for another": (
        HERE + "test_a_repetition_with_another_method_is_decided_anew",
        HERE + "test_another_ticket_on_the_same_connection_is_another_user",
    ),
    "bauth that was changed": (
        SPEC + "test_no_octet_of_what_was_signed_can_be_another",
    ),
    "a login server that sends its users elsewhere": (
        DESK + "test_nobody_goes_back_to_where_no_site_is",
        DESK + "test_of_two_ways_back_none_is_taken",
        DESK + "test_a_cookie_leads_to_no_site_that_is_not_listed",
    ),
    "a page that has a frame take tickets away": (
        FRAMES + "test_no_frame_takes_tickets_away_from_who_stays",
        FRAMES + "test_no_frame_takes_tickets_away_that_names_nobody",
    ),
    "a ticket that outlasts its session": (
        "test_issuing.py::test_who_is_logged_out_by_the_provider_gets_no_other_ticket",
        "tokens/test_tickets.py::test_it_never_lasts_longer_than_what_it_says",
        "interop/test_auth_tkt_tickets.py::test_it_ends_with_its_users_session",
    ),
    "a name that says more in a new ticket": (
        "tokens/test_auth_tkt.py::test_a_name_that_would_be_more_makes_no_ticket",
        "tokens/test_pubtkt.py::test_what_cannot_be_a_name_gets_none",
    ),
    "an address in another form": (
        PUBTKT + "test_addresses_are_compared_and_not_their_text",
    ),
}


@pytest.mark.parametrize("attack", TABLE)
def test_an_attack_names_tests_that_exist(attack: str) -> None:
    for test in TABLE[attack]:
        file, _, name = test.partition("::")
        found = ast.walk(ast.parse((TESTS / file).read_text()))
        assert name in {n.name for n in found if isinstance(n, ast.FunctionDef)}, test


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Give a site."""
    return Site(tmp_path)


@pytest.fixture(scope="module")
def desk() -> Desk:
    """Give what makes tickets."""
    return Desk()


@pytest.mark.parametrize(
    "target",
    [
        "/x?back=https://evil.test/",
        "/x?a=1&back=https%3A%2F%2Fevil.test%2F#y".replace("#", "%23"),
        "/%26back=https:%2F%2Fevil.test".replace("%2F", "/"),
        "/@evil.test/",
        "/x?%0d%0aLocation:%20https://evil.test/",
        "/;back=https:evil",
    ],
)
def test_the_way_back_is_one_argument_and_leads_here(target: str, site: Site) -> None:
    said = site.ask(head_of(f"GET {target}"))
    assert said.status == 307
    query = parse_qs(urlsplit(said.location).query, strict_parsing=True)
    assert list(query) == ["back"]
    [back] = query["back"]
    assert urlsplit(back).hostname == "app.test"
    assert not set(said.location) & set('\r\n \t"<>\\')


@pytest.mark.parametrize("host", ["evil.test", "app.test@evil.test", "app.test:80"])
def test_only_trusted_proxies_say_where_a_request_is_from(
    host: str, site: Site, desk: Desk
) -> None:
    said = ("X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.9")
    alice = cip("192.0.2.9")(desk)
    asked = head_of("GET /x", *alice, *said)
    assert site.ask(asked).location.startswith("http://sso.test/badip?ip=127.0.0.1&")
    lost = head_of("GET /x", *said, f"X-Forwarded-Host: {host}")
    assert site.ask(lost) == LOGIN
    plain = head_of("GET /ssl", *cookie(good())(desk), *said)
    assert site.ask(plain) == to("login", "/ssl")

    trust_local(site.scene)
    assert site.ask(asked).status == 200
    assert site.ask(plain).status == 200
    https = LOGIN.location.replace("http%3a", "https%3a")
    assert site.ask(lost) == Said(307, https)


def test_no_ticket_adds_a_field(site: Site, desk: Desk) -> None:
    for uid in ("a\r\nX-Evil: 1", "a\nb", "a\x00b", "a\x7f"):
        said = site.ask(head_of("GET /fake", *cookie(good(uid))(desk)))
        assert said.status in {307, 500}
        assert said.seen == {}


def test_a_repetition_with_another_method_is_decided_anew(
    site: Site, desk: Desk
) -> None:
    """In its grace period a ticket is good for HEAD, and not for GET."""
    fields = grace("{-10}")(desk)
    stream, _ = site.scene.connect()
    stream.receive(head_of("HEAD /x", *fields))
    assert stream.take().startswith(b"HTTP/1.1 200 ")
    stream.receive(head_of("GET /x", *fields))
    assert stream.take().startswith(b"HTTP/1.1 307 ")
    assert site.scene.backend.lines() == [b"HEAD /x HTTP/1.1"]


def test_another_ticket_on_the_same_connection_is_another_user(
    site: Site, desk: Desk
) -> None:
    stream, _ = site.scene.connect()
    for user in ("alice", "bob", "bob", "alice"):
        stream.receive(head_of("GET /x", *cookie(good(user))(desk)))
        assert stream.take().startswith(b"HTTP/1.1 200 ")
        assert f"\r\nX-Env-User: {user}\r\n".encode() in site.scene.backend.head
    stream.receive(head_of("GET /x", *cookie(good("alice"), "rsa.2")(desk)))
    assert stream.take().startswith(b"HTTP/1.1 307 ")
