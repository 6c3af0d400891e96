"""What tables of mod_auth_pubtkt do not show: safe defaults, and what is kept."""

from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.logger import capturedLogs

from sso_proxy.authn.pubtkt import PubtktAuthenticator
from sso_proxy.authn.pubtkt_config import PubtktConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError
from sso_proxy.model import (
    Authenticated,
    Client,
    LoginRedirect,
    NotPresented,
    Outcome,
    Rejected,
    Request,
)
from sso_proxy.specs.pubtkt import Ticket, encode_bauth, encode_cookie, sign
from sso_proxy.specs.pubtkt_keys import VerifyingKey
from sso_proxy.testing.checks import check_authenticator
from sso_proxy.testing.fakes import NOW, FakeTools, make_request
from tests.support.pubtkt_keys import public_pem, signing_key

LOGIN = "https://sso.example.com/login"
ALICE = Ticket(uid="alice", valid_until=int(NOW) + 60, tokens=("staff", "it"))


@attrs.frozen
class Desk:
    """
    Makes authenticators that have the same clock.

    Attributes:
        directory: Where their keys are.
        tools: What they are made with.
    """

    directory: Path
    tools: FakeTools = attrs.field(factory=FakeTools)

    def make(self, key: str = "rsa", **options: Any) -> PubtktAuthenticator:  # noqa: ANN401
        file = self.directory / f"{key}.pem"
        file.write_bytes(public_pem(key))
        given = {"public_key": str(file), "login_url": LOGIN, **options}
        return PubtktAuthenticator.from_config(PubtktConfig(**given), self.tools)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Give a desk."""
    return Desk(tmp_path)


def text(ticket: Ticket = ALICE, key: str = "rsa", **changes: Any) -> str:  # noqa: ANN401
    return sign(attrs.evolve(ticket, **changes), signing_key(key))


def showing(*texts: str, **request: Any) -> Request:  # noqa: ANN401
    cookies = "; ".join(f"auth_pubtkt={encode_cookie(each)}" for each in texts)
    return make_request(headers={"Cookie": cookies}, **request)


def ask(authenticator: PubtktAuthenticator, request: Request) -> Outcome:
    coroutine = authenticator.authenticate(request)
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    outcome: Outcome = stopped.value.value
    return outcome


def admit(authenticator: PubtktAuthenticator, request: Request) -> Authenticated:
    outcome = ask(authenticator, request)
    assert isinstance(outcome, Authenticated), outcome
    return outcome


def refuse(authenticator: PubtktAuthenticator, request: Request) -> Rejected:
    outcome = ask(authenticator, request)
    assert isinstance(outcome, Rejected), outcome
    return outcome


def test_keeps_the_contract(desk: Desk) -> None:
    check_authenticator(desk.make(headers=("X-Ticket", "X-Other")), [showing(text())])


def test_an_identity_says_what_the_ticket_does(desk: Desk) -> None:
    ticket = text(
        cip="192.0.2.1", grace_period=int(NOW) + 9, udata="d", multifactor="1"
    )
    outcome = admit(desk.make(), showing(ticket))
    identity = outcome.identity
    assert (identity.issuer, identity.subject) == ("pubtkt", "alice")
    assert dict(identity.claims) == {
        "uid": "alice",
        "validuntil": ALICE.valid_until,
        "graceperiod": int(NOW) + 9,
        "cip": "192.0.2.1",
        "tokens": ["staff", "it"],
        "udata": "d",
        "multifactor": True,
    }
    assert (identity.token, identity.token_type) == (ticket, "ticket")
    assert identity.expires == ALICE.valid_until + 1
    assert outcome.until == int(NOW) + 10


def test_a_ticket_of_another_key_may_be_another_authenticators(desk: Desk) -> None:
    rejected = refuse(desk.make(), showing(text(key="rsa.other")))
    assert (rejected.reason, rejected.final) == ("ticket-signature", False)


def test_an_expired_ticket_is_nobody_elses(desk: Desk) -> None:
    rejected = refuse(desk.make(), showing(text(valid_until=int(NOW) - 1)))
    assert (rejected.reason, rejected.final) == ("ticket-expired", True)


def test_a_known_ticket_is_looked_at_again(desk: Desk) -> None:
    """Only its signature is remembered."""
    authenticator = desk.make()
    request = showing(text(cip="192.0.2.1"))
    admit(authenticator, request)
    elsewhere = attrs.evolve(request, client=Client(address="192.0.2.2", peer="::1"))
    assert refuse(authenticator, elsewhere).reason == "ticket-address"
    desk.tools.clock.advance(61)
    assert refuse(authenticator, request).reason == "ticket-expired"


def counted(authenticator: PubtktAuthenticator) -> list[bytes]:
    """Count the signatures that are checked from now on."""
    checked: list[bytes] = []
    key = authenticator._key  # noqa: SLF001

    def check(signature: bytes, signed: bytes) -> None:
        checked.append(signed)
        key._check(signature, signed)  # noqa: SLF001

    counting = VerifyingKey(id=key.id, digest=key.digest, check=check)
    authenticator._key = counting  # noqa: SLF001
    return checked


def test_a_signature_is_checked_once_as_long_as_there_is_room(desk: Desk) -> None:
    authenticator = desk.make(cache_size=2)
    checked = counted(authenticator)
    requests = [showing(text(uid=name)) for name in ("a", "b", "c")]
    for number in (0, 1, 0, 2, 0):
        admit(authenticator, requests[number])
    assert len(checked) == 3
    admit(authenticator, requests[1])  # the one not used for longest went
    assert len(checked) == 4


def test_refused_tickets_take_no_room(desk: Desk) -> None:
    authenticator = desk.make(cache_size=1)
    admit(authenticator, showing(text()))
    checked = counted(authenticator)
    refuse(authenticator, showing(text(key="rsa.other")))
    admit(authenticator, showing(text()))
    assert len(checked) == 1


@pytest.mark.parametrize(
    ("cip", "client", "good"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:DB8:0::1", "2001:db8::1", True),
        ("2001:db8::1", "2001:db8::2", False),
        ("192.0.2.01", "192.0.2.1", False),
        ("nonsense", "192.0.2.1", False),
        ("nonsense", "unix", False),
    ],
)
def test_addresses_are_compared_and_not_their_text(
    desk: Desk, cip: str, client: str, *, good: bool
) -> None:
    outcome = ask(desk.make(), showing(text(cip=cip), client=client))
    assert isinstance(outcome, Authenticated) is good


def test_what_is_decided_in_the_grace_period_is_for_no_other_method(
    desk: Desk,
) -> None:
    """The same bytes with GET would go to the login server."""
    late = text(grace_period=int(NOW) - 1)
    assert admit(desk.make(), showing(late, method="HEAD")).until == 0
    assert refuse(desk.make(), showing(late)).reason == "ticket-refresh"


@pytest.mark.parametrize(
    ("method", "minor", "status"),
    [
        ("GET", 1, 307),
        ("HEAD", 1, 307),
        ("OPTIONS", 1, 307),
        ("POST", 1, 303),
        ("PUT", 1, 303),
        ("GET", 0, 302),
        ("POST", 0, 302),
    ],
)
def test_nothing_is_posted_again_to_the_login_server(
    desk: Desk, method: str, minor: int, status: int
) -> None:
    request = attrs.evolve(make_request(method=method), minor=minor)
    back = "back=https%3a%2f%2fapp.example.com%2f"
    expected = LoginRedirect(f"{LOGIN}?{back}", status, always=True)
    authenticator = desk.make()
    assert ask(authenticator, request) == NotPresented()
    assert authenticator.challenge(request) == expected
    shown = attrs.evolve(showing(text(valid_until=1), method=method), minor=minor)
    assert refuse(authenticator, shown).redirect == expected


def test_without_a_login_server_nobody_is_sent_anywhere(desk: Desk) -> None:
    authenticator = desk.make(login_url=None)
    assert authenticator.challenge(make_request()) is None
    rejected = refuse(authenticator, showing(text(cip="192.0.2.9")))
    assert (rejected.status, rejected.redirect) == (403, None)


def test_every_cookie_of_the_name_is_looked_at_if_wanted(desk: Desk) -> None:
    """Another host of the domain may have set one."""
    request = showing(text(key="rsa.other"), text())
    refuse(desk.make(), request)
    admit(desk.make(every_cookie=True), request)


def test_every_header_is_looked_at_if_wanted(desk: Desk) -> None:
    fields = {"X-Ticket": encode_cookie(text(key="rsa.other"))}
    request = make_request(headers={**fields, "X-Next": encode_cookie(text())})
    headers = ("X-Ticket", "X-Next")
    refuse(desk.make(headers=headers), request)
    admit(desk.make(headers=headers, every_header=True), request)


def test_a_short_cookie_is_none_and_the_next_field_counts(desk: Desk) -> None:
    fields = {"Cookie": "auth_pubtkt=x", "X-Ticket": encode_cookie(text())}
    admit(desk.make(headers=("Cookie", "X-Ticket")), make_request(headers=fields))


def test_what_is_known_in_a_cookie_is_not_in_another_field(desk: Desk) -> None:
    """Quotes belong to cookies alone."""
    authenticator = desk.make(headers=("Cookie", "X-Ticket"))
    quoted = f'"{encode_cookie(text())}"'
    admit(authenticator, make_request(headers={"Cookie": f"auth_pubtkt={quoted}"}))
    refuse(authenticator, make_request(headers={"X-Ticket": quoted}))


def test_a_name_that_ends_alike_is_another_cookie(desk: Desk) -> None:
    cookie = f"xauth_pubtkt={encode_cookie(text())}"
    assert ask(desk.make(), make_request(headers={"Cookie": cookie})) == NotPresented()


@pytest.mark.parametrize(
    ("options", "consumed"),
    [
        ({}, ("cookie:auth_pubtkt",)),
        ({"cookie_name": "t"}, ("cookie:t",)),
        ({"headers": ("X-T",)}, ("x-t",)),
        ({"fake_basic": True}, ("cookie:auth_pubtkt", "authorization")),
        (
            {"headers": ("Cookie", "Authorization"), "passthru_basic": True},
            ("authorization", "cookie:auth_pubtkt"),
        ),
        (
            {"fake_basic": True, "client_authorization": "keep"},
            ("cookie:auth_pubtkt",),
        ),
    ],
)
def test_credentials_go_no_further(
    desk: Desk, options: dict[str, Any], consumed: tuple[str, ...]
) -> None:
    assert desk.make(**options).consumes == consumed


def test_the_clients_own_authorization_counts_only_where_it_is_said_to(
    desk: Desk,
) -> None:
    fields = dict(showing(text()).head.headers) | {"Authorization": "Basic eA=="}
    request = make_request(headers=fields)
    ours = (("Authorization", "Basic YWxpY2U6cGFzc3dvcmQ="),)
    assert admit(desk.make(fake_basic=True), request).backend == ours
    kept = desk.make(fake_basic=True, client_authorization="keep")
    assert admit(kept, request).backend == ()
    assert admit(kept, showing(text())).backend == ours


def test_a_user_with_a_colon_is_nobody_else_to_the_backend(desk: Desk) -> None:
    """Basic ends the user's name at the first one (RFC 7617 section 2)."""
    rejected = refuse(desk.make(fake_basic=True), showing(text(uid="root:x")))
    assert (rejected.status, rejected.reason) == (500, "ticket-bauth")


def test_credentials_that_are_no_text_are_not_sent(desk: Desk) -> None:
    ticket = text(bauth="eA==é")
    assert admit(desk.make(), showing(ticket)).backend == ()
    assert refuse(desk.make(passthru_basic=True), showing(ticket)).status == 500


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"digest": "md5"}, "public_key: has no digest 'md5'"),
        ({"public_key": "/nonexistent"}, "public_key: cannot be read"),
        ({"tokens": ("a,b",)}, "tokens: 'a,b' is no token"),
        (
            {"passthru_basic": True, "passthru_basic_key": Secret("k")},
            "passthru_basic_key: must have 16",
        ),
    ],
)
def test_what_cannot_be_used_stops_the_start(
    desk: Desk, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        desk.make(**change)


@pytest.mark.parametrize("name", ["ec", "ed25519", "dsa1024"])
def test_other_keys_are_good_too(desk: Desk, name: str) -> None:
    assert admit(desk.make(name), showing(text(key=name))).identity.subject == "alice"


def test_the_log_never_has_a_ticket_or_what_is_in_it(desk: Desk) -> None:
    with capturedLogs() as events:
        ticket = text(bauth=encode_bauth("al", "geheim"), udata="private")
        authenticator = desk.make(debug=3, passthru_basic=True)
        for shown in (ticket, ticket[:-8]):
            ask(authenticator, showing(shown))
    told = repr(events)
    assert "validuntil" not in told
    assert "valid_until" in told
    for secret in (ticket[-40:], "private", "alice", encode_bauth("al", "geheim")):
        assert secret not in told
