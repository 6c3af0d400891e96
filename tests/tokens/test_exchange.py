"""Callers' tokens become backends' own, and what comes is what was wanted."""

from typing import Any

import attrs
import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IHealth, ITokenSource
from sso_proxy.model import Caller
from sso_proxy.registry import provided_problems
from sso_proxy.testing.fakes import (
    NOW,
    FakeTokenSource,
    make_identity,
    make_request,
)
from sso_proxy.testing.tokens import TokenSigner
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens import remote
from sso_proxy.tokens.exchange import ExchangeSource
from tests.support.remote_scene import (
    ORDERS,
    SECRET,
    STOCK,
    THEIRS,
    RemoteScene,
    caller,
    session_of,
)
from tests.support.sts_faults import (
    DOWN,
    KINDS,
    LIFETIMES,
    REDIRECTS,
    REFUSALS,
    UNUSABLE,
    changed,
    names,
)

TYPE = "urn:ietf:params:oauth:token-type:"
OUR_FAULT = {"invalid_client", "unauthorized_client", "unsupported_grant_type"}
SIGNER = TokenSigner.create("ES256", "k")


def scene(**options: Any) -> RemoteScene:  # noqa: ANN401
    given = {"client_id": "proxy", "client_secret": Secret(SECRET)}
    return RemoteScene(ExchangeSource, **{**given, **options})


def refused(here: RemoteScene, *who: Any) -> tuple[str, int]:  # noqa: ANN401
    """Ask, and give why there is no token."""
    found = here.ask(*who)
    assert isinstance(found, NotIssued)
    assert THEIRS not in found.detail
    return found.reason, found.status


def test_it_is_what_its_interfaces_ask_for() -> None:
    source = scene().source
    assert not provided_problems("ITokenSource", source)
    assert not provided_problems("IHealth", source)
    assert ITokenSource.providedBy(source)
    assert IHealth.providedBy(source)


def test_the_access_token_is_exchanged_for_one_of_the_backend() -> None:
    here = scene()
    found = here.ask()
    assert found == Token(
        value=here.sts.issued[0], kind=f"{TYPE}access_token", expires=NOW + 300
    )
    assert dict(here.sts.asked[0].form) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": THEIRS,
        "subject_token_type": f"{TYPE}access_token",
        "audience": ORDERS.name,
    }
    assert here.sts.complaints == []


def test_each_backend_gets_a_token_of_its_own() -> None:
    here = scene()
    assert here.ask() == here.ask()
    assert here.ask(caller(), STOCK) != here.ask()
    assert here.sts.count == 2
    assert here.sts.last["audience"] == STOCK.name


def test_the_routes_audience_may_be_sent_as_resource() -> None:
    here = scene(audience_as="resource", audience=("them",))
    here.ask()
    assert here.sts.last["resource"] == ORDERS.name
    assert "audience" not in here.sts.last


def test_the_table_says_whom_for_where_the_route_does_not() -> None:
    here = scene(audience=("a", "b"), resource=("https://c/", "https://d/"))
    here.ask(caller(), Audience())
    form = here.sts.asked[0].form
    assert [value for name, value in form if name == "audience"] == ["a", "b"]
    assert [v for n, v in form if n == "resource"] == ["https://c/", "https://d/"]


def test_scopes_types_and_fields_of_the_operator_are_sent() -> None:
    here = scene(
        scope=("read", "write"), requested_type="jwt", params={"tenant": "acme"}
    )
    assert isinstance(here.ask(), Token)
    last = here.sts.last
    assert (last["scope"], last["tenant"]) == ("read write", "acme")
    assert last["requested_token_type"] == f"{TYPE}jwt"


@pytest.mark.parametrize(
    ("options", "who", "sent"),
    [
        (
            {"subject": "session:id_token"},
            caller(session=session_of(id_token=THEIRS)),
            (THEIRS, f"{TYPE}id_token"),
        ),
        (
            {"subject": "session:refresh_token"},
            caller(session=session_of(refresh_token="r")),
            ("r", f"{TYPE}refresh_token"),
        ),
        (
            {"subject": "cookie:legacy", "subject_type": "urn:acme:legacy"},
            caller(request=make_request(headers={"cookie": "legacy=<a>&\"'"})),
            ("<a>&\"'", "urn:acme:legacy"),
        ),
        (
            {"subject": "access_token", "subject_type": "jwt"},
            caller(),
            (THEIRS, f"{TYPE}jwt"),
        ),
    ],
)
def test_any_token_can_be_exchanged(
    options: dict[str, Any],
    who: Caller,
    sent: tuple[str, str],
) -> None:
    here = scene(**options)
    assert isinstance(here.ask(who), Token)
    last = here.sts.last
    assert (last["subject_token"], last["subject_token_type"]) == sent


def test_an_actor_goes_along() -> None:
    here = scene(actor="token:self")
    here.tools.tokens["self"] = FakeTokenSource(Token(value="me", kind=f"{TYPE}jwt"))
    assert isinstance(here.ask(), Token)
    last = here.sts.last
    assert (last["actor_token"], last["actor_token_type"]) == ("me", f"{TYPE}jwt")


def test_tokens_can_be_exchanged_one_after_the_other() -> None:
    """One authorization server takes another's tokens; each asks its own way."""
    first = scene()
    second = scene(subject="token:first", subject_audience="urn:second")
    second.tools.tokens["first"] = first.source
    assert isinstance(second.ask(), Token)
    assert first.sts.last["audience"] == "urn:second"
    assert second.sts.last["subject_token"] == first.sts.issued[0]


MAY = make_identity(token=THEIRS, claims={"may_act": {"sub": "gateway"}})


@pytest.mark.parametrize(
    ("actor", "reason"),
    [
        (SIGNER.sign({"sub": "gateway"}), None),
        (SIGNER.sign({"sub": "other"}), ("token-may-act", 403)),
        ("opaque", ("token-may-act", 403)),
    ],
)
def test_who_may_act_is_who_the_subjects_token_names(
    actor: str, reason: tuple[str, int] | None
) -> None:
    here = scene(actor="token:self")
    here.tools.tokens["self"] = FakeTokenSource(Token(value=actor))
    if reason is None:
        assert isinstance(here.ask(caller(MAY)), Token)
    else:
        assert refused(here, caller(MAY)) == reason
        assert here.sts.count == 0


def test_nobody_acts_where_no_actor_is_named() -> None:
    assert isinstance(scene().ask(caller(MAY)), Token)


def test_a_token_that_nobody_verified_says_nothing_about_actors() -> None:
    """Its server does, who can verify it."""
    here = scene(
        actor="token:self", subject="header:X-Token", subject_type="access_token"
    )
    here.tools.tokens["self"] = FakeTokenSource(Token(value="opaque"))
    forged = SIGNER.sign({"may_act": {"sub": "other"}})
    who = caller(request=make_request(headers={"x-token": forged}))
    assert isinstance(here.ask(who), Token)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("invalid_request", ("token-refused", 401)),
        ("invalid_grant", ("token-refused", 401)),
        ("invalid_target", ("token-target", 403)),
        ("invalid_scope", ("token-scope", 403)),
        ("access_denied", ("token-refused", 403)),
        ("own-code", ("token-unusable", 502)),
        ("echo-as-error", ("token-refused", 401)),
    ],
)
def test_a_refusal_is_the_callers(error: str, reason: tuple[str, int]) -> None:
    here = scene()
    here.sts.fail(error)
    assert refused(here) == reason


def test_every_refusal_that_the_server_knows_was_tried() -> None:
    tried = {"invalid_request", "invalid_grant", "invalid_target", "invalid_scope"}
    tried |= {"access_denied", "own-code", "echo-as-error"}
    assert {*REFUSALS} == tried | OUR_FAULT


@pytest.mark.parametrize("error", sorted(OUR_FAULT))
def test_what_is_our_fault_is_not_the_callers(error: str) -> None:
    here = scene()
    here.sts.fail(error)
    with pytest.raises(UnavailableError) as caught:
        here.ask()
    assert caught.value.status == 502


@pytest.mark.parametrize("name", names(UNUSABLE, KINDS, REDIRECTS))
def test_what_is_no_answer_is_no_token_and_is_not_kept(name: str) -> None:
    here = scene()
    here.sts.fail(name)
    reason = ("token-unusable", 502)
    if name == "error-and-token":
        reason = ("token-refused", 401)
    assert refused(here) == reason
    here.clock.advance(6)
    assert isinstance(here.ask(), Token)
    assert here.sts.count == 2


@pytest.mark.parametrize("name", names(DOWN))
def test_a_server_that_is_down_is_neither_the_callers_nor_ours(name: str) -> None:
    here = scene()
    here.sts.fail(name)
    with pytest.raises(UnavailableError) as caught:
        here.ask()
    assert caught.value.status in {502, 503, 504}
    assert THEIRS not in caught.value.what
    assert isinstance(here.ask(), Token)


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("digits-as-text", NOW + 300),
        ("no-expires", None),
        ("far-expires", NOW + 10**9),
        ("zero-expires", 0),
        ("fraction-expires", 0),
    ],
)
def test_lifetimes_are_what_they_are(name: str, ends: float | None) -> None:
    assert name in LIFETIMES
    here = scene()
    here.sts.jwt = False
    here.sts.fail(name)
    found = here.ask()
    if ends == 0:
        assert isinstance(found, NotIssued)
        assert (found.reason, found.status) == ("token-unusable", 502)
    else:
        assert isinstance(found, Token)
        assert found.expires == ends


def test_a_jwt_ends_when_it_says_whatever_its_server_does() -> None:
    here = scene()
    here.sts.fail("far-expires")
    found = here.ask()
    assert isinstance(found, Token)
    assert found.expires == NOW + 300


def test_fewer_scopes_are_enough_unless_they_are_not() -> None:
    fewer = changed(scope="read")
    here = scene(scope=("read", "write"))
    here.sts.fail(fewer)
    assert isinstance(here.ask(), Token)
    here = scene(scope=("read", "write"), require_scope=True)
    here.sts.fail(fewer)
    assert refused(here) == ("token-scope", 403)


def test_another_type_is_taken_if_it_is_listed() -> None:
    here = scene(requested_type="jwt", accept_types=("access_token",))
    here.sts.fail(changed(issued_token_type=f"{TYPE}access_token"))
    found = here.ask()
    assert isinstance(found, Token)
    assert found.kind == f"{TYPE}access_token"
    here = scene(requested_type="jwt")
    here.sts.fail(changed(issued_token_type=f"{TYPE}access_token"))
    assert refused(here) == ("token-unusable", 502)


def test_an_assertion_is_no_access_token_and_is_delivered_all_the_same() -> None:
    here = scene(requested_type="saml2")
    here.sts.fail(changed(access_token="PHNhbWw-", token_type="N_A"))
    found = here.ask()
    assert isinstance(found, Token)
    assert (found.value, found.token_type) == ("PHNhbWw-", "N_A")


def test_nobody_else_gets_what_somebody_presented() -> None:
    """Another caller's token is exchanged again, though it is for the same backend."""
    here = scene()
    bob = caller(attrs.evolve(make_identity("bob"), token="bobs"))
    assert here.ask() != here.ask(bob)
    assert [asked.one("subject_token") for asked in here.sts.asked] == [THEIRS, "bobs"]


def test_what_a_token_depends_on_is_found_out_once_for_who_comes_again() -> None:
    here = scene()
    alice = caller()
    first = here.ask(alice)
    assert here.ask(alice) == first
    other = caller(make_identity(token="other", expires=NOW + 3600))
    assert here.ask(other) != first, "another token of the same caller"
    assert here.ask(alice, STOCK) != first, "another audience"
    assert here.ask(alice) == first
    assert here.sts.count == 3


def test_who_comes_again_after_the_end_gets_another_one() -> None:
    here = scene()
    alice = caller()
    first = here.ask(alice)
    here.clock.advance(301)
    assert here.ask(alice) != first
    assert here.sts.count == 2


def test_no_more_callers_are_remembered_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "_MOST_RECENT", 2)
    here = scene()
    callers = [caller() for _ in range(5)]
    for each in callers:
        here.ask(each)
    assert len(here.source._recent) <= 2  # noqa: SLF001
