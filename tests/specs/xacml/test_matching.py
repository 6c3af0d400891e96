"""Which answer is about which question."""

from collections.abc import Sequence

import pytest

from sso_proxy.specs.xacml.matching import match_results
from sso_proxy.specs.xacml.names import DOUBLE, INTEGER, STRING
from sso_proxy.specs.xacml.request import Attribute
from sso_proxy.specs.xacml.response import ResponseError, Result, Returned, Verdict
from sso_proxy.specs.xacml.values import Bag, Scalar

PERMIT, DENY = Verdict.PERMIT, Verdict.DENY


def attribute(id_: str, *values: Scalar, kind: str = "") -> Attribute:
    """Make an attribute that is to come back."""
    return Attribute(category="urn:c", id=id_, bag=Bag(values, kind), included=True)


def result(verdict: Verdict, *returned: Returned) -> Result:
    """Make a result."""
    return Result(verdict=verdict, returned=returned)


def back(
    id_: str,
    *values: object,
    category: str = "urn:c",
    issuer: str = "",
    kind: str = "",
) -> Returned:
    """Make an attribute that comes back."""
    return Returned(
        category=category, id=id_, issuer=issuer, values=values, data_type=kind
    )


EACH = attribute("id", "1", "2")


def matched(
    *results: Result,
    attributes: Sequence[Attribute] = (),
    each: Attribute | None = EACH,
) -> list[Verdict]:
    """Give what was decided about each question."""
    return [one.verdict for one in match_results(results, attributes, each)]


def test_order_of_results_means_nothing() -> None:
    """What comes back says what each is about."""
    first, second = result(PERMIT, back("id", "1")), result(DENY, back("id", "2"))
    assert matched(first, second) == [PERMIT, DENY]
    assert matched(second, first) == [PERMIT, DENY]


@pytest.mark.parametrize(
    "results",
    [
        [],
        [result(PERMIT, back("id", "1"))],
        [result(PERMIT, back("id", "1"))] * 2,
        [result(PERMIT, back("id", "1"))] * 3,
        [result(PERMIT, back("id", "1")), result(PERMIT)],
        [result(PERMIT, back("id", "1")), result(PERMIT, back("id", "3"))],
        [result(PERMIT, back("id", "1")), result(PERMIT, back("id", "1", "2"))],
        [result(PERMIT, back("id", "1")), result(PERMIT, back("id", "2", "1"))],
        [result(PERMIT, back("id", "1")), result(PERMIT, back("other", "2"))],
        [result(PERMIT, back("id", "1")), result(PERMIT, back("id", 2))],
        [result(PERMIT, back("id", "1")), result(PERMIT, back("id", {"2": "2"}))],
        [
            result(PERMIT, back("id", "1")),
            result(PERMIT, back("id", "2", category="urn:d")),
        ],
        [
            result(PERMIT, back("id", "1")),
            result(PERMIT, back("id", "2", issuer="https://i")),
        ],
        [
            result(PERMIT, back("id", "1")),
            result(PERMIT, back("id", "2", kind=INTEGER)),
        ],
    ],
)
def test_there_is_one_result_for_each_question(results: list[Result]) -> None:
    """A Permit must not be taken for another's."""
    with pytest.raises(ResponseError):
        matched(*results)


def test_one_question_has_one_result() -> None:
    """It need not say what it is about."""
    assert matched(result(PERMIT), each=None) == [PERMIT]
    with pytest.raises(ResponseError):
        matched(result(PERMIT), result(PERMIT), each=None)


@pytest.mark.parametrize(
    "returned",
    [
        [],
        [back("other", "x")],
        [back("role", "b", "a")],
        [back("role", "a"), back("role", "b", kind=STRING)],
        [back("role", "a", "b", kind="string")],
    ],
)
def test_result_about_what_was_asked_counts(returned: list[Returned]) -> None:
    """Types are given in full, by their words or not at all."""
    role = attribute("role", "a", "b")
    found = matched(result(PERMIT, *returned), attributes=[role], each=None)
    assert found == [PERMIT]


@pytest.mark.parametrize(
    "returned",
    [
        [back("role", "a")],
        [back("role", "a", "c")],
        [back("role", "a", "a")],
        [back("role", "a", "b", "b")],
        [back("role", "a", "b", kind=INTEGER)],
    ],
)
def test_result_about_something_else_is_none(returned: list[Returned]) -> None:
    """An answer mixed up on the way says nothing about this request."""
    role = attribute("role", "a", "b")
    with pytest.raises(ResponseError):
        matched(result(PERMIT, *returned), attributes=[role], each=None)


def test_attributes_of_one_name_come_back_together() -> None:
    """They are one bag to a decision point."""
    both = [attribute("role", "a"), attribute("role", "b")]
    answer = result(PERMIT, back("role", "b", "a"))
    assert matched(answer, attributes=both, each=None) == [PERMIT]


def test_numbers_and_truths_are_told_apart() -> None:
    """1 is not true; 1 and 1.0 are one number to JSON."""
    truth = attribute("t", True)
    with pytest.raises(ResponseError):
        matched(result(PERMIT, back("t", 1)), attributes=[truth], each=None)
    with pytest.raises(ResponseError):
        matched(
            result(PERMIT, back("id", True)),
            result(DENY, back("id", 2)),
            each=attribute("id", 1, 2),
        )
    number = attribute("n", 1.0, kind=DOUBLE)
    answer = result(PERMIT, back("n", 1, kind="double"))
    assert matched(answer, attributes=[number], each=None) == [PERMIT]
    results = result(DENY, back("id", 2)), result(PERMIT, back("id", 1))
    numbers = attribute("id", 1.0, 2.0, kind=DOUBLE)
    assert matched(*results, each=numbers) == [PERMIT, DENY]
