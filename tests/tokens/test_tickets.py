"""What every kind of ticket has in common: who gets one, until when, and how often."""

from typing import Any

import pytest

from sso_proxy.model import ANONYMOUS, Caller, Identity
from sso_proxy.specs.pubtkt_keys import TicketError
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import NOW
from sso_proxy.token import Audience, Token
from sso_proxy.tokens.ticket_config import TicketConfig
from sso_proxy.tokens.tickets import Facts, TicketSource
from tests.support.minting import Asking


class Source(TicketSource[Facts]):
    """Tickets that say what they say in plain words."""

    cookie = "plain"
    kind = "plain"

    def describe(self, facts: Facts, caller: Caller, identity: Identity) -> Facts:  # noqa: ARG002
        return facts

    def write(self, said: Facts, now: int, until: int) -> str:
        if " " in said.udata:
            raise TicketError("has a blank", reason="ticket-field")
        words = (said.uid, said.address, *said.tokens, said.udata, until - now)
        return "/".join(map(str, words))


class Scene(Asking):
    """A source, and those who ask it."""

    def __init__(self, *, fresh: float = 3600, **options: Any) -> None:  # noqa: ANN401
        self.clock = SettableClock()
        self.source = Source(TicketConfig(**options), self.clock, fresh)


def test_everything_that_is_configured_is_in_it() -> None:
    scene = Scene(
        uid="login",
        lifetime=600,
        cip=True,
        tokens=("groups",),
        token_table={"staff": ("wiki", "mail")},
        tokens_always=("sso",),
        udata="email",
    )
    claims = {"login": "al", "groups": ["staff", "x"], "email": "a@b"}
    assert scene.value(claims=claims) == "al/192.0.2.1/mail/sso/wiki/a@b/600"


def test_it_never_lasts_longer_than_what_it_says() -> None:
    given = Scene().ask(expires=NOW + 100)
    assert isinstance(given, Token)
    assert (given.value, given.expires) == ("alice///100", NOW + 100)


def test_who_is_about_to_be_gone_logs_in_again() -> None:
    assert Scene().reason(expires=NOW + 3) == "token-expired"


def test_nobody_in_particular_gets_none() -> None:
    assert Scene().reason(issuer=ANONYMOUS) == "token-nobody"


@pytest.mark.parametrize("user", ["", "a\nb", " root"])
def test_what_cannot_be_a_name_gets_none(user: str) -> None:
    assert Scene().reason(user=user) == "token-subject"


def test_what_cannot_stand_in_a_ticket_makes_none() -> None:
    assert Scene(udata="u").reason(claims={"u": "a b"}) == "token-ticket"


def test_a_ticket_for_an_address_needs_one() -> None:
    assert Scene(cip=True).reason(client="unix") == "token-address"


def test_a_ticket_is_for_no_site_alone() -> None:
    source = Scene().source
    source.check_audience(Audience())
    with pytest.raises(ValueError, match="at all sites"):
        source.check_audience(Audience(name="https://app.example.com"))


def test_it_is_given_again_for_a_short_while() -> None:
    """A page has many parts, and each would wait for a signature."""
    scene = Scene(fresh=2700)
    first = scene.ask()
    scene.clock.now += 130
    assert scene.ask() is first
    scene.clock.now += 10
    assert scene.ask() is not first


@pytest.mark.parametrize("left", [6, 60, 900])
def test_one_that_is_over_is_not_given_again(left: int) -> None:
    """A session that was about to end may have been renewed meanwhile."""
    scene = Scene()
    scene.ask(expires=NOW + left)
    scene.clock.now += left + 1
    assert scene.value(expires=scene.clock.now + 1000) == "alice///1000"


def test_nobody_is_given_what_is_another_s_or_lasts_longer() -> None:
    scene = Scene(cip=True)
    first = scene.value()
    assert scene.value(client="192.0.2.9") != first
    assert scene.value(user="bob") != first
    assert scene.value(expires=NOW + 60).endswith("/60")
