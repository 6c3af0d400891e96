"""Tickets of mod_auth_tkt, and those who have none of their own."""

import ast
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from sso_proxy.specs.auth_tkt import encode_cookie
from tests.support.auth_tkt_desk import (
    LOGIN,
    OLD_SECRET,
    TIMEOUT,
    Desk,
    Fields,
    Said,
    base64,
    octets,
    two,
)
from tests.support.auth_tkt_routes import Site
from tests.support.ticket_requests import head_of, trust_local

TESTS = Path(__file__).parent.parent
TKT = "authn/test_auth_tkt.py::"
ROWS = "authn/test_auth_tkt_rows.py::test_ours_answers_as_the_row_says"
CONFIG = "authn/test_auth_tkt_config.py::"
ANSWERS = "authn/test_auth_tkt_answers.py::"
SPEC = "specs/test_auth_tkt.py::"
HERE = "attacks/test_shared_tickets_attacked.py::"

TABLE = {
    "open redirect: back leads elsewhere": (
        HERE + "test_the_way_back_is_one_argument_and_leads_here",
        "specs/test_ticket_return.py::test_nothing_ends_the_argument",
    ),
    "X-Forwarded-Host, -Proto and -For of anybody": (
        HERE + "test_only_trusted_proxies_say_where_a_request_is_from",
        ROWS,
    ),
    "cookie tossing by another host of the domain": (
        HERE + "test_a_cookie_from_another_host_keeps_nobody_out_if_all_are_read",
        TKT + "test_every_cookie_of_the_name_is_looked_at_if_wanted",
    ),
    "a cookie whose name ends alike": (
        TKT + "test_a_name_that_ends_alike_is_another_cookie",
        ROWS,
    ),
    "a weaker digest than what was agreed on": (
        TKT + "test_no_ticket_chooses_its_digest",
        SPEC + "test_each_digest_is_good_for_itself_alone",
        ROWS,
    ),
    "text that moves from one field to another": (
        SPEC + "test_no_text_moves_from_one_field_to_another",
        SPEC + "test_two_tickets_never_have_the_same_octets_under_their_digest",
    ),
    "a changed octet of a ticket or of its cookie": (
        SPEC + "test_no_octet_can_be_another",
        SPEC + "test_no_letter_of_a_cookie_can_be_another",
    ),
    "what follows a ticket": (ROWS,),
    "times at the end of numbers, and of tomorrow": (
        TKT + "test_no_time_at_the_end_of_numbers_is_a_good_one",
        TKT + "test_a_ticket_is_good_in_its_time_alone",
    ),
    "a ticket of another address": (
        TKT + "test_a_ticket_is_good_from_its_address_alone",
        SPEC + "test_an_address_of_ipv6_ends_where_the_time_begins",
    ),
    "a ticket in the URL: login as the attacker": (
        TKT + "test_a_ticket_in_the_query_is_none_unless_it_is_wanted",
        TKT + "test_a_ticket_in_the_query_becomes_a_cookie_only_if_it_is_good",
        HERE + "test_a_ticket_in_the_query_goes_no_further",
    ),
    "a secret that can be tried out": (
        CONFIG + "test_options_that_contradict_each_other_are_named",
    ),
    "line ends in a name": (HERE + "test_no_ticket_adds_a_field",),
    "307 posts a form to the login server": (
        ANSWERS + "test_nothing_is_posted_again_to_the_login_server",
    ),
    "tickets in logs": (TKT + "test_the_log_never_has_a_ticket_or_what_is_in_it",),
    "what was decided for one request is used for another": (
        HERE + "test_another_ticket_on_the_same_connection_is_another_user",
        HERE + "test_what_one_url_said_is_nothing_to_the_next",
        HERE + "test_a_new_ticket_is_given_once",
    ),
}


@pytest.mark.parametrize("attack", TABLE)
def test_an_attack_names_tests_that_exist(attack: str) -> None:
    for test in TABLE[attack]:
        file, _, name = test.partition("::")
        found = ast.walk(ast.parse((TESTS / file).read_text()))
        assert name in {n.name for n in found if isinstance(n, ast.FunctionDef)}, test


@pytest.fixture
def site() -> Site:
    """Give a site."""
    return Site()


@pytest.fixture
def desk() -> Desk:
    """Give what makes tickets."""
    return Desk()


@pytest.mark.parametrize("path", ["/", "/backcookie/"])
@pytest.mark.parametrize(
    "target",
    [
        "x?back=https://evil.test/",
        "x?a=1;back=https%3A%2F%2Fevil.test%2F%23y",
        "%26back=https:%2F%2Fevil.test".replace("%2F", "/"),
        ";back=https:evil",
        "@evil.test/",
        "x?%0d%0aLocation:%20https://evil.test/",
        "x?%0d%0aSet-Cookie:%20a=b;%20Domain=evil.test",
    ],
)
def test_the_way_back_is_one_argument_and_leads_here(
    path: str, target: str, site: Site
) -> None:
    stream, _ = site.scene.connect()
    stream.receive(head_of(f"GET {path}{target}"))
    head = stream.sent.decode()
    assert head.startswith("HTTP/1.1 307 ")
    fields = [line.partition(": ") for line in head.split("\r\n")[1:]]
    [location] = [value for name, _, value in fields if name == "Location"]
    assert not set(location) & set('\r\n \t"<>\\')
    cookies = [value for name, _, value in fields if name == "Set-Cookie"]
    if path == "/":
        assert not cookies
        query = parse_qs(urlsplit(location).query, strict_parsing=True)
        assert list(query) == ["back"]
        [back] = query["back"]
    else:
        assert location == LOGIN.location.partition("?")[0]
        [cookie] = cookies
        value, _, attributes = cookie.removeprefix("back_to=").partition("; ")
        assert "evil" not in attributes
        [back] = parse_qs("back=" + value)["back"]
    assert urlsplit(back).hostname == "app.test"


@pytest.mark.parametrize("host", ["evil.test", "app.test@evil.test", "app.test:80"])
def test_only_trusted_proxies_say_where_a_request_is_from(
    host: str, site: Site, desk: Desk
) -> None:
    said = ("X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.9")
    alice = base64(ip="192.0.2.9")(desk)
    asked = head_of("GET /x", *alice, *said, f"X-Forwarded-Host: {host}")
    assert site.ask(asked, desk) == LOGIN
    late = base64(age=TIMEOUT // 2 + 9)(desk)
    renewed = head_of("GET /x", *late, *said, f"X-Forwarded-Host: {host}")
    assert site.ask(renewed, desk).given == "alice!! auth_tkt app.test"
    plain = head_of("GET /ssl", *base64()(desk), *said)
    assert site.ask(plain, desk).status == 307

    trust_local(site.scene)
    assert site.ask(asked, desk).status == 200
    lost = site.ask(head_of("GET /x", *said, f"X-Forwarded-Host: {host}"), desk)
    assert lost == Said(307, LOGIN.location.replace("http%3a", "https%3a"))


def test_a_cookie_from_another_host_keeps_nobody_out_if_all_are_read(
    site: Site, desk: Desk
) -> None:
    tossed = "auth_tkt=" + encode_cookie(desk.ticket("mallory", secret="another"))
    asked = head_of("GET /x", *two(tossed, "auth_tkt={}")(desk))
    assert site.ask(asked, desk) == LOGIN
    asked = head_of("GET /every", *two(tossed, "auth_tkt={}")(desk))
    assert site.ask(asked, desk).seen["user"] == "alice"


@pytest.mark.parametrize("body", [b"a\r\nX-Evil: 1!", b"a!b\nc!", b"a!!\0", b"a\x7f!"])
def test_no_ticket_adds_a_field(body: bytes, site: Site, desk: Desk) -> None:
    said = site.ask(head_of("GET /x", *octets(body)(desk)), desk)
    assert said.status in {307, 500}
    assert said.seen == {}


def test_a_ticket_in_the_query_goes_no_further(site: Site, desk: Desk) -> None:
    value = encode_cookie(desk.ticket())
    said = site.ask(head_of(f"GET /url?a=1&auth_tkt={quote(value)}&b=2"), desk)
    assert said.given == "alice!! auth_tkt app.test"
    assert site.scene.backend.lines() == [b"GET /url?a=1&b=2 HTTP/1.1"]
    refused = site.ask(head_of(f"GET /url?auth_tkt={value[:-4]}&b=2"), desk)
    assert (refused.status, refused.given) == (307, "")
    assert refused.location.endswith("%2furl%3fb%3d2")


@pytest.mark.parametrize("path", ["/url", "/once"])
def test_what_one_url_said_is_nothing_to_the_next(
    path: str, site: Site, desk: Desk
) -> None:
    """The bytes that follow the request line are the same."""
    stream, _ = site.scene.connect()
    for user in ("alice", "bob"):
        value = quote(encode_cookie(desk.ticket(user)))
        stream.receive(head_of(f"GET {path}?auth_tkt={value}"))
        assert stream.take().startswith(b"HTTP/1.1 200 ")
        assert f"\r\nX-Env-User: {user}\r\n".encode() in site.scene.backend.head
    stream.receive(head_of(f"GET {path}"))
    assert stream.take().startswith(b"HTTP/1.1 307 ")


def test_another_ticket_on_the_same_connection_is_another_user(
    site: Site, desk: Desk
) -> None:
    stream, _ = site.scene.connect()

    def ask(fields: Fields, status: bytes) -> bytes:
        stream.receive(head_of("GET /x", *fields(desk)))
        answer = stream.take()
        assert answer.startswith(b"HTTP/1.1 " + status)
        return answer

    for user in ("alice", "bob", "bob", "alice"):
        ask(base64(user), b"200 ")
        assert f"\r\nX-Env-User: {user}\r\n".encode() in site.scene.backend.head
    ask(base64("alice", secret="another"), b"307 ")
    ask(base64("alice", age=TIMEOUT + 9), b"307 ")


def test_a_new_ticket_is_given_once(site: Site, desk: Desk) -> None:
    """Whoever shows the same old ticket again gets one that is made then."""
    stream, _ = site.scene.connect()
    fields = base64("alice", age=TIMEOUT // 2 + 9)(desk)
    older = base64("bob", secret=OLD_SECRET)(desk)
    for shown, user in ((fields, b"alice"), (fields, b"alice"), (older, b"bob")):
        stream.receive(head_of("GET /x", *shown))
        answer = stream.take()
        assert answer.count(b"Set-Cookie: auth_tkt=") == 1
        assert b"\r\nCache-Control: no-store\r\n" in answer
        assert b"\r\nX-Env-User: " + user in site.scene.backend.head
    stream.receive(head_of("GET /x", *base64("carol")(desk)))
    assert b"Set-Cookie" not in stream.take()
