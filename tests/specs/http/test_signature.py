"""What of a request is signed."""

from typing import Any

import pytest

from sso_proxy.specs.http.signature import (
    DERIVED,
    SignatureParameters,
    SignedRequest,
    component_value,
    cover,
    read_field_lines,
    sign_request,
    signature_base,
)
from sso_proxy.specs.http.signature_keys import read_request_key, read_request_secret
from sso_proxy.specs.http.structured import InnerList, Item, read_dictionary
from tests.support.signatures import (
    OF_REQUESTS,
    example_covered,
    example_named,
    example_private,
    example_request,
)

REQUEST = SignedRequest(
    method="GET",
    target="/a%20b?q=1&q=2&x=a+b~*%7E&%C3%A9=%26",
    scheme="https",
    fields={
        "host": ("App.Example.COM:443",),
        "accept": ("a/b", "c/d"),
        "x-name": ("Zo\xc3\xab", "x"),
        "empty": ("",),
    },
)
PARAMETERS = SignatureParameters(created=1, alg="ed25519", keyid="k", tag="t")


def _value(component: str, **parameters: Any) -> str:  # noqa: ANN401
    return component_value(Item(component, tuple(parameters.items())), REQUEST)


@pytest.mark.parametrize("example", OF_REQUESTS, ids=lambda e: e["section"])
def test_the_base_is_that_of_the_standard(example: dict[str, Any]) -> None:
    """Each example's octets come out."""
    base = signature_base(example_covered(example), example_request(example))
    assert base.decode() == example["base"].strip()


def test_signatures_without_chance_are_those_of_the_standard() -> None:
    """Ed25519 and HMAC give the same signature each time."""
    for section in ("B.2.5", "B.2.6"):
        example = example_named(section)
        private, keyid = example_private(example["key"]), example["key"]
        key = (
            read_request_secret(private, keyid=keyid)
            if section == "B.2.5"
            else read_request_key(private, keyid=keyid)
        )
        label = example["label"]
        covered, request = example_covered(example), example_request(example)
        written = sign_request(covered, request, label=label, sign=key.sign)
        assert written == (
            f"{label}={example['input']}",
            f"{label}=:{example['value']}:",
        )


def test_components_are_what_the_recipient_sees() -> None:
    """Host in small letters, without the port of the scheme; the target as it is."""
    assert {name: _value(name) for name in sorted(DERIVED)} == {
        "@authority": "app.example.com",
        "@method": "GET",
        "@path": "/a%20b",
        "@query": "?q=1&q=2&x=a+b~*%7E&%C3%A9=%26",
        "@request-target": "/a%20b?q=1&q=2&x=a+b~*%7E&%C3%A9=%26",
        "@scheme": "https",
        "@target-uri": f"https://App.Example.COM:443{REQUEST.target}",
    }


def test_a_request_without_query_has_a_lone_question_mark() -> None:
    """So says section 2.2.7; and another port stays."""
    bare = SignedRequest(
        method="GET", target="/", scheme="http", fields={"host": ("a:443",)}
    )
    assert component_value(Item("@query"), bare) == "?"
    assert component_value(Item("@target-uri"), bare) == "http://a:443/"


def test_fields_are_joined() -> None:
    """Lines of one name are one value; an empty one is signed, too."""
    assert _value("accept") == "a/b, c/d"
    assert _value("empty") == ""


def test_octets_beyond_ascii_are_wrapped() -> None:
    """The base is ASCII (section 2.5), and each line is apart (section 2.1.3)."""
    assert _value("x-name", bs=True) == ":Wm/Dqw==:, :eA==:"
    covered = InnerList(cover(["x-name", "accept"], REQUEST))
    base = signature_base(covered, REQUEST)
    assert base.startswith(b'"x-name";bs: :Wm/Dqw==:, :eA==:\n"accept": a/b')


def test_parameters_of_queries_are_encoded_anew() -> None:
    """As forms are, but with %20 for a blank (section 2.2.8)."""
    assert _value("@query-param", name="x") == "a%20b%7E*%7E"
    assert _value("@query-param", name="%C3%A9") == "%26"


def test_what_a_request_does_not_have_is_left_out() -> None:
    """Components that are named are covered once, if there is anything to cover."""
    items = cover(["@method", "absent", "accept", "@method"], REQUEST)
    assert items == (Item("@method"), Item("accept"))


@pytest.mark.parametrize(
    "component",
    [
        '"absent"',
        '"Accept"',
        '"@status"',
        '"@method";req',
        '"accept";sf',
        '"accept";key="a"',
        '"accept";bs=1',
        '"accept";bs;tr',
        '"x-name"',
        '"@query-param"',
        '"@query-param";name="absent"',
        '"@query-param";name="q"',
        '"@query-param";name="x";y',
        '"@query-param";name=1',
        "accept",
        '"accept" "accept"',
    ],
)
def test_what_is_not_understood_is_refused(component: str) -> None:
    """Nothing is signed or believed that was not asked for in this form."""
    covered = read_dictionary(f"s=({component})")["s"]
    assert isinstance(covered, InnerList)
    with pytest.raises(ValueError, match=r"component|request|parameter|query"):
        signature_base(covered, REQUEST)


def test_two_hosts_are_no_authority() -> None:
    """Which one a recipient goes by, nobody can say."""
    twice = SignedRequest(
        method="GET", target="/", scheme="http", fields={"host": ("a", "b")}
    )
    with pytest.raises(ValueError, match="Host"):
        component_value(Item("@authority"), twice)


def test_parameters_stand_in_their_order() -> None:
    """Those that are not there are left out."""
    assert PARAMETERS.listed() == (
        ("created", 1),
        ("alg", "ed25519"),
        ("keyid", "k"),
        ("tag", "t"),
    )


def test_field_lines_are_read_as_recipients_do() -> None:
    """Names in small letters, values without blanks around them."""
    lines = b"Host: a\r\nX-A:  1 \r\nx-a:2\r\n\r\nX-B: body\r\n"
    assert read_field_lines(lines) == {"host": ("a",), "x-a": ("1", "2")}
    with pytest.raises(ValueError, match="colon"):
        read_field_lines(b"Host\r\n")
