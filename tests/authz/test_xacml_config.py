"""Options of decision points that speak XACML."""

from typing import Any

import pytest

from sso_proxy.authz.xacml_config import AttributeConfig, XacmlConfig
from sso_proxy.specs.xacml.names import (
    ACTION_ID,
    RESOURCE,
    RESOURCE_ID,
    SUBJECT,
    SUBJECT_ID,
)

URL = "https://pdp.example.com/pdp"
ROLE = AttributeConfig(id="urn:role", value="claims.role")
RECORD = AttributeConfig(
    category="resource", id="urn:record", value="claims.records", each=True
)


def test_usual_attributes_are_told_unless_others_stand_for_them() -> None:
    """A minimal configuration says who, what and where."""
    told = XacmlConfig(url=URL, attribute=(ROLE,)).told
    assert [one.id for one in told] == [SUBJECT_ID, RESOURCE_ID, ACTION_ID, "urn:role"]
    own = AttributeConfig(category=SUBJECT, id=SUBJECT_ID, value="claims.email")
    told = XacmlConfig(url=URL, attribute=(own,)).told
    assert [one.id for one in told] == [RESOURCE_ID, ACTION_ID, SUBJECT_ID]
    assert XacmlConfig(url=URL, attribute=(ROLE,), defaults=False).told == (ROLE,)


def test_attribute_is_known_by_its_category_in_full() -> None:
    """A word and its URI are one category."""
    assert RECORD.key == (RESOURCE, "urn:record")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": "http://pdp.example.com/"}, "must be https"),
        ({"url": "ftp://pdp.example.com/"}, "http"),
        ({"defaults": False}, "nothing would be told"),
        ({"attribute": (RECORD, RECORD)}, "one attribute only"),
        (
            {
                "attribute": (
                    RECORD,
                    AttributeConfig(category=RESOURCE, id="urn:record", value="path"),
                )
            },
            "cannot be there twice",
        ),
        ({"combine": "any"}, "combine has no effect"),
        ({"multiple": "categories"}, "multiple has no effect"),
        ({"path": "orders"}, "/"),
        ({"most": 0}, "from 1 to 1000"),
        ({"url": "http://127.0.0.1:1/pdp", "ca": "ca.pem"}, "no effect"),
        ({"auth": "basic"}, "needs username"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: dict[str, Any], problem: str
) -> None:
    """When the configuration is read."""
    with pytest.raises(ValueError, match=problem):
        XacmlConfig(**{"url": URL, **options})


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"value": "nonsense"}, "expected a value"),
        ({"value": "method == GET"}, "expected a value"),
        ({"category": "subjects"}, "none of subject, resource"),
        ({"id": ""}, "no URI"),
        ({"id": "urn:a b"}, "no URI"),
        ({"data_type": "text"}, "none of string, boolean"),
        ({"issuer": "https://i", "by_issuer": True}, "cannot both"),
    ],
)
def test_attribute_that_says_nothing_is_refused(
    options: dict[str, Any], problem: str
) -> None:
    """Each where it stands."""
    with pytest.raises(ValueError, match=problem):
        AttributeConfig(**{"id": "urn:a", "value": "subject", **options})


def test_own_categories_and_types_are_uris() -> None:
    """Decision points have some of their own."""
    AttributeConfig(
        category="urn:example:device",
        id="user.role",
        value="subject",
        data_type="urn:example:type",
    )
