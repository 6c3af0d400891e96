"""A decision point that speaks XACML is asked, and believed to the letter."""

import itertools
import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from sso_proxy.authz.foreign_obligations import ForeignObligationConfig
from sso_proxy.authz.xacml_config import AttributeConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.model import PERMIT, Decision, Effect
from sso_proxy.registry import provided_problems
from sso_proxy.testing import check_policy
from sso_proxy.testing.fakes import make_identity, make_request
from tests.support import pdp
from tests.support.pdp import DecisionPoint, Known, Members
from tests.support.pdp_scene import ENDPOINT, RECORDS, attribute
from tests.support.pdp_scene import XacmlScene as Scene
from tests.support.policy_scene import URL, answer
from tests.support.sts_faults import HUGE, Said

PERMITTED = json.dumps({"Response": [{"Decision": "Permit"}]})
UNFIT = Decision(effect=Effect.DENY, reasons=("attribute-unfit",))


def only_alice(known: Known) -> Members:
    """Permit what Alice reads."""
    who = known[pdp.SUBJECT, pdp.SUBJECT_ID]
    reads = known[pdp.ACTION, pdp.ACTION_ID] == ["GET"]
    return {"Decision": "Permit" if who == ["alice"] and reads else "Deny"}


def test_it_keeps_its_contract() -> None:
    here = Scene()
    check_policy(here.policy)
    assert not provided_problems("IHealth", here.policy)


def test_who_what_and_where_are_told() -> None:
    here = Scene(DecisionPoint(only_alice))
    request = make_request(path="/orders/17", query="secret=1")
    assert here.decide(request=request) == PERMIT
    assert here.told == [
        {
            (pdp.SUBJECT, pdp.SUBJECT_ID): ["alice"],
            (pdp.RESOURCE, pdp.RESOURCE_ID): ["https://app.example.com/orders/17"],
            (pdp.ACTION, pdp.ACTION_ID): ["GET"],
        }
    ]
    (asked,) = here.asked
    assert (asked.method, asked.url) == ("POST", ENDPOINT)
    assert asked.headers["content-type"] == asked.headers["accept"] == pdp.XACML
    (subject, *_) = json.loads(asked.body)["Request"]["Category"][0]["Attribute"]
    assert subject["Issuer"] == "https://login.example.com"
    deny = Decision(effect=Effect.DENY, reasons=("deny",))
    assert here.decide(make_identity("bob")) == deny
    assert here.decide(request=make_request("DELETE")) == deny


def test_table_says_what_else_is_told() -> None:
    here = Scene(
        attribute=(
            attribute("urn:role", "claims.roles"),
            attribute("urn:age", "claims.age", data_type="integer", issuer="https://i"),
            attribute("urn:ip", "client", "environment", data_type="ipAddress"),
            attribute("urn:now", "now", "environment", data_type="dateTime"),
            attribute("urn:order", "path.id", "resource", data_type="integer"),
            attribute("urn:none", "claims.none"),
            attribute("urn:fixed", "'x'", "urn:own"),
        ),
        path="/orders/{id}",
        defaults=False,
        media_type="application/json",
    )
    who = make_identity(claims={"roles": ["b", "a"], "age": 41})
    here.decide(who, make_request(path="/orders/17"))
    assert here.told == [
        {
            (pdp.SUBJECT, "urn:role"): ["a", "b"],
            (pdp.SUBJECT, "urn:age"): [41],
            (pdp.ENVIRONMENT, "urn:ip"): ["192.0.2.1"],
            (pdp.ENVIRONMENT, "urn:now"): ["2027-01-15T08:00:00Z"],
            (pdp.RESOURCE, "urn:order"): [17],
            ("urn:own", "urn:fixed"): ["x"],
        }
    ]
    assert here.asked[0].headers["content-type"] == "application/json"


def test_values_that_name_nothing_are_found_when_the_configuration_is_read() -> None:
    wrong = attribute("urn:a", "path.id")
    fine = attribute("urn:b", "subject")
    with pytest.raises(ConfigError) as caught:
        Scene(attribute=(fine, wrong))
    (mistake,) = caught.value.mistakes
    assert mistake.path == "attribute[1].value"


@pytest.mark.parametrize(
    ("options", "claims"),
    [
        ({"value": "claims.a"}, {"a": {"b": 1}}),
        ({"value": "claims.a"}, {"a": ["x", 1]}),
        ({"value": "claims.a"}, {"a": 2**60}),
        ({"value": "claims.a", "data_type": "date"}, {"a": "soon"}),
        ({"value": "claims.a", "required": True}, {}),
        ({"value": "claims.a", "required": True}, {"a": []}),
        ({"value": "claims.a", "each": True}, {}),
        ({"value": "claims.a", "each": True}, {"a": [*range(101)]}),
    ],
)
def test_what_cannot_be_told_denies_without_a_question(
    options: dict[str, Any], claims: dict[str, Any]
) -> None:
    """Left out, a rule against those who have the value would not apply to them."""
    here = Scene(attribute=(AttributeConfig(id="urn:a", **options),))
    with capturedLogs() as events:
        assert here.decide(make_identity(claims=claims)) == UNFIT
    assert not here.asked
    (event,) = events
    assert event["why"].startswith("urn:a: ")


def test_request_about_the_whole_server_is_about_no_resource() -> None:
    here = Scene()
    assert here.decide(request=make_request("OPTIONS", "*")) == UNFIT


BAD = {
    "lower case": answer('{"Response": [{"Decision": "permit"}]}'),
    "truth": answer('{"Response": [{"Decision": true}]}'),
    "two decisions": answer('{"Response":[{"Decision":"Deny","Decision":"Permit"}]}'),
    "two results": answer(
        '{"Response": [{"Decision": "Permit"}, {"Decision": "Permit"}]}'
    ),
    "cut": answer(PERMITTED[:-3]),
    "page": answer("<h1>Welcome</h1>", "text/html"),
    "page that is JSON": answer(PERMITTED, "text/html"),
    "no type": answer(PERMITTED, None),
    "two types": Said(
        headers=(("Content-Type", pdp.XACML), ("Content-Type", "text/html")),
        body=PERMITTED.encode(),
    ),
    "empty": answer(""),
    "no content": answer("", status=204),
    "created": answer(PERMITTED, status=201),
    "redirect": answer("", status=307, Location=f"{URL}/other"),
    "not found": answer(PERMITTED, status=404),
    "bad request": answer(PERMITTED, status=400),
    "huge": answer(PERMITTED + " " * HUGE),
    "endless": Said(how="endless", body=b" "),
    "failing": answer(PERMITTED, status=500),
    "strange 401": answer(PERMITTED, status=401),
    "strange 403": answer(PERMITTED, status=403),
    "busy": answer(PERMITTED, status=503),
    "xml": answer("<Response/>", "application/xacml+xml; version=3.0"),
}


@pytest.mark.parametrize("bias", ["deny", "permit"])
@pytest.mark.parametrize("name", BAD)
def test_what_is_no_answer_is_an_outage_and_never_a_decision(
    name: str, bias: str
) -> None:
    """Neither bias lets a request pass that nobody has decided about."""
    here = Scene(bias=bias)
    here.says(BAD[name])
    with pytest.raises(UnavailableError) as caught:
        here.decide()
    stranger = name.startswith("strange")
    outage = name in {"failing", "busy"}
    expected = "stranger" if stranger else "down" if outage else "unusable"
    assert caught.value.reason == f"policy-{expected}"
    assert caught.value.status == 503
    assert [one.url for one in here.asked] == [ENDPOINT], "redirects are not followed"
    here.says(answer(PERMITTED))
    assert here.decide() == PERMIT, "an error is not kept"


def test_only_decisions_are_kept() -> None:
    """Indeterminate may be another thing a moment later."""
    here = Scene()
    for verdict, asked in (("Indeterminate", 1), ("Indeterminate", 2), ("Deny", 3)):
        here.says(answer(json.dumps({"Response": {"Decision": verdict}})))
        assert here.decide().effect is Effect.DENY
        assert len(here.asked) == asked
    assert here.decide().reasons == ("deny",)
    assert len(here.asked) == 3
    here.decide(make_identity("bob"))
    assert len(here.asked) == 4


def readable(known: Known) -> Members:
    """Permit records with a name that begins with ``a``."""
    (record,) = known[pdp.RESOURCE, "urn:record"]
    return {"Decision": "Permit" if record.startswith("a") else "Deny"}


def backwards(answer: Members) -> Members:
    """Answer in another order."""
    return {"Response": answer["Response"][::-1]}


@pytest.mark.parametrize("shape", [lambda answer: answer, backwards])
@pytest.mark.parametrize(
    ("records", "all_", "any_"),
    [
        (["a1", "a2"], True, True),
        (["a1", "b2", "a1"], False, True),
        (["b1", "b2"], False, False),
        (["a1"], True, True),
    ],
)
def test_each_value_is_asked_about_in_one_message(
    records: list[str],
    all_: bool,  # noqa: FBT001
    any_: bool,  # noqa: FBT001
    shape: Any,  # noqa: ANN401
) -> None:
    """Whatever order the answers come in; every value once."""
    who = make_identity(claims={"records": records})
    ways = itertools.product(
        (("all", all_), ("any", any_)), ("references", "categories")
    )
    for (combine, expected), multiple in ways:
        here = Scene(
            DecisionPoint(readable, shape),
            attribute=(RECORDS,),
            combine=combine,
            multiple=multiple,
        )
        permitted = here.decide(who).effect is Effect.PERMIT
        assert permitted == expected
        (asked,) = here.asked
        assert (b"MultiRequests" in asked.body) == (multiple == "references")
        told = [known[pdp.RESOURCE, "urn:record"] for known in here.told]
        assert told == [[record] for record in sorted({*records})]
        assert all((pdp.SUBJECT, pdp.SUBJECT_ID) in known for known in here.told)


def test_results_that_do_not_say_what_they_are_about_are_no_answer() -> None:
    def mute(answer: Members) -> Members:
        results = [{"Decision": one["Decision"]} for one in answer["Response"]]
        return {"Response": results}

    here = Scene(DecisionPoint(readable, mute), attribute=(RECORDS,))
    with pytest.raises(UnavailableError):
        here.decide(make_identity(claims={"records": ["a1", "a2"]}))


def test_answer_about_another_subject_is_none() -> None:
    """Somebody's mixed up answers on the way."""
    told = attribute(pdp.SUBJECT_ID, "subject", by_issuer=True, include_in_result=True)
    here = Scene(attribute=(told,))
    assert here.decide() == PERMIT
    theirs = here.point.answer(here.asked[0])
    here.says(theirs)
    with pytest.raises(UnavailableError):
        here.decide(make_identity("bob"))


MEMBERS = st.sampled_from(
    [
        *("Decision", "Status", "StatusCode", "Value", "Obligations", "Id"),
        *("AttributeAssignment", "AttributeId", "Category", "CategoryId", "Attribute"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["Permit", "a1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner),
    max_leaves=15,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"Decision": st.sampled_from(["Permit", "Deny", "permit"])},
            optional={
                "Category": st.just(
                    {
                        "CategoryId": pdp.RESOURCE,
                        "Attribute": {"AttributeId": "urn:record", "Value": "a1"},
                    }
                ),
                "Obligations": JSON,
                "Status": JSON,
                "AssociatedAdvice": JSON,
            },
        )
        | JSON,
        max_size=2,
    )
)
def test_whatever_comes_is_a_decision_or_an_outage(results: object) -> None:
    """Nothing else is ever raised, and nothing passes without a Permit."""
    body = json.dumps({"Response": results})
    for attributes in ((), (RECORDS,)):
        here = Scene(attribute=attributes)
        here.says(answer(body))
        try:
            decision = here.decide(make_identity(claims={"records": ["a1"]}))
        except UnavailableError:
            continue
        assert decision.effect is Effect.DENY or '"Decision": "Permit"' in body


def obliging(known: Known) -> Members:  # noqa: ARG001
    """Permit with a field to be set, and some advice."""
    level = {"AttributeId": "urn:level", "Value": 3}
    return {
        "Decision": "Permit",
        "Obligations": [{"Id": "urn:tell", "AttributeAssignment": [level]}],
        "AssociatedAdvice": [{"Id": "urn:advice\n"}],
        "PolicyIdentifierList": {"PolicyIdReference": [{"Id": "p", "Version": "1"}]},
    }


TELL = ForeignObligationConfig(
    do="set-header", constants={"name": "X-Level"}, value="urn:level"
)


def test_obligations_are_those_of_the_table() -> None:
    here = Scene(DecisionPoint(obliging), obligations={"urn:tell": TELL})
    assert here.policy.sets == {"x-level"}
    told = ("set-header", {"name": "X-Level", "value": "3"})
    expected = Decision(effect=Effect.PERMIT, obligations=(told,))
    assert here.decide() == here.decide() == expected
    assert len(here.asked) == 2, "what obliges to something is not kept"
    here = Scene(
        DecisionPoint(obliging), obligations={"urn:tell": TELL}, cache_obligations=True
    )
    assert here.decide() == here.decide() == expected
    assert len(here.asked) == 1


def test_policies_and_advice_go_to_the_log_on_demand() -> None:
    """As text of one line, whatever is in it."""
    with capturedLogs() as events:
        Scene(DecisionPoint(obliging)).decide()
    assert not events
    here = Scene(DecisionPoint(obliging), policy_ids=True, log_advice=True)
    with capturedLogs() as events:
        here.decide()
    said = [event["why"] for event in events]
    assert said == ["Permit by policies 'p 1'", "advice 'urn:advice\\n'"]
    assert json.loads(here.asked[0].body)["Request"]["ReturnPolicyIdList"] is True


def test_indeterminate_is_explained_in_the_log() -> None:
    code = "urn:oasis:names:tc:xacml:1.0:status:missing-attribute"
    status = {"StatusCode": {"Value": code}, "StatusMessage": "no role\n"}
    here = Scene(
        DecisionPoint(lambda _: {"Decision": "Indeterminate", "Status": status})
    )
    with capturedLogs() as events:
        decision = here.decide()
    assert decision.reasons == ("indeterminate", "missing-attribute")
    (event,) = events
    assert event["why"] == f"Indeterminate '{code}', 'no role\\n'"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"auth": "basic", "username": "proxy", "password": Secret("s3cret")},
            "Basic cHJveHk6czNjcmV0",
        ),
        ({"auth": "bearer", "bearer_token": Secret("abc")}, "Bearer abc"),
        ({}, None),
    ],
)
def test_decision_point_is_told_who_we_are(
    options: dict[str, Any], expected: str | None
) -> None:
    here = Scene(**options)
    here.decide()
    assert here.asked[0].headers.get("authorization") == expected


def test_answers_about_many_resources_may_be_long() -> None:
    """A result has what it is about in it, and URLs are long."""
    records = [f"a{number}{'x' * 900}" for number in range(100)]
    here = Scene(DecisionPoint(readable), attribute=(RECORDS,))
    assert here.decide(make_identity(claims={"records": records})) == PERMIT


class Waiting(TestCase):
    """Several requests at a time."""

    def test_callers_get_the_answers_to_their_own_questions(self) -> None:
        """Whoever asks at the same time."""
        here = Scene()
        denied = answer('{"Response": {"Decision": "Deny"}}')
        replies = {b"alice": answer(PERMITTED), b"bob": denied}
        here.server.said = lambda asked: attrs.evolve(
            next(said for who, said in replies.items() if who in asked.body),
            how="held",
        )
        waiting = [here.begin(make_identity(who)) for who in ("bob", "alice") * 2]
        here.server.release()
        effects = [self.successResultOf(each).effect for each in waiting]
        assert effects == [Effect.DENY, Effect.PERMIT] * 2
        assert len(here.asked) == 2

    def test_one_question_is_asked_once(self) -> None:
        """Who asks the same meanwhile waits for the same answer."""
        here = Scene()
        here.says(attrs.evolve(answer(PERMITTED), how="held"))
        first, second = here.begin(), here.begin()
        other = here.begin(make_identity("bob"))
        self.assertNoResult(first)
        here.server.release()
        for each in (first, second, other):
            assert self.successResultOf(each) == PERMIT
        assert len(here.asked) == 2
