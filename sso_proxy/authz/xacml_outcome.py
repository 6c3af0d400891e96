"""What the answers of a decision point come to (XACML 3.0 section 7.2)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import attrs

from sso_proxy.authz.foreign_obligations import ForeignObligations
from sso_proxy.model import PERMIT, Decision, Effect
from sso_proxy.specs.xacml.names import STATUS
from sso_proxy.specs.xacml.response import Demand, Result, Verdict

_REASONS: Final = {
    Verdict.PERMIT: "permit",
    Verdict.DENY: "deny",
    Verdict.NOT_APPLICABLE: "not-applicable",
    Verdict.INDETERMINATE: "indeterminate",
}

Obligation = tuple[str, Mapping[str, Any]]


@attrs.frozen(kw_only=True)
class Weighing:
    """
    How results are weighed.

    Attributes:
        bias: What is done about all but a clear Permit or Deny.
        combine: How many of several results have to let a request pass.
        obligations: Says obligations in our words.
    """

    bias: Literal["deny", "permit"]
    combine: Literal["all", "any"]
    obligations: ForeignObligations

    def weigh(self, results: Sequence[Result]) -> Decision:
        """Give the decision that *results*, of which there is at least one, come to."""
        found = [self._weigh_one(result) for result in results]
        permits = [one for one in found if one.effect is Effect.PERMIT]
        if len(permits) == len(found):
            deciding = found if self.combine == "all" else found[:1]
        elif self.combine == "any" and permits:
            deciding = permits[:1]
        else:
            deciding = [one for one in found if one.effect is not Effect.PERMIT]
        obligations = _once(each for one in deciding for each in one.obligations)
        return attrs.evolve(deciding[0], obligations=obligations)

    def _weigh_one(self, result: Result) -> Decision:
        demands = result.obligations
        passes = result.verdict is Verdict.PERMIT
        if self.bias == "permit":
            # As the standard has it: only a Deny that is understood denies, and an
            # obligation that is not understood keeps nobody out.
            known = [one for one in demands if self.obligations.knows(one.id)]
            denies = result.verdict is Verdict.DENY and len(known) == len(demands)
            passes, demands = not denies, tuple(known)
        obligations = tuple(map(self._in_our_words, demands))
        if not passes:
            reasons = tuple(_reasons(result))
            return Decision(
                effect=Effect.DENY, obligations=obligations, reasons=reasons
            )
        return attrs.evolve(PERMIT, obligations=obligations) if obligations else PERMIT

    def _in_our_words(self, demand: Demand) -> Obligation:
        texts = {name: _text(value) for name, value in demand.attributes.items()}
        return self.obligations.translate(demand.id, texts)


def _reasons(result: Result) -> Iterable[str]:
    """Give short codes for the record."""
    yield _REASONS[result.verdict]
    if result.verdict is Verdict.INDETERMINATE and result.status:
        yield STATUS.get(result.status[0], "other-status")


def _text(value: Any) -> Any:  # noqa: ANN401
    """Give a value as text, as XACML writes it; not lists and objects."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _once(obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """Leave out what was said before: it is to be done once."""
    kept: list[Obligation] = []
    for each in obligations:
        if each not in kept:
            kept.append(each)
    return tuple(kept)
