"""Answers in XACML's JSON, of both versions, and what is none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.xacml.response import (
    Demand,
    ResponseError,
    Result,
    Returned,
    Verdict,
    check_media_type,
    read_response,
)

XACML = "application/xacml+json; version=3.0"
OK = "urn:oasis:names:tc:xacml:1.0:status:ok"
MISSING = "urn:oasis:names:tc:xacml:1.0:status:missing-attribute"


def read(answer: Any) -> tuple[Result, ...]:  # noqa: ANN401
    """Read an answer."""
    return read_response(XACML, json.dumps(answer).encode())


def one(**members: Any) -> Result:  # noqa: ANN401
    """Read an answer of one result, a Permit unless told otherwise."""
    (result,) = read({"Response": [{"Decision": "Permit", **members}]})
    return result


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize(
    "shape",
    [
        lambda result: {"Response": [result]},
        lambda result: {"Response": result},
        lambda result: {"Response": {"Result": [result]}},
        lambda result: {"Response": {"Result": result}},
        lambda result: {"Response": [result], "Extension": 1},
    ],
)
def test_result_stands_in_a_list_or_by_itself(shape: Any, verdict: Verdict) -> None:  # noqa: ANN401
    """1.1 has a list; 1.0 may have the object."""
    assert read(shape({"Decision": verdict.value})) == (Result(verdict=verdict),)


def test_results_stand_in_the_order_they_came_in() -> None:
    """It means nothing by itself."""
    found = read({"Response": [{"Decision": "Deny"}, {"Decision": "Permit"}]})
    assert [result.verdict for result in found] == [Verdict.DENY, Verdict.PERMIT]


@pytest.mark.parametrize(
    ("status", "codes", "message"),
    [
        (None, (), ""),
        ({}, (), ""),
        ({"StatusCode": None, "StatusMessage": None}, (), ""),
        ({"StatusCode": {"Value": OK}}, (OK,), ""),
        ({"StatusMessage": "no such user"}, (), "no such user"),
        (
            {"StatusCode": {"Value": MISSING, "StatusCode": {"Value": "urn:more"}}},
            (MISSING, "urn:more"),
            "",
        ),
        (
            {"StatusCode": {"Value": MISSING}, "StatusDetail": [{"AttributeId": "a"}]},
            (MISSING,),
            "",
        ),
    ],
)
def test_status_is_read_as_deep_as_it_goes(
    status: object, codes: tuple[str, ...], message: str
) -> None:
    """It may be absent, and codes may be inside codes."""
    found = one(Decision="Indeterminate", Status=status)
    assert (found.status, found.message) == (codes, message)


ASSIGNMENT = {"AttributeId": "urn:a", "Value": "x"}


@pytest.mark.parametrize(
    ("name", "inner", "attribute"),
    [
        ("Obligations", "Obligation", "obligations"),
        ("AssociatedAdvice", "Advice", "advice"),
    ],
)
@pytest.mark.parametrize("assignments", [[ASSIGNMENT], ASSIGNMENT])
@pytest.mark.parametrize("how", ["list", "object", "list inside", "object inside"])
def test_demand_is_read_in_all_spellings(
    name: str, inner: str, attribute: str, assignments: object, how: str
) -> None:
    """A list, an object instead of it, and either in an object of its own."""
    demand = {"Id": "urn:d", "AttributeAssignment": assignments}
    shapes = {
        "list": [demand],
        "object": demand,
        "list inside": {inner: [demand]},
        "object inside": {inner: demand},
    }
    found = getattr(one(**{name: shapes[how]}), attribute)
    assert found == (Demand("urn:d", {"urn:a": "x"}),)


@pytest.mark.parametrize("none", [None, []])
def test_no_demand_is_none(none: object) -> None:
    """Some write null, some an empty list."""
    found = one(Obligations=none, AssociatedAdvice=none, Category=none, Status=None)
    assert found == Result(verdict=Verdict.PERMIT)


def test_values_of_one_name_are_a_list() -> None:
    """What is said twice must not be read once."""
    assignments = [
        {"AttributeId": "a", "Value": "x", "DataType": "string", "Issuer": None},
        {"AttributeId": "b", "Value": ["y"]},
        {"AttributeId": "a", "Value": [1, True], "Category": "urn:c"},
        {"AttributeId": "c", "Value": {"XPath": "//a"}},
    ]
    obligations = [{"Id": "d", "AttributeAssignment": assignments}, {"Id": "e"}]
    found, bare = one(Obligations=obligations).obligations
    assert bare == Demand("e", {})
    assert found.attributes == {"a": ["x", 1, True], "b": "y", "c": {"XPath": "//a"}}


@pytest.mark.parametrize("category", ["list", "object"])
@pytest.mark.parametrize("attribute", ["list", "object"])
def test_attributes_come_back(category: str, attribute: str) -> None:
    """In lists, or in objects where there is one."""
    member: Any = {
        "AttributeId": "urn:a",
        "Value": "x",
        "DataType": "string",
        "Issuer": "https://i",
        "IncludeInResult": True,
    }
    group: Any = {
        "CategoryId": "urn:c",
        "Attribute": member if attribute == "object" else [member],
    }
    found = one(Category=group if category == "object" else [group])
    returned = Returned(
        category="urn:c",
        id="urn:a",
        issuer="https://i",
        values=("x",),
        data_type="string",
    )
    assert found.returned == (returned,)


@pytest.mark.parametrize(
    ("name", "lists"),
    [
        ("PolicyIdentifierList", "object"),
        ("PolicyIdentifierList", "list"),
        ("PolicyIdentifier", "list"),
    ],
)
def test_policies_are_named_with_their_versions(name: str, lists: str) -> None:
    """In whichever way they are listed."""
    found: Any = {
        "PolicyIdReference": [{"Id": "p", "Version": "1.0"}, {"Id": "q"}],
        "PolicySetIdReference": {"Id": "s", "Version": None},
    }
    result = one(**{name: found if lists == "object" else [found]})
    assert result.policies == ("p 1.0", "q", "s")


BAD: dict[str, object] = {
    "no object": ["Permit"],
    "empty": {},
    "no result": {"Response": []},
    "null": {"Response": None},
    "text": {"Response": "Permit"},
    "list of texts": {"Response": ["Permit"]},
    "list of lists": {"Response": [[{"Decision": "Permit"}]]},
    "no decision": {"Response": [{}]},
    "lower case": {"Response": [{"Decision": "permit"}]},
    "blank": {"Response": [{"Decision": "Permit "}]},
    "truth": {"Response": [{"Decision": True}]},
    "list": {"Response": [{"Decision": ["Permit"]}]},
    "object": {"Response": [{"Decision": {"Permit": 1}}]},
    "number": {"Response": [{"Decision": 1}]},
    "null decision": {"Response": [{"Decision": None}]},
    "unknown": {"Response": [{"Decision": "Indeterminate{P}"}]},
    "other case": {"response": [{"Decision": "Permit"}]},
    "both cases": {
        "Response": [{"Decision": "Permit"}],
        "response": [{"Decision": "Deny"}],
    },
    "decision in both cases": {
        "Response": [{"Decision": "Permit", "decision": "Deny"}]
    },
    "second is none": {"Response": [{"Decision": "Permit"}, {"Decision": "yes"}]},
    "result beside": {"Response": {"Result": []}},
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_answer_is_refused(name: str) -> None:
    """It is no Deny either: nobody has decided."""
    with pytest.raises(ResponseError):
        read(BAD[name])


@pytest.mark.parametrize(
    "members",
    [
        {"Status": "ok"},
        {"Status": []},
        {"Status": {"StatusCode": OK}},
        {"Status": {"StatusCode": {}}},
        {"Status": {"StatusCode": {"Value": 1}}},
        {"Status": {"StatusCode": {"Value": OK, "StatusCode": "x"}}},
        {"Status": {"StatusMessage": 1}},
        {"Status": {"StatusCode": {"Value": MISSING}}},
        {"Status": {"StatusCode": {"Value": "urn:unknown"}}},
        {"Obligations": "urn:d"},
        {"Obligations": ["urn:d"]},
        {"Obligations": [{}]},
        {"Obligations": [{"Id": 1}]},
        {"Obligations": {"Obligation": [{"Id": "d"}], "Other": []}},
        {"obligations": [{"Id": "d"}]},
        {"Obligation": [{"Id": "d"}]},
        {"OBLIGATIONS": []},
        {"Obligations": [{"Id": "d", "attributeAssignment": []}]},
        {"Obligations": [{"Id": "d", "AttributeAssignments": []}]},
        {"Obligations": [{"Id": "d", "AttributeAssignment": "x"}]},
        {"Obligations": [{"Id": "d", "AttributeAssignment": [{}]}]},
        {"Obligations": [{"Id": "d", "AttributeAssignment": [{"AttributeId": "a"}]}]},
        {
            "Obligations": [
                {
                    "Id": "d",
                    "AttributeAssignment": [{"AttributeId": "a", "Value": [[1]]}],
                }
            ]
        },
        {"AssociatedAdvice": [{"Id": None}]},
        {"Category": "urn:c"},
        {"Category": [{}]},
        {"Category": [{"CategoryId": "c", "Attribute": "a"}]},
        {"Category": [{"CategoryId": "c", "Attribute": [{"AttributeId": "a"}]}]},
        {"PolicyIdentifierList": "p"},
        {"PolicyIdentifierList": {"PolicyIdReference": ["p"]}},
        {"PolicyIdentifierList": {"PolicyIdReference": [{"Version": "1"}]}},
    ],
)
def test_wrong_types_are_refused(members: dict[str, Any]) -> None:
    """A Permit under a condition that cannot be read is none."""
    with pytest.raises(ResponseError):
        one(**members)


@pytest.mark.parametrize("verdict", ["Permit", "NotApplicable"])
def test_what_may_let_a_request_pass_has_no_error(verdict: str) -> None:
    """A permit-biased proxy lets pass what does not apply."""
    with pytest.raises(ResponseError):
        one(Decision=verdict, Status={"StatusCode": {"Value": MISSING}})


def test_denial_may_have_any_status() -> None:
    """It denies whatever the reason is."""
    found = one(Decision="Deny", Status={"StatusCode": {"Value": MISSING}})
    assert found.verdict is Verdict.DENY


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Permit",
        b"<Response/>",
        b'{"Response":[{"Decision":"Permit"}]',
        b'{"Response":[{"Decision":"Permit"}]}}',
        b'{"Response":[{"Decision":"Deny","Decision":"Permit"}]}',
        b'{"Response":[{"Decision":"Deny"}],"Response":[{"Decision":"Permit"}]}',
        b'{"Response":[{"Decision":"Permit","X":NaN}]}',
        b'{"Response":[{"Decision":"Permit","X":1e999}]}',
        b'{"Response":[{"Decision":"Permit","X":' + b"9" * 5000 + b"}]}",
        b'{"Response":[{"Decision":"Permit","X":"\xff"}]}',
        b'{"Response":[{"Decision":"Permit","X":"\\ud800"}]}',
        b'\xef\xbb\xbf{"Response":[{"Decision":"Permit"}]}',
        b'{"Response":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_what_is_no_strict_json_is_refused(body: bytes) -> None:
    """Two members of one name are read differently by different readers."""
    with pytest.raises(ResponseError):
        read_response(XACML, body)


@pytest.mark.parametrize(
    "kind",
    [
        "application/xacml+json",
        "application/xacml+json; version=3.0",
        'Application/XACML+JSON;version="3.0"; charset=UTF-8',
        "application/json",
        "application/json;charset=utf-8",
    ],
)
def test_media_type_is_that_of_the_profile_or_json(kind: str) -> None:
    """Case and quotes mean nothing."""
    check_media_type(kind)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/html",
        "text/json",
        "application/xacml+xml; version=3.0",
        "application/xacml+json; version=4.0",
        "application/xacml+json; charset=utf-16",
        "application/problem+json",
        "application/jsonp",
    ],
)
def test_other_media_types_are_refused(kind: str | None) -> None:
    """A page that happens to be JSON has decided nothing."""
    with pytest.raises(ResponseError):
        check_media_type(kind)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["Permit", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("Response", "Decision", "Status", "StatusCode", "Value", "Id"),
                    *("Obligations", "AttributeAssignment", "AttributeId", "Category"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_an_answer_or_an_error(answer: object) -> None:
    """Nothing else is ever raised."""
    try:
        results = read({"Response": answer})
    except ResponseError:
        return
    assert results
