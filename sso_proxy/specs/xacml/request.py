"""
Ask a decision point (XACML 3.0 JSON Profile 1.1 section 4).

Only the verbose form is written, with ``Category`` alone: decision points of either
version read it, and strict ones read nothing else.  Whatever differs in meaning
differs in octets, so that an answer may be kept by them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from sso_proxy.specs.xacml.values import Bag, Scalar

_MULTIPLE: Final = "MultiRequests"

_write = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode


@attrs.frozen(kw_only=True)
class Attribute:
    """
    Something that is known.

    Attributes:
        category: URI of what it is known of.
        id: Its URI.
        bag: Its values.
        issuer: Who says so; empty: nobody in particular.
        included: Whether the answer is to have it, too.
    """

    category: str
    id: str
    bag: Bag = attrs.field(repr=False)
    issuer: str = ""
    included: bool = False

    def members(self) -> dict[str, Any]:
        """Give it as JSON has it (section 4.2.4)."""
        values = self.bag.values
        found: dict[str, Any] = {
            "AttributeId": self.id,
            "Value": values[0] if len(values) == 1 else list(values),
        }
        if self.bag.data_type:
            found["DataType"] = self.bag.data_type
        if self.issuer:
            found["Issuer"] = self.issuer
        if self.included:
            found["IncludeInResult"] = True
        return found


def build_request(
    attributes: Sequence[Attribute],
    each: Attribute | None = None,
    *,
    references: bool = True,
    policy_ids: bool = False,
) -> bytes:
    """
    Write a request, in UTF-8.

    Args:
        attributes: All attributes that have values.
        each: One more; with it, there is one request for each of its values, in one
            message (XACML 3.0 Multiple Decision Profile).
        references: Whether each of these names its categories (``MultiRequests``);
            otherwise the category of *each* is there once for each value, which is
            enough to tell them apart.
        policy_ids: Whether the answer is to name the policies that apply.
    """
    if each is None:
        request: dict[str, Any] = {"Category": _categories(attributes)}
    else:
        request = _several(attributes, each, references=references)
    if policy_ids:
        request["ReturnPolicyIdList"] = True
    return _write({"Request": request}).encode()


def part_of(each: Attribute, value: Scalar) -> Attribute:
    """Give the attribute that one of several requests has."""
    return attrs.evolve(each, bag=attrs.evolve(each.bag, values=(value,)))


def _categories(attributes: Sequence[Attribute]) -> list[dict[str, Any]]:
    """Give attributes by their categories, in the order that these come up in."""
    found: dict[str, list[dict[str, Any]]] = {}
    for attribute in attributes:
        found.setdefault(attribute.category, []).append(attribute.members())
    return [
        {"CategoryId": category, "Attribute": members}
        for category, members in found.items()
    ]


def _several(
    attributes: Sequence[Attribute], each: Attribute, *, references: bool
) -> dict[str, Any]:
    """Give what makes several requests of one (section 4.2.5)."""
    shared = [one for one in attributes if one.category != each.category]
    beside = [one for one in attributes if one.category == each.category]
    common = _categories(shared)
    parts = [
        _categories([*beside, part_of(each, value)])[0] for value in each.bag.values
    ]
    if not references:
        return {"Category": [*common, *parts]}
    common = [_named(f"s{n}", one) for n, one in enumerate(common)]
    parts = [_named(f"r{n}", one) for n, one in enumerate(parts)]
    ids = [one["Id"] for one in common]
    found = [{"ReferenceId": [*ids, one["Id"]]} for one in parts]
    return {"Category": [*common, *parts], _MULTIPLE: {"RequestReference": found}}


def _named(name: str, category: Mapping[str, Any]) -> dict[str, Any]:
    return {"Id": name, **category}
