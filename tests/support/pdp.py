"""
A decision point that speaks XACML 3.0 in JSON, strict in what it takes.

Give `DecisionPoint.answer` to `tests.support.sts.TokenServer.said`: then it can be
asked without a network, or be served over https by `tests.support.sts_serving`.
"""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from tests.conformance.parts import Asked
from tests.support.sts_faults import Said, say

XACML: Final = "application/xacml+json; version=3.0"
SUBJECT: Final = "urn:oasis:names:tc:xacml:1.0:subject-category:access-subject"
RESOURCE: Final = "urn:oasis:names:tc:xacml:3.0:attribute-category:resource"
ACTION: Final = "urn:oasis:names:tc:xacml:3.0:attribute-category:action"
ENVIRONMENT: Final = "urn:oasis:names:tc:xacml:3.0:attribute-category:environment"
SUBJECT_ID: Final = "urn:oasis:names:tc:xacml:1.0:subject:subject-id"
RESOURCE_ID: Final = "urn:oasis:names:tc:xacml:1.0:resource:resource-id"
ACTION_ID: Final = "urn:oasis:names:tc:xacml:1.0:action:action-id"
OK: Final = "urn:oasis:names:tc:xacml:1.0:status:ok"

_REQUEST: Final = {"Category", "ReturnPolicyIdList", "CombinedDecision"}
_MULTI: Final = "MultiRequests"
_CATEGORY: Final = {"CategoryId", "Id", "Attribute"}
_ATTRIBUTE: Final = {"AttributeId", "Value", "DataType", "Issuer", "IncludeInResult"}

Known = Mapping[tuple[str, str], list[Any]]
"""Values by category and attribute."""

Members = dict[str, Any]


def permit(_known: Known) -> Members:
    """Permit everything."""
    return {"Decision": "Permit"}


@attrs.define
class DecisionPoint:
    """
    A decision point.

    Attributes:
        rule: Gives a result for what is known.
        shape: Changes the answer before it is sent.
        kind: What answers are said to be.
        known: What it was told, request by request, those of one message apart.
        complaints: What was wrong with messages that it refused.
    """

    rule: Callable[[Known], Members] = permit
    shape: Callable[[Members], Any] = attrs.field(default=lambda answer: answer)
    kind: str = XACML
    known: list[Known] = attrs.field(factory=list)
    complaints: list[str] = attrs.field(factory=list)

    def answer(self, asked: Asked) -> Said:
        """Answer a message."""
        try:
            results = self._results(asked)
        except (ValueError, KeyError, TypeError) as e:
            self.complaints.append(repr(e))
            return Said(status=400)
        said = say(self.shape({"Response": results}))
        return attrs.evolve(said, headers=(("Content-Type", self.kind),))

    def _results(self, asked: Asked) -> list[Members]:
        kind = asked.headers.get("content-type", "")
        _require(kind in {XACML, "application/json"}, kind)
        _require(asked.method == "POST", asked.method)
        message = json.loads(asked.body)
        _require(set(message) == {"Request"}, "members of the message")
        request = message["Request"]
        _require(set(request) <= {*_REQUEST, _MULTI}, "members of Request")
        categories = request["Category"]
        for category in categories:
            _check_category(category)
        if _MULTI not in request:
            return [self._result(list(one)) for one in _individual(categories)]
        by_id = {category["Id"]: category for category in categories}
        _require(len(by_id) == len(categories), "an Id twice")
        return [
            self._result([by_id[name] for name in reference["ReferenceId"]])
            for reference in request[_MULTI]["RequestReference"]
        ]

    def _result(self, categories: list[Members]) -> Members:
        ids = [category["CategoryId"] for category in categories]
        _require(len({*ids}) == len(ids), "a category twice in one request")
        known: dict[tuple[str, str], list[Any]] = {}
        shown = []
        for category in categories:
            for one in category["Attribute"]:
                value = one["Value"]
                key = (category["CategoryId"], one["AttributeId"])
                known.setdefault(key, []).extend(
                    value if isinstance(value, list) else [value]
                )
            again = [one for one in category["Attribute"] if "IncludeInResult" in one]
            if again:
                shown.append({"CategoryId": category["CategoryId"], "Attribute": again})
        self.known.append(known)
        result = dict(self.rule(known))
        if shown:
            result["Category"] = shown
        return result


def _individual(categories: list[Members]) -> Iterator[tuple[Members, ...]]:
    """Give each combination of categories that are there several times."""
    grouped: dict[str, list[Members]] = {}
    for category in categories:
        _require("Id" not in category, "an Id that nobody uses")
        grouped.setdefault(category["CategoryId"], []).append(category)
    return itertools.product(*grouped.values())


def _check_category(category: Members) -> None:
    """Check a category as the schema of JSON Profile 1.1 does."""
    _require(set(category) <= _CATEGORY, "members of Category")
    for attribute in category["Attribute"]:
        _require(set(attribute) <= _ATTRIBUTE, "members of Attribute")
        value = attribute["Value"]
        values = value if isinstance(value, list) else [value]
        kinds = {type(one) for one in values}
        _require(len(kinds) == 1 and kinds <= {str, int, float, bool}, "Value")


def _require(true: bool, what: str) -> None:  # noqa: FBT001
    if not true:
        raise ValueError(what)
