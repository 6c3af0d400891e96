"""Find out which answer is about which question."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sso_proxy.specs.xacml.names import (
    BOOLEAN,
    DATA_TYPES,
    DOUBLE,
    INTEGER,
    STRING,
)
from sso_proxy.specs.xacml.request import Attribute
from sso_proxy.specs.xacml.response import ResponseError, Result, Returned
from sso_proxy.specs.xacml.values import Scalar

_INFERRED: Final = {str: STRING, bool: BOOLEAN, int: INTEGER, float: DOUBLE}


def match_results(
    results: Sequence[Result],
    attributes: Sequence[Attribute],
    each: Attribute | None = None,
) -> tuple[Result, ...]:
    """
    Give the results in the order of the questions, whatever order they came in.

    Args:
        results: What came.
        attributes: What all questions had.
        each: The attribute with one value in each question; None if there was one
            question.

    Raises:
        ResponseError: There is not one result for each question, or one is about
            something else.
    """
    asked: dict[tuple[str, str, str], list[Attribute]] = {}
    for one in attributes:
        if one.included:
            asked.setdefault((one.category, one.id, one.issuer), []).append(one)
    for result in results:
        for same in asked.values():
            _check_same(same, result.returned)
    if each is None:
        if len(results) != 1:
            raise ResponseError("there are several results for one question")
        return tuple(results)
    values = each.bag.values
    if len(results) != len(values):
        raise ResponseError("there are not as many results as questions")
    numbers = {value: number for number, value in enumerate(values)}
    found: dict[int, Result] = {}
    for result in results:
        number = _number_of(each, numbers, result.returned)
        if number in found:
            raise ResponseError("there are two results for one question")
        found[number] = result
    return tuple(found[number] for number in range(len(values)))


def _number_of(
    each: Attribute, numbers: Mapping[Scalar, int], returned: Sequence[Returned]
) -> int:
    """Say which question a result is about."""
    shown = [value for one in _those([each], returned) for value in one.values]
    if len(shown) == 1 and isinstance(shown[0], str | int | float):
        number = numbers.get(shown[0])
        if number is not None and _is_same(each.bag.values[number], shown[0]):
            return number
    raise ResponseError("a result does not say which question it is about")


def _check_same(same: Sequence[Attribute], returned: Sequence[Returned]) -> None:
    """
    Refuse a result that is about other values than were asked about.

    Args:
        same: All that was sent under one name.
        returned: What came back.
    """
    shown = [value for one in _those(same, returned) for value in one.values]
    if not shown:  # it does not say, as minimal answers do
        return
    for value in (value for one in same for value in one.bag.values):
        match = [n for n, one in enumerate(shown) if _is_same(value, one)]
        if not match:
            raise ResponseError("a result is about something else")
        del shown[match[0]]
    if shown:
        raise ResponseError("a result is about something else")


def _those(
    same: Sequence[Attribute], returned: Sequence[Returned]
) -> Sequence[Returned]:
    """Give what came back under the name that all of *same* have."""
    sent = same[0]
    found = [
        one
        for one in returned
        if (one.category, one.id, one.issuer) == (sent.category, sent.id, sent.issuer)
    ]
    for one in found:
        if not any(_has_type(attribute, one.data_type) for attribute in same):
            raise ResponseError("an attribute came back with another type")
    return found


def _has_type(attribute: Attribute, data_type: str) -> bool:
    """Say whether *data_type* is what was sent, in full or as a word, or nothing."""
    sent = attribute.bag.data_type
    if not sent and attribute.bag.values:
        sent = _INFERRED[type(attribute.bag.values[0])]
    return not data_type or DATA_TYPES.get(data_type, data_type) == sent


def _is_same(sent: Scalar, shown: Any) -> bool:  # noqa: ANN401
    """Say whether a value is the one that was sent; JSON has one kind of number."""
    if isinstance(sent, float) and type(shown) is int:
        return sent == shown
    return type(shown) is type(sent) and bool(shown == sent)
