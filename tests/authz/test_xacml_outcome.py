"""What the answers of a decision point come to."""

from typing import Literal

import pytest

from sso_proxy.authz.foreign_obligations import (
    ForeignObligationConfig,
    ForeignObligations,
)
from sso_proxy.authz.xacml_outcome import Obligation, Weighing
from sso_proxy.model import PERMIT, Decision, Effect
from sso_proxy.specs.xacml.response import Demand, Result, Verdict

MISSING = "urn:oasis:names:tc:xacml:1.0:status:missing-attribute"
KNOWN = ForeignObligations(
    {"urn:log": ForeignObligationConfig(do="log", message="text")}, ()
)
LOG = Demand("urn:log", {"text": "seen"})
STRANGE = Demand("urn:strange", {})
OURS = ("log", {"message": "seen"})


def weighed(
    *results: Result | Verdict,
    bias: Literal["deny", "permit"] = "deny",
    combine: Literal["all", "any"] = "all",
) -> Decision:
    """Weigh results."""
    weighing = Weighing(bias=bias, combine=combine, obligations=KNOWN)
    return weighing.weigh(
        [one if isinstance(one, Result) else Result(verdict=one) for one in results]
    )


def denied(*reasons: str, obligations: tuple[Obligation, ...] = ()) -> Decision:
    """Give a denial."""
    return Decision(effect=Effect.DENY, reasons=reasons, obligations=obligations)


@pytest.mark.parametrize(
    ("verdict", "by_deny", "by_permit"),
    [
        (Verdict.PERMIT, PERMIT, PERMIT),
        (Verdict.DENY, denied("deny"), denied("deny")),
        (Verdict.NOT_APPLICABLE, denied("not-applicable"), PERMIT),
        (Verdict.INDETERMINATE, denied("indeterminate"), PERMIT),
    ],
)
def test_bias_says_what_happens_without_a_clear_answer(
    verdict: Verdict, by_deny: Decision, by_permit: Decision
) -> None:
    """
    XACML 3.0 section 7.2.

    "All other decisions SHALL result in the denial of access"; for the permit-biased,
    "in the permission".
    """
    assert weighed(verdict) == by_deny
    assert weighed(verdict, bias="permit") == by_permit


@pytest.mark.parametrize(
    ("status", "reasons"),
    [
        ((MISSING,), ("indeterminate", "missing-attribute")),
        ((MISSING, "urn:more"), ("indeterminate", "missing-attribute")),
        (("urn:Own Code",), ("indeterminate", "other-status")),
    ],
)
def test_record_says_why_nothing_was_decided(
    status: tuple[str, ...], reasons: tuple[str, ...]
) -> None:
    """By short codes of ours, never by words of theirs."""
    result = Result(verdict=Verdict.INDETERMINATE, status=status)
    assert weighed(result) == denied(*reasons)


def test_obligations_are_said_in_our_words() -> None:
    """Of a Permit and of a Deny."""
    permit = Result(verdict=Verdict.PERMIT, obligations=(LOG,))
    deny = Result(verdict=Verdict.DENY, obligations=(LOG,))
    assert weighed(permit) == Decision(effect=Effect.PERMIT, obligations=(OURS,))
    assert weighed(deny) == denied("deny", obligations=(OURS,))


def test_values_are_said_as_text() -> None:
    """Fields and lines are text; lists and objects are left to who knows them."""
    attributes = {"text": 3, "more": True, "less": 1.5, "list": ["a"]}
    known = ForeignObligationConfig(
        do="own",
        parameters={"text": "text", "more": "more", "less": "less", "list": "list"},
    )
    weighing = Weighing(
        bias="deny", combine="all", obligations=ForeignObligations({"urn:o": known}, ())
    )
    result = Result(verdict=Verdict.PERMIT, obligations=(Demand("urn:o", attributes),))
    (obligation,) = weighing.weigh([result]).obligations
    told = {"text": "3", "more": "true", "less": "1.5", "list": ["a"]}
    assert obligation == ("own", told)


def test_unknown_obligation_of_a_permit_cannot_be_carried_out() -> None:
    """Which denies, for the deny-biased; the permit-biased passes all but a Deny."""
    result = Result(verdict=Verdict.PERMIT, obligations=(LOG, STRANGE))
    names = [name for name, _ in weighed(result).obligations]
    assert names == ["log", "unknown:urn:strange"]
    decision = weighed(result, bias="permit")
    assert decision == Decision(effect=Effect.PERMIT, obligations=(OURS,))


def test_permit_biased_denies_only_if_all_obligations_are_known() -> None:
    """
    XACML 3.0 section 7.2.3.

    "the PEP shall deny access only if it understands, and it can and will discharge
    those obligations".
    """
    known = Result(verdict=Verdict.DENY, obligations=(LOG,))
    strange = Result(verdict=Verdict.DENY, obligations=(STRANGE,))
    assert weighed(known, bias="permit").effect is Effect.DENY
    assert weighed(strange, bias="permit").effect is Effect.PERMIT
    assert weighed(strange).effect is Effect.DENY


P, D = Verdict.PERMIT, Verdict.DENY
NA, I = Verdict.NOT_APPLICABLE, Verdict.INDETERMINATE  # noqa: E741


@pytest.mark.parametrize(
    ("results", "all_", "any_"),
    [
        ([P, P], PERMIT, PERMIT),
        ([P, D], denied("deny"), PERMIT),
        ([NA, P, D], denied("not-applicable"), PERMIT),
        ([D, I], denied("deny"), denied("deny")),
    ],
)
def test_several_results_are_combined(
    results: list[Verdict], all_: Decision, any_: Decision
) -> None:
    """All have to permit, or one."""
    assert weighed(*results) == all_
    assert weighed(*results, combine="any") == any_


def test_obligations_of_what_decides_are_done_once() -> None:
    """Twice the same field would be two fields."""
    permit = Result(verdict=P, obligations=(LOG,))
    other = Result(verdict=P, obligations=(Demand("urn:log", {"text": "other"}),))
    deny = Result(verdict=D, obligations=(LOG,))
    both = (OURS, ("log", {"message": "other"}))
    assert weighed(permit, permit, other).obligations == both
    assert weighed(permit, other, combine="any").obligations == (OURS,)
    assert weighed(deny, permit, other, combine="any").obligations == (OURS,)
    assert weighed(permit, deny, deny) == denied("deny", obligations=(OURS,))
