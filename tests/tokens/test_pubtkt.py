"""Tickets say what is true of who gets them, and the libraries that read them agree."""

from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from sso_proxy.config.secrets import Secret
from sso_proxy.equipment import Equipment
from sso_proxy.errors import ConfigError
from sso_proxy.registry import provided_problems
from sso_proxy.specs.pubtkt import Ticket, decode_cookie, decrypt_bauth, verify
from sso_proxy.specs.pubtkt_keys import read_verifying_key
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import NOW, FakeTools
from sso_proxy.token import Token
from sso_proxy.tokens.delivery import CookieDelivery
from sso_proxy.tokens.pubtkt import PubtktSource
from sso_proxy.tokens.pubtkt_config import PubtktTokenConfig
from tests.support.minting import Asking

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = read_verifying_key(
    KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
)
BAUTH_KEY = Secret("0123456789abcdef")


def pem(password: bytes | None = None) -> bytes:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


class Scene(Asking):
    """A source of tickets, and those who ask it."""

    def __init__(self, directory: Path, key: bytes = b"", **options: Any) -> None:  # noqa: ANN401
        file = directory / "ticket.pem"
        file.write_bytes(key or pem())
        config = PubtktTokenConfig(key=str(file), **options)
        self.clock = SettableClock()
        self.source = PubtktSource.from_config(config, FakeTools(clock=self.clock))

    def ticket(self, **asked: Any) -> Ticket:  # noqa: ANN401
        octets = decode_cookie(self.value(**asked))
        assert octets is not None
        return verify(octets, PUBLIC)


def test_it_is_a_source_of_tickets(tmp_path: Path) -> None:
    source = Scene(tmp_path).source
    assert not provided_problems("ITicketSource", source)
    assert source.cookie == "auth_pubtkt"


def test_a_ticket_says_who_until_when(tmp_path: Path) -> None:
    assert Scene(tmp_path).ticket() == Ticket(
        uid="alice", valid_until=int(NOW) + 3600, grace_period=int(NOW) + 2700
    )


def test_everything_that_is_configured_is_in_it(tmp_path: Path) -> None:
    scene = Scene(
        tmp_path,
        uid="login",
        lifetime=600,
        grace=0,
        cip=True,
        tokens=("groups",),
        token_table={"staff": ("wiki", "mail")},
        tokens_always=("sso",),
        udata="email",
        multifactor="amr contains 'mfa'",
    )
    claims = {"login": "al", "groups": ["staff", "x"], "email": "a@b", "amr": ["mfa"]}
    assert scene.ticket(claims=claims) == Ticket(
        uid="al",
        valid_until=int(NOW) + 600,
        cip="192.0.2.1",
        tokens=("mail", "sso", "wiki"),
        udata="a@b",
        multifactor="1",
    )
    claims["amr"] = ["pwd"]
    assert scene.ticket(claims=claims).multifactor == "0"


def test_it_never_lasts_longer_than_what_it_says(tmp_path: Path) -> None:
    ticket = Scene(tmp_path).ticket(expires=NOW + 100)
    assert (ticket.valid_until, ticket.grace_period) == (int(NOW) + 100, int(NOW) + 75)


@pytest.mark.parametrize(
    "user", ["", "a;uid=root", "a\nb", " root", "u" * 256, "ü" * 200]
)
def test_what_cannot_be_a_name_gets_none(tmp_path: Path, user: str) -> None:
    assert Scene(tmp_path).reason(user=user) in {"token-subject", "token-ticket"}


def test_what_does_not_fit_is_not_cut_off(tmp_path: Path) -> None:
    scene = Scene(tmp_path, udata="u", tokens=("g",))
    assert scene.reason(claims={"u": "d" * 256}) == "token-ticket"
    many = [f"group-{number:04}" for number in range(40)]
    assert scene.reason(claims={"g": many}) == "token-ticket"
    assert scene.reason(claims={"u": "x;tokens=admin"}) == "token-ticket"


def test_a_password_is_encrypted_for_the_sites(tmp_path: Path) -> None:
    scene = Scene(tmp_path, bauth_claim="pw", bauth_key=BAUTH_KEY)
    first = scene.ticket(claims={"pw": "s3cret"}).bauth
    scene.clock.now += 3000
    assert scene.ticket(claims={"pw": "s3cret"}).bauth != first
    key = BAUTH_KEY.reveal().encode()
    assert decrypt_bauth(first, key).rstrip(b"\0") == b"alice:s3cret"
    assert scene.ticket().bauth == ""


def test_a_password_in_clear_is_said_to_be(tmp_path: Path) -> None:
    scene = Scene(tmp_path, bauth_password=Secret("pw"), bauth_plain=True)
    assert scene.ticket(user="al").bauth == "YWw6cHc="
    assert scene.reason(user="a:b") == "token-bauth"


def test_the_key_may_be_encrypted(tmp_path: Path) -> None:
    scene = Scene(tmp_path, pem(b"open"), key_password=Secret("open"))
    assert scene.ticket().uid == "alice"


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"key": b"none"}, "key"),
        ({"multifactor": "amr =="}, "multifactor"),
        ({"grace": 4000}, "grace"),
    ],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, options: dict[str, Any], path: str
) -> None:
    with pytest.raises(ConfigError) as e:
        Scene(tmp_path, **options)
    assert [mistake.path for mistake in e.value.mistakes] == [path]


def test_nothing_shows_what_is_secret(tmp_path: Path) -> None:
    scene = Scene(tmp_path, bauth_claim="pw", bauth_plain=True)
    given = scene.ask(claims={"pw": "s3cret"})
    assert isinstance(given, Token)
    assert given.value not in repr(given)
    assert "s3cret" not in repr(attrs.evolve(given))


def test_a_backend_gets_one_as_a_cookie(tmp_path: Path) -> None:
    """As sites do: nothing in it has to be escaped again."""
    given = Scene(tmp_path, udata="u").ask(claims={"u": "\u00fc + ="})
    assert isinstance(given, Token)
    equipment = Equipment(user="alice")
    assert CookieDelivery("auth_pubtkt").apply(given, equipment) is None
    assert equipment.cookies == [("auth_pubtkt", given.value)]


def test_it_is_given_again_for_a_short_while(tmp_path: Path) -> None:
    """A page has many parts, and each would wait for a signature."""
    scene = Scene(tmp_path)
    first = scene.ask()
    scene.clock.now += 130
    assert scene.ask() is first
    scene.clock.now += 10
    assert scene.ask() is not first


@pytest.mark.parametrize("grace", [3599, 3500, 900, 0])
def test_what_is_given_again_needs_no_refreshing(tmp_path: Path, grace: int) -> None:
    """Else the site would send its user here for another, and get the same."""
    scene = Scene(tmp_path, grace=grace)
    for _ in range(40):
        ticket = scene.ticket()
        assert not ticket.grace_period or ticket.grace_period >= scene.clock.now
        scene.clock.now += 7.3


def test_nobody_is_given_what_is_another_s_or_lasts_longer(tmp_path: Path) -> None:
    scene = Scene(tmp_path, cip=True, bauth_claim="pw", bauth_plain=True)
    first = scene.ask()
    assert scene.ask(client="192.0.2.9") != first
    assert scene.ask(user="bob") != first
    assert scene.ask(claims={"pw": "x"}) != scene.ask(claims={"pw": "y"})
    assert scene.ticket(expires=NOW + 60).valid_until == int(NOW) + 60
