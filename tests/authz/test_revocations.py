"""What this process refuses because an operator has revoked it."""

import pytest

from sso_proxy.authz.revocations import Revocations
from sso_proxy.errors import UnavailableError
from sso_proxy.model import ANONYMOUS, Effect
from sso_proxy.specs.revocations import Revocation
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_identity

ALICE = make_identity()
OF_ALICE = Revocation(issuer=ALICE.issuer, subject=ALICE.subject, until=2_000_000_000)


def test_nobody_is_refused_at_first() -> None:
    assert Revocations(SettableClock()).decide(ALICE) is None


def test_whoever_is_revoked_is_refused_by_name() -> None:
    revocations = Revocations(SettableClock())
    revocations.change([OF_ALICE], [])
    decision = revocations.decide(ALICE)
    assert decision is not None
    assert decision.effect is Effect.REVOKED
    assert decision.reasons == ("revoked", OF_ALICE.id)
    assert revocations.decide(make_identity(subject="bob")) is None


def test_what_is_lifted_is_not_refused() -> None:
    revocations = Revocations(SettableClock())
    revocations.change([OF_ALICE], [])
    revocations.change([], [OF_ALICE.id, "nothing of this name"])
    assert revocations.decide(ALICE) is None


def test_what_is_over_is_not_refused() -> None:
    clock = SettableClock()
    revocations = Revocations(clock)
    revocations.change([OF_ALICE], [])
    clock.advance(OF_ALICE.until - clock.time())
    assert revocations.decide(ALICE) is None


def test_nobody_is_let_in_while_it_is_doubted_that_this_is_all() -> None:
    revocations = Revocations(SettableClock())
    revocations.change((), (), doubted=True)
    revocations.change([OF_ALICE], ())
    for identity in (ALICE, make_identity(subject="bob")):
        with pytest.raises(UnavailableError, match="what other machines have revoked"):
            revocations.decide(identity)
    assert revocations.decide(make_identity(issuer=ANONYMOUS)) is None
    revocations.change((), (), doubted=False)
    assert revocations.decide(make_identity(subject="bob")) is None
    assert revocations.decide(ALICE) is not None
