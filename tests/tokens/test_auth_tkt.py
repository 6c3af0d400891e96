"""Tickets of mod_auth_tkt say what is true, and libraries that read them agree."""

import time
from typing import Any

import pytest
from auth_tkt.ticket import validate

from sso_proxy.authn.auth_tkt import AuthTktAuthenticator
from sso_proxy.authn.auth_tkt_config import AuthTktConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.equipment import Equipment
from sso_proxy.errors import ConfigError
from sso_proxy.model import Authenticated, Rejected
from sso_proxy.registry import provided_problems
from sso_proxy.specs.auth_tkt import Ticket, TicketKey, decode_cookie, verify
from sso_proxy.specs.pubtkt_keys import TicketError
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import NOW, FakeTools, make_request
from sso_proxy.token import Token
from sso_proxy.tokens.auth_tkt import MOST_OCTETS, AuthTktSource
from sso_proxy.tokens.auth_tkt_config import AuthTktTokenConfig
from sso_proxy.tokens.delivery import CookieDelivery
from tests.support.minting import Asking

SECRET = "a long s\u00e9cret of all sites"


class Scene(Asking):
    """A source of tickets, and those who ask it."""

    def __init__(self, now: float = NOW, **options: Any) -> None:  # noqa: ANN401
        config = AuthTktTokenConfig(secret=Secret(SECRET), **options)
        self.clock = SettableClock()
        self.clock.now = now
        self.source = AuthTktSource.from_config(config, FakeTools(clock=self.clock))


def read(value: str, *, ip: str = "0.0.0.0", **key: Any) -> Ticket:  # noqa: ANN401, S104
    octets = decode_cookie(value)
    assert octets is not None
    return verify(octets, TicketKey(secret=SECRET.encode(), **key), ip=ip)


def test_it_is_a_source_of_tickets() -> None:
    source = Scene().source
    assert not provided_problems("ITicketSource", source)
    assert source.cookie == "auth_tkt"


def test_a_ticket_says_who_and_when_it_was_made() -> None:
    ticket = read(Scene().value())
    assert ticket == Ticket(uid="alice", timestamp=int(NOW))


@pytest.mark.parametrize("digest", ["md5", "sha256", "sha512"])
def test_everything_that_is_configured_is_in_it(digest: str) -> None:
    scene = Scene(
        digest=digest, cip=True, tokens=("groups",), tokens_always=("sso",), udata="m"
    )
    value = scene.value(claims={"groups": ["a b", "x,y"], "m": "a!b \u00e9"})
    assert read(value, digest=digest, ip="192.0.2.1") == Ticket(
        uid="alice", timestamp=int(NOW), tokens=("a b", "sso"), udata="a!b \u00e9"
    )


def test_its_time_is_set_back_for_one_that_ends_with_the_session() -> None:
    """Sites count from there: at its end, it is as old as they let it become."""
    ticket = read(Scene(lifetime=600).value(expires=NOW + 100))
    assert ticket.timestamp + 600 == int(NOW) + 100


@pytest.mark.parametrize("client", ["2001:db8::1", "192.0.2.1", "::ffff:192.0.2.1"])
@pytest.mark.parametrize("form", ["packed", "text"])
def test_it_is_good_for_its_address_alone(client: str, form: str) -> None:
    value = Scene(cip=True, ipv6=form).value(client=client)
    assert read(value, ip=client, ipv6=form).uid == "alice"
    for other in ("192.0.2.2", "2001:db8::2", "0.0.0.0"):  # noqa: S104
        with pytest.raises(TicketError):
            read(value, ip=other, ipv6=form)


@pytest.mark.parametrize("user", ["a!admin", "x!root!"])
def test_a_name_that_would_be_more_makes_no_ticket(user: str) -> None:
    """The digest has no mark between what a name and what tokens begin with."""
    assert Scene().reason(user=user) == "token-ticket"


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "al ice"),
        ({"wrapped": "url"}, "al ice\u00e9"),
        ({"wrapped": "none"}, "alice"),
        ({"wrapped": "none", "user": "quoted"}, "al ice\u00e9"),
        ({"wrapped": "none", "user": "pyramid"}, "al ice!\u00e9"),
        ({"wrapped": "url", "encoding": "latin-1"}, "\u00e9"),
    ],
)
def test_each_way_to_write_it_is_read(options: dict[str, str], name: str) -> None:
    key = {each: options[each] for each in ("user", "encoding") if each in options}
    scene = Scene(NOW, **options)
    assert read(scene.value(user=name), **key).uid == name


def test_what_no_cookie_can_have_makes_none() -> None:
    scene = Scene(wrapped="none", udata="m", tokens=("g",))
    assert scene.reason(claims={"g": ["a", "b"]}) == "token-ticket"
    for data in ("a b", "a;b", 'a"b', "\u00e9"):
        assert scene.reason(claims={"m": data}) == "token-ticket"
    assert Scene(encoding="latin-1").reason(user="\u0142") == "token-ticket"


@pytest.mark.parametrize(
    ("wrapped", "claims", "tokens", "data"),
    [
        ("base64", {}, "", ""),
        ("base64", {"m": "data"}, "", "data"),
        ("base64", {"g": ["a", "b"]}, "a,b", ""),
        ("base64", {"g": ["a", "b"], "m": "x!y"}, "a,b", "x!y"),
        ("none", {}, "", ""),
        ("none", {"g": ["a"], "m": "x!y"}, "a", "x!y"),
    ],
)
@pytest.mark.parametrize("digest", ["md5", "sha256", "sha512"])
def test_the_library_auth_tkt_reads_them(
    wrapped: str, claims: dict[str, Any], tokens: str, data: str, digest: str
) -> None:
    """It makes a ticket anew, and compares all of it."""
    scene = Scene(time.time(), digest=digest, wrapped=wrapped, tokens=("g",), udata="m")
    found = validate(scene.value(claims=claims), SECRET, digest=digest)
    assert (found.uid, found.tokens, found.data) == ("alice", tokens, data)


def test_the_library_auth_tkt_counts_as_we_do() -> None:
    now = time.time()
    value = Scene(now, lifetime=600).value(expires=now + 30)
    assert validate(value, SECRET, timeout=600)
    assert not validate(value, SECRET, timeout=500)


def test_one_that_browsers_would_forget_is_not_made() -> None:
    """Its user would be sent round, and not know why."""
    groups = [f"a-group-with-a-long-name-{number:04}" for number in range(200)]
    scene = Scene(tokens=("g",))
    answers = [scene.ask(claims={"g": groups[:n]}) for n in range(1, 200)]
    made = [each for each in answers if isinstance(each, Token)]
    assert MOST_OCTETS - 50 < len(made[-1].value) <= MOST_OCTETS
    assert scene.reason(claims={"g": groups}) == "token-ticket"


@pytest.mark.parametrize("wrapped", ["base64", "url"])
@pytest.mark.parametrize("client", ["192.0.2.1", "2001:db8::1"])
def test_our_own_authenticator_takes_them(wrapped: str, client: str) -> None:
    scene = Scene(wrapped=wrapped, cip=True, tokens=("g",), udata="m", lifetime=600)
    claims = {"g": ["a", "b"], "m": "x!y \u00e9"}
    value = scene.value(claims=claims, client=client, expires=NOW + 90)
    config = AuthTktConfig(secret=Secret(SECRET), tokens=("b",), timeout=600)
    reader = AuthTktAuthenticator.from_config(config, FakeTools(clock=scene.clock))

    def show(client: str) -> object:
        fields = {"cookie": f"auth_tkt={value}"}
        request = make_request(headers=fields, client=client)
        return outcome_of(reader.authenticate(request))

    found = show(client)
    assert isinstance(found, Authenticated)
    assert found.identity.subject == "alice"
    said = {name: found.identity.claims[name] for name in ("tokens", "udata")}
    assert said == {"tokens": ["a", "b"], "udata": "x!y \u00e9"}
    assert isinstance(show("192.0.2.9"), Rejected)
    scene.clock.now += 91
    assert isinstance(show(client), Rejected)


def test_a_contradiction_stops_the_start() -> None:
    with pytest.raises(ConfigError) as e:
        Scene(ipv6="text")
    assert [mistake.path for mistake in e.value.mistakes] == ["ipv6"]


@pytest.mark.parametrize("wrapped", ["base64", "url", "none"])
def test_a_backend_gets_one_as_a_cookie(wrapped: str) -> None:
    given = Scene(wrapped=wrapped, tokens_always=("a",)).ask()
    assert isinstance(given, Token)
    equipment = Equipment(user="alice")
    assert CookieDelivery("auth_tkt").apply(given, equipment) is None
    assert equipment.cookies == [("auth_tkt", given.value)]
