"""Questions in XACML's JSON."""

import json
from typing import Any

import attrs
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sso_proxy.specs.xacml.names import ACTION, DOUBLE, RESOURCE, SUBJECT
from sso_proxy.specs.xacml.request import Attribute, build_request, part_of
from sso_proxy.specs.xacml.values import Bag


def attribute(
    category: str,
    id_: str,
    *values: str | float | bool,
    kind: str = "",
    **more: Any,  # noqa: ANN401
) -> Attribute:
    """Make an attribute."""
    return Attribute(category=category, id=id_, bag=Bag(values, kind), **more)


def told(*attributes: Attribute, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    """Give what is in the request."""
    members: dict[str, Any] = json.loads(build_request(attributes, **options))
    (request,) = members.values()
    assert list(members) == ["Request"]
    return dict(request)


def test_attributes_stand_in_their_categories() -> None:
    """There is each category once, and nothing but categories."""
    found = told(
        attribute(SUBJECT, "who", "alice"),
        attribute(ACTION, "what", "GET"),
        attribute(SUBJECT, "role", "a", "b"),
    )
    assert found == {
        "Category": [
            {
                "CategoryId": SUBJECT,
                "Attribute": [
                    {"AttributeId": "who", "Value": "alice"},
                    {"AttributeId": "role", "Value": ["a", "b"]},
                ],
            },
            {
                "CategoryId": ACTION,
                "Attribute": [{"AttributeId": "what", "Value": "GET"}],
            },
        ]
    }


def test_type_issuer_and_wish_are_written_where_there_are_any() -> None:
    """What is usual is left out."""
    found = told(
        attribute(SUBJECT, "n", 1.5, kind=DOUBLE, issuer="https://i", included=True),
        policy_ids=True,
    )
    assert found["ReturnPolicyIdList"] is True
    assert found["Category"][0]["Attribute"] == [
        {
            "AttributeId": "n",
            "Value": 1.5,
            "DataType": DOUBLE,
            "Issuer": "https://i",
            "IncludeInResult": True,
        }
    ]


def test_each_value_has_a_request_of_its_own() -> None:
    """All share what is known besides."""
    found = told(
        attribute(SUBJECT, "who", "alice"),
        attribute(RESOURCE, "kind", "order"),
        each=attribute(RESOURCE, "id", "1", "2", included=True),
    )
    assert found["MultiRequests"] == {
        "RequestReference": [
            {"ReferenceId": ["s0", "r0"]},
            {"ReferenceId": ["s0", "r1"]},
        ]
    }
    assert [(one["Id"], one["CategoryId"]) for one in found["Category"]] == [
        ("s0", SUBJECT),
        ("r0", RESOURCE),
        ("r1", RESOURCE),
    ]
    assert found["Category"][2]["Attribute"] == [
        {"AttributeId": "kind", "Value": "order"},
        {"AttributeId": "id", "Value": "2", "IncludeInResult": True},
    ]


def test_each_value_has_a_category_of_its_own_without_references() -> None:
    """As decision points take it that know no ``MultiRequests``."""
    found = told(
        attribute(SUBJECT, "who", "alice"),
        attribute(RESOURCE, "kind", "order"),
        each=attribute(RESOURCE, "id", "1", "2"),
        references=False,
    )
    assert list(found) == ["Category"]
    ids = [
        (one["CategoryId"], one["Attribute"][-1]["Value"]) for one in found["Category"]
    ]
    assert ids == [(SUBJECT, "alice"), (RESOURCE, "1"), (RESOURCE, "2")]
    assert not any("Id" in one for one in found["Category"])


def test_part_has_one_value() -> None:
    """The rest stays what it is."""
    each = attribute(RESOURCE, "id", 1, 2, kind="urn:k", included=True)
    assert part_of(each, 2) == attribute(RESOURCE, "id", 2, kind="urn:k", included=True)


TEXTS = st.text(st.sampled_from('ab,:"[]{}\\é'), max_size=4)
ATTRIBUTES = st.builds(
    Attribute,
    category=TEXTS,
    id=TEXTS,
    bag=st.one_of(
        st.builds(Bag, st.lists(TEXTS, min_size=1, max_size=3).map(tuple), TEXTS),
        st.builds(Bag, st.tuples(st.integers(-2, 2) | st.booleans()), TEXTS),
    ),
    issuer=TEXTS,
    included=st.booleans(),
)
QUESTIONS = st.tuples(
    st.lists(ATTRIBUTES, max_size=3).map(
        lambda found: tuple(sorted(found, key=lambda one: one.category))
    ),
    st.none() | ATTRIBUTES,
)


def exact(question: tuple[tuple[Attribute, ...], Attribute | None]) -> str:
    """Tell apart what Python takes for the same, such as 1 and true."""
    attributes, each = question
    told = [attrs.astuple(one) for one in attributes]
    return repr((told, each and attrs.astuple(each)))


@settings(max_examples=300)
@given(QUESTIONS, QUESTIONS, st.booleans())
def test_different_questions_have_different_octets(
    one: tuple[tuple[Attribute, ...], Attribute | None],
    other: tuple[tuple[Attribute, ...], Attribute | None],
    references: bool,  # noqa: FBT001
) -> None:
    """So octets are what an answer may be kept by, those of one policy."""
    assume((one[1] is None) == (other[1] is None))
    asked, also = (
        build_request(*question, references=references) for question in (one, other)
    )
    assert (asked == also) == (exact(one) == exact(other))


def test_subject_and_action_do_not_run_into_each_other() -> None:
    """
    ``("ab", "c")`` and ``("a", "bc")`` are two questions.

    The policy enforcement point of lua-resty-xacml-pep 0.1.1 keeps decisions by a
    digest of subject, action and resource one behind the other, and so gives one
    caller what was decided about another.
    """
    first = [attribute(SUBJECT, "id", "ab"), attribute(ACTION, "id", "c")]
    second = [attribute(SUBJECT, "id", "a"), attribute(ACTION, "id", "bc")]
    assert build_request(first) != build_request(second)
