"""
The policies of a route, asked together.

All of them have to permit.  One that denies settles it, whatever others would say of
another login; what they oblige us to is done for all that were asked.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final, TypeAlias

import attrs
from twisted.logger import Logger

from sso_proxy.interfaces import ILocalPolicy, IPolicy, IRememberingPolicy
from sso_proxy.model import PERMIT, Decision, Effect, Identity, Request

_log = Logger()

Differences: TypeAlias = Counter[tuple[str, str, str]]
"""By a shadow's name, what was decided, and what it says."""

DIFFERENCES: Final = ("shadow-differences",)
"""Under this key configurations share them."""

_STRICTNESS: Final = (Effect.PERMIT, Effect.STEP_UP, Effect.DENY, Effect.REVOKED)


@attrs.frozen
class Named:
    """
    A policy.

    Attributes:
        name: What the configuration calls it.
        policy: It.
    """

    name: str
    policy: IPolicy


@attrs.frozen
class Local:
    """A policy that asks nobody, likewise."""

    name: str
    policy: ILocalPolicy


class Policies:
    """
    What a route's ``policy`` and ``shadow`` name.

    Args:
        decisive: Those that decide.
        shadows: Those that are only compared with what was decided.

    Attributes:
        waits: Whether any of them may ask somebody: then nothing that was decided is
            used again.
        depends_on_request: Whether the answer may differ for two requests of one
            identity at one time.
        decisive: Those that decide.
        shadows: Those that are only compared.
        differences: Counts where they differ.
    """

    def __init__(
        self,
        decisive: Sequence[Named],
        shadows: Sequence[Local] = (),
        differences: Differences | None = None,
    ) -> None:
        self.decisive = self._decisive = tuple(decisive)
        self.shadows = self._shadows = tuple(shadows)
        self.differences = Counter() if differences is None else differences
        self._local = tuple(
            Local(each.name, each.policy)
            for each in decisive
            if ILocalPolicy.providedBy(each.policy)
        )
        self._remembering = tuple(
            each.policy
            for each in decisive
            if IRememberingPolicy.providedBy(each.policy)
        )
        self.waits = len(self._local) < len(decisive)
        self.depends_on_request = self.waits or any(
            each.policy.depends_on_request for each in (*self._local, *shadows)
        )

    async def decide(self, identity: Identity, request: Request) -> Decision:
        """
        Ask all of them, up to the first that denies.

        Raises:
            UnavailableError: One of them cannot say now, and none has denied.
        """
        decision = PERMIT
        for each in self._decisive:
            found = await each.policy.decide(identity, request)
            decision = _joined(decision, found, each.name)
            if decision.effect is Effect.DENY:
                break
        self._compare(decision, identity, request)
        return decision

    def check(self, identity: Identity, request: Request) -> Decision:
        """Decide as `decide` does, at once; only if none of them waits."""
        decision = PERMIT
        for each in self._local:
            found = each.policy.check(identity, request)
            if found.effect is Effect.PERMIT and not found.obligations:
                continue
            decision = _joined(decision, found, each.name)
            if decision.effect is Effect.DENY:
                break
        if self._shadows:
            self._compare(decision, identity, request)
        return decision

    def is_known_to_permit(
        self, identity: Identity, method: str, host: str, path: str
    ) -> bool:
        """
        Say whether `check` permits this without a look at anything else.

        False if it does not, or if that is not known yet, or if shadows would have to
        be compared.
        """
        remembering = self._remembering
        if len(remembering) < len(self._decisive) or self._shadows:
            return False
        for policy in remembering:
            if not policy.is_known_to_permit(identity, method, host, path):
                return False
        return True

    def steady_for(self, identity: Identity, request: Request) -> float:
        """Say for how many seconds the answer to *request* stays the same."""
        if self.waits:
            return 0.0
        steady = math.inf
        for each in self._local:
            steady = min(steady, each.policy.steady_for(identity, request))
        return steady

    def _compare(
        self, decision: Decision, identity: Identity, request: Request
    ) -> None:
        """Log where a policy that does not count yet would have said something else."""
        for each in self._shadows:
            try:
                found = each.policy.check(identity, request)
            except Exception:  # noqa: BLE001
                _log.failure(
                    "Request {id}: shadow policy {name} failed.",
                    id=request.id,
                    name=each.name,
                )
                self.differences[each.name, decision.effect.value, "failed"] += 1
                continue
            if found.effect is not decision.effect:
                said = each.name, decision.effect.value, found.effect.value
                self.differences[said] += 1
                _log.warn(
                    "Request {id}: shadow policy {name} says {found} instead of"
                    " {decided}: {why}",
                    id=request.id,
                    name=each.name,
                    found=found.effect.value,
                    decided=decision.effect.value,
                    why=" ".join(found.reasons),
                )


def _joined(decision: Decision, found: Decision, name: str) -> Decision:
    """Add what the policy *name* says to what was said before it."""
    if found.effect is Effect.PERMIT and not found.obligations:
        return decision
    obligations = (*decision.obligations, *found.obligations)
    strictness = _STRICTNESS.index
    if strictness(found.effect) <= strictness(decision.effect):
        return attrs.evolve(decision, obligations=obligations)
    reasons = tuple(f"{name}/{reason}" for reason in found.reasons) or (name,)
    return attrs.evolve(found, obligations=obligations, reasons=reasons)
