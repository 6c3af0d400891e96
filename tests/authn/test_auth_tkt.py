"""What tables of mod_auth_tkt do not show: safe defaults, guests, and what is new."""

from typing import Any
from uuid import UUID

import attrs
import pytest
from twisted.logger import capturedLogs

from sso_proxy.authn.auth_tkt import AuthTktAuthenticator
from sso_proxy.authn.auth_tkt_config import AuthTktConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import BadMessageError, ConfigError
from sso_proxy.model import (
    ANONYMOUS,
    Authenticated,
    NotPresented,
    Outcome,
    Rejected,
    Request,
)
from sso_proxy.specs.auth_tkt import (
    ANYWHERE,
    LONGEST,
    Ticket,
    TicketKey,
    decode_cookie,
    encode_cookie,
    sign,
    verify,
)
from sso_proxy.testing.checks import check_authenticator
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import NOW, FakeTools, make_request
from tests.support.auth_tkt_desk import made

LOGIN = "https://sso.example.com/login"
OLD = "what it was before"
KEY = TicketKey(secret=b"a secret that all share")
ALICE = Ticket(uid="alice", timestamp=int(NOW) - 60, tokens=("staff", "it"))
CLIENT = "192.0.2.1"
SIX = "2001:db8::1"


def make(clock: SettableClock | None = None, **options: Any) -> AuthTktAuthenticator:  # noqa: ANN401
    given = {"secret": Secret(KEY.secret.decode()), "login_url": LOGIN, **options}
    tools = FakeTools(clock=clock or SettableClock())
    return AuthTktAuthenticator.from_config(AuthTktConfig(**given), tools)


def text(ip: str = CLIENT, secret: str = "", **changes: Any) -> str:  # noqa: ANN401
    key = attrs.evolve(KEY, secret=secret.encode()) if secret else KEY
    return sign(attrs.evolve(ALICE, **changes), key, ip=ip)


def showing(*texts: str, **request: Any) -> Request:  # noqa: ANN401
    cookies = "; ".join(f"auth_tkt={encode_cookie(each)}" for each in texts)
    return make_request(headers={"Cookie": cookies}, **{"client": CLIENT, **request})


def ask(authenticator: AuthTktAuthenticator, request: Request) -> Outcome:
    coroutine = authenticator.authenticate(request)
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    outcome: Outcome = stopped.value.value
    return outcome


def admit(authenticator: AuthTktAuthenticator, request: Request) -> Authenticated:
    outcome = ask(authenticator, request)
    assert isinstance(outcome, Authenticated), outcome
    return outcome


def refuse(authenticator: AuthTktAuthenticator, request: Request) -> Rejected:
    outcome = ask(authenticator, request)
    assert isinstance(outcome, Rejected), outcome
    return outcome


def given(outcome: Authenticated) -> Ticket | None:
    """Read the ticket that a browser is given."""
    fields = [value for name, value in outcome.headers if name == "set-cookie"]
    if not fields:
        return None
    [field] = fields
    octets = decode_cookie(field.partition("=")[2].partition(";")[0])
    assert octets is not None
    return verify(octets, KEY, ip=CLIENT)


def test_keeps_the_contract() -> None:
    check_authenticator(make(), [showing(text())])
    check_authenticator(make(url_ticket="cookie", guest_login=True), [showing(text())])


def test_an_identity_says_what_the_ticket_does() -> None:
    outcome = admit(make(), showing(text(udata="d")))
    identity = outcome.identity
    assert (identity.issuer, identity.subject) == ("auth_tkt", "alice")
    assert dict(identity.claims) == {
        "uid": "alice",
        "timestamp": ALICE.timestamp,
        "validuntil": ALICE.timestamp + 7200,
        "tokens": ["staff", "it"],
        "udata": "d",
    }
    assert (identity.token, identity.token_type) == (text(udata="d"), "ticket")
    assert identity.expires == ALICE.timestamp + 7201
    assert outcome.until == ALICE.timestamp + 3601
    assert outcome.headers == ()


def test_without_a_timeout_nothing_ends() -> None:
    outcome = admit(make(timeout=0.0), showing(text(timestamp=0)))
    assert (outcome.identity.expires, outcome.until, outcome.headers) == (
        None,
        None,
        (),
    )
    assert "validuntil" not in outcome.identity.claims


def test_a_ticket_made_with_another_secret_may_be_another_authenticators() -> None:
    rejected = refuse(make(), showing(text(secret="another")))
    assert (rejected.reason, rejected.final) == ("ticket-signature", False)
    rejected = refuse(make(), make_request(headers={"Cookie": "auth_tkt=deleted"}))
    assert (rejected.reason, rejected.final) == ("ticket-signature", False)


@pytest.mark.parametrize(
    ("age", "reason"),
    [(7200, ""), (7201, "ticket-expired"), (-300, ""), (-301, "ticket-early")],
)
def test_a_ticket_is_good_in_its_time_alone(age: int, reason: str) -> None:
    outcome = ask(make(), showing(text(timestamp=int(NOW) - age)))
    if reason:
        assert isinstance(outcome, Rejected)
        assert (outcome.reason, outcome.final) == (reason, True)
    else:
        assert isinstance(outcome, Authenticated)


@pytest.mark.parametrize("timestamp", [0, 1, 2**31, 2**32 - 1])
def test_no_time_at_the_end_of_numbers_is_a_good_one(timestamp: int) -> None:
    refuse(make(), showing(text(timestamp=timestamp)))


def test_a_ticket_is_renewed_when_its_time_has_come() -> None:
    clock = SettableClock()
    authenticator = make(clock)
    first = admit(authenticator, showing(text()))
    assert first.until is not None
    clock.advance(first.until - NOW - 1)
    assert given(admit(authenticator, showing(text()))) is None
    clock.advance(1)
    renewed = admit(authenticator, showing(text()))
    assert renewed.until == 0
    assert given(renewed) == attrs.evolve(ALICE, timestamp=int(first.until))
    assert ("cache-control", "no-store") in renewed.headers


def test_an_old_secret_is_good_and_replaced_at_once() -> None:
    outcome = admit(make(secret_old=Secret(OLD)), showing(text(secret=OLD)))
    assert given(outcome) == attrs.evolve(ALICE, timestamp=int(NOW))
    assert given(admit(make(secret_old=Secret(OLD)), showing(text()))) is None
    refuse(make(), showing(text(secret=OLD)))


@pytest.mark.parametrize(
    ("digest", "other"), [("sha256", "md5"), ("md5", "sha256"), ("sha512", "sha256")]
)
def test_no_ticket_chooses_its_digest(digest: Any, other: Any) -> None:  # noqa: ANN401
    weaker = sign(ALICE, attrs.evolve(KEY, digest=other), ip=CLIENT)
    own = sign(ALICE, attrs.evolve(KEY, digest=digest), ip=CLIENT)
    authenticator = make(digest=digest.upper())
    assert refuse(authenticator, showing(weaker)).reason == "ticket-signature"
    admit(authenticator, showing(own))


@pytest.mark.parametrize(
    ("made_for", "client", "good"),
    [
        (CLIENT, CLIENT, True),
        (CLIENT, "::ffff:192.0.2.1", True),
        (CLIENT, "192.0.2.2", False),
        (SIX, SIX, True),
        (SIX, "2001:0db8:0::1", True),
        (SIX, "2001:db8::2", False),
        (ANYWHERE, CLIENT, False),
        (ANYWHERE, "unix", False),
    ],
)
def test_a_ticket_is_good_from_its_address_alone(
    made_for: str, client: str, *, good: bool
) -> None:
    outcome = ask(make(), showing(text(made_for), client=client))
    assert isinstance(outcome, Authenticated) is good
    ignoring = ask(make(ignore_ip=True), showing(text(made_for), client=client))
    assert isinstance(ignoring, Authenticated) is (made_for == ANYWHERE)


def test_addresses_of_ipv6_may_be_text() -> None:
    key = attrs.evolve(KEY, ipv6="text")
    shown = showing(sign(ALICE, key, ip=SIX), client=SIX)
    admit(make(ipv6="text"), shown)
    refuse(make(), shown)


def test_users_are_written_as_the_login_server_does() -> None:
    for user in ("quoted", "pyramid"):
        key = attrs.evolve(KEY, user=user)
        ticket = attrs.evolve(ALICE, uid="a@b c", timestamp=int(NOW) - 7000)
        shown = showing(sign(ticket, key, ip=CLIENT))
        outcome = admit(make(user=user), shown)
        assert outcome.identity.subject == "a@b c"
        [(_, cookie), _] = outcome.headers
        octets = decode_cookie(cookie.partition("=")[2].partition(";")[0])
        assert verify(octets or b"", key, ip=CLIENT).uid == "a@b c"
        refuse(make(), shown)


def test_a_control_character_leads_nobody_in_a_circle() -> None:
    authenticator = make(ignore_ip=True)
    shown = showing(made(b"a\r\nX: y!").decode())
    rejected = refuse(authenticator, shown)
    assert (rejected.status, rejected.reason) == (500, "ticket-control")


def test_every_cookie_of_the_name_is_looked_at_if_wanted() -> None:
    """Another host of the domain may have set one."""
    request = showing(text(secret="another"), text())
    refuse(make(), request)
    admit(make(every_cookie=True), request)
    late = showing(text(timestamp=1), text())
    assert refuse(make(), late).reason == "ticket-expired"
    admit(make(every_cookie=True), late)
    nobody = showing(text(secret="another"), text(timestamp=1))
    assert refuse(make(every_cookie=True), nobody).reason == "ticket-expired"


def test_a_name_that_ends_alike_is_another_cookie() -> None:
    cookie = f"xauth_tkt={encode_cookie(text())}; auth_tkt="
    request = make_request(headers={"Cookie": cookie}, client=CLIENT)
    assert ask(make(), request) == NotPresented()


def in_url(value: str, **request: Any) -> Request:  # noqa: ANN401
    return make_request(query=f"a=1&auth_tkt={value}&b=2", client=CLIENT, **request)


def test_a_ticket_in_the_query_is_none_unless_it_is_wanted() -> None:
    """Else a link logs in whoever follows it as who made it."""
    assert ask(make(), in_url(encode_cookie(text()))) == NotPresented()
    assert not make().reads_query


@pytest.mark.parametrize(
    "value", [encode_cookie(text()), text(), text().replace("!", "%21")]
)
def test_a_ticket_in_the_query_is_good_once(value: str) -> None:
    authenticator = make(url_ticket="once")
    assert authenticator.reads_query
    assert authenticator.consumes == ("cookie:auth_tkt", "?auth_tkt")
    outcome = admit(authenticator, in_url(value))
    assert outcome.headers == ()


@pytest.mark.parametrize(
    "link", [text(timestamp=int(NOW) - 7000), text(secret=OLD)], ids=["late", "old"]
)
def test_a_ticket_that_is_good_once_is_never_renewed(link: str) -> None:
    """Else it would be a cookie after all: whoever follows the link is its maker."""
    options: dict[str, Any] = {"secret_old": Secret(OLD)}
    outcome = admit(make(url_ticket="once", **options), in_url(encode_cookie(link)))
    assert outcome.headers == ()
    again = admit(make(url_ticket="cookie", **options), in_url(encode_cookie(link)))
    assert given(again) == attrs.evolve(ALICE, timestamp=int(NOW))


@pytest.mark.parametrize("url_ticket", ["once", "cookie"])
def test_a_link_with_an_expired_ticket_takes_no_cookie_away(url_ticket: str) -> None:
    over = encode_cookie(text(timestamp=1))
    authenticator = make(url_ticket=url_ticket)
    cookie = {"Cookie": f"auth_tkt={encode_cookie(text())}"}
    rejected = refuse(authenticator, in_url(over, headers=cookie))
    assert rejected.reason == "ticket-expired"
    assert rejected.redirect is not None
    assert rejected.redirect.headers == ()


def test_a_ticket_in_the_query_becomes_a_cookie_only_if_it_is_good() -> None:
    authenticator = make(url_ticket="cookie")
    outcome = admit(authenticator, in_url(encode_cookie(text())))
    assert given(outcome) == ALICE
    assert outcome.until == 0
    rejected = refuse(authenticator, in_url(encode_cookie(text(secret="another"))))
    assert rejected.redirect is not None
    assert rejected.redirect.headers == ()


def test_a_bad_ticket_in_the_query_leaves_the_cookie() -> None:
    authenticator = make(url_ticket="cookie")
    cookie = {"Cookie": f"auth_tkt={encode_cookie(text())}"}
    for value in ("x", "", encode_cookie(text(secret="another"))):
        outcome = admit(authenticator, in_url(value, headers=cookie))
        assert given(outcome) is None


def test_two_tickets_in_the_query_are_none() -> None:
    authenticator = make(url_ticket="once")
    value = encode_cookie(text())
    twice = make_request(query=f"auth_tkt={value}&auth%5Ftkt={value}", client=CLIENT)
    assert ask(authenticator, twice) == NotPresented()
    hidden = make_request(query=f"a=1;auth_tkt={value}", client=CLIENT)
    with pytest.raises(BadMessageError):
        ask(authenticator, hidden)


def test_a_guest_is_somebody_without_a_ticket() -> None:
    outcome = admit(make(guest_login=True), make_request())
    identity = outcome.identity
    assert (identity.issuer, identity.subject) == ("auth_tkt", "guest")
    assert dict(identity.claims) == {"uid": "guest", "tokens": [], "udata": ""}
    assert (identity.token, identity.expires) == ("", None)
    assert (outcome.until, outcome.headers) == (None, ())


def test_an_empty_guest_is_nobody() -> None:
    outcome = admit(make(guest_login=True, guest_empty=True), make_request())
    assert outcome.identity.issuer == ANONYMOUS


@pytest.mark.parametrize(
    ("pattern", "user"),
    [
        ("guest-%8U", "guest-12345678"),
        ("%U", "12345678-1234-5678-1234-567812345678"),
        ("%99U.x", "12345678-1234-5678-1234-567812345678.x"),
        ("%0U", "12345678-1234-5678-1234-567812345678"),
        ("g%2U%2U", "g12%2U"),
    ],
)
def test_guests_have_names_of_their_own(pattern: str, user: str) -> None:
    config = AuthTktConfig(
        secret=Secret(KEY.secret.decode()),
        guest_login=True,
        guest_cookie=True,
        guest_user=pattern,
    )
    number = UUID("12345678123456781234567812345678")
    authenticator = AuthTktAuthenticator(
        config, "test", SettableClock(), new_id=lambda: number
    )
    outcome = admit(authenticator, make_request(client=CLIENT))
    assert outcome.identity.subject == user
    assert outcome.until == 0
    assert given(outcome) == Ticket(uid=user, timestamp=int(NOW))


def test_each_guest_is_another_one() -> None:
    authenticator = make(guest_login=True, guest_user="guest-%U")
    outcomes = [admit(authenticator, make_request()) for _ in range(2)]
    assert len({outcome.identity.subject for outcome in outcomes}) == 2
    assert {outcome.until for outcome in outcomes} == {0}


def test_a_guest_without_an_address_gets_no_ticket() -> None:
    authenticator = make(guest_login=True, guest_cookie=True)
    assert admit(authenticator, make_request(client="unix")).headers == ()


def test_a_guest_needs_the_tokens_too() -> None:
    authenticator = make(guest_login=True, tokens=("staff",))
    assert refuse(authenticator, make_request()).reason == "ticket-tokens"


def test_who_had_an_old_ticket_is_a_guest_only_if_that_is_wanted() -> None:
    late = showing(text(timestamp=1))
    assert refuse(make(guest_login=True), late).reason == "ticket-expired"
    every = make(guest_login=True, every_cookie=True)
    assert refuse(every, late).reason == "ticket-expired"
    for empty in (False, True):
        wanted = make(guest_login=True, guest_fallback=True, guest_empty=empty)
        outcome = admit(wanted, late)
        assert "alice" not in outcome.identity.subject
        assert outcome.until == 0
        [(_, cookie)] = outcome.headers
        assert "Max-Age=0" in cookie
    giving = make(guest_login=True, guest_fallback=True, guest_cookie=True)
    ticket = given(admit(giving, late))
    assert ticket is not None
    assert ticket.uid == "guest"


def test_a_ticket_that_is_too_long_is_none() -> None:
    long = encode_cookie("0" * 40 + "a!" + "x" * LONGEST)
    request = make_request(headers={"Cookie": f"auth_tkt={long}"}, client=CLIENT)
    assert refuse(make(), request).reason == "ticket-long"


def test_without_a_login_server_nobody_is_sent_anywhere() -> None:
    authenticator = make(login_url=None)
    assert authenticator.challenge(make_request()) is None
    rejected = refuse(authenticator, showing(text(timestamp=1)))
    assert (rejected.status, rejected.redirect) == (403, None)


def test_plain_http_may_be_too_little_for_anybody() -> None:
    request = showing(text())
    authenticator = make(require_ssl=True)
    admit(authenticator, request)
    plain = attrs.evolve(request, head=attrs.evolve(request.head, scheme="http"))
    assert refuse(authenticator, plain).reason == "ticket-plain"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"secret": Secret("short")}, "secret: must have 8"),
        ({"tokens": ("a,b",)}, "tokens: 'a,b' is no token"),
    ],
)
def test_what_cannot_be_used_stops_the_start(
    change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        make(**change)


def test_the_log_never_has_a_ticket_or_what_is_in_it() -> None:
    with capturedLogs() as events:
        ticket = text(udata="private")
        authenticator = make(debug=3, guest_login=True, guest_cookie=True)
        for shown in (ticket, ticket[:-3], ticket.replace("alice", "al\nce")):
            ask(authenticator, showing(shown))
    told = repr(events)
    assert "timestamp" in told
    for secret in (ticket[:32], "private", "alice", encode_cookie(ticket)[-20:]):
        assert secret not in told
    assert "all share" not in told
