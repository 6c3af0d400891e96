"""What is asked is what an answer is kept by: nobody gets the answer to another's."""

from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.model import PERMIT, Effect
from sso_proxy.testing.fakes import NOW, make_identity, make_request
from tests.support import pdp
from tests.support.pdp import DecisionPoint
from tests.support.pdp_scene import RECORDS, attribute
from tests.support.pdp_scene import XacmlScene as Scene


def test_time_alone_makes_no_other_question() -> None:
    """Else nothing would ever be found again; the TTL says how old answers get."""
    now = attribute("urn:now", "now", "environment", data_type="dateTime")
    here = Scene(attribute=(now,))
    here.decide()
    here.decide(request=make_request(time=NOW + 1))
    assert len(here.asked) == 1
    here.decide(make_identity("bob"), make_request(time=NOW + 1))
    assert len(here.asked) == 2
    assert here.told[-1][pdp.ENVIRONMENT, "urn:now"] == ["2027-01-15T08:00:01Z"]


def test_time_hides_no_other_difference() -> None:
    """Neither in what is shared, nor in what each question has of its own."""
    now = attribute("urn:now", "now", "resource", data_type="dateTime")
    here = Scene(attribute=(now, RECORDS))
    for number, records in enumerate((["a"], ["b"], ["a", "b"]), start=1):
        here.decide(make_identity(claims={"records": records}))
        assert len(here.asked) == number


WORDS = st.text("ab", min_size=1, max_size=3)
CALLS = st.tuples(WORDS, WORDS, st.sampled_from(["GET", "PUT"]), st.lists(WORDS))


@given(CALLS, CALLS)
def test_different_questions_have_different_keys(
    one: tuple[str, str, str, list[str]], other: tuple[str, str, str, list[str]]
) -> None:
    """What was decided about one caller is never said to another."""
    policy = Scene(attribute=(attribute("urn:role", "claims.roles"),)).policy

    def key(call: tuple[str, str, str, list[str]]) -> bytes:
        subject, path, method, roles = call
        who = make_identity(subject, claims={"roles": roles})
        found: bytes = policy.build(who, make_request(method, f"/{path}")).key
        return found

    same = (*one[:3], sorted(one[3])) == (*other[:3], sorted(other[3]))
    assert (key(one) == key(other)) == same


def test_subject_and_action_do_not_run_into_each_other() -> None:
    """
    What was decided about ``("ab", "c")`` is not said about ``("a", "bc")``.

    That is the collision of lua-resty-xacml-pep 0.1.1, whose key is the digest of
    subject, action and resource one behind the other.
    """
    rule = DecisionPoint(
        lambda known: {
            "Decision": "Permit"
            if known[pdp.SUBJECT, pdp.SUBJECT_ID] == ["ab"]
            else "Deny"
        }
    )
    here = Scene(rule)
    assert here.decide(make_identity("ab"), make_request("C")) == PERMIT
    denied = here.decide(make_identity("a"), make_request("BC"))
    assert denied.effect is Effect.DENY


def test_same_name_of_another_issuer_is_another_caller() -> None:
    """Else an issuer that anybody can join at would speak for all."""
    here = Scene()
    here.decide(make_identity())
    here.decide(make_identity(issuer="https://other.example.net"))
    assert len(here.asked) == 2


def test_claims_that_changed_are_asked_about_anew() -> None:
    """What somebody was permitted as a member of a group ends with the membership."""
    rule = DecisionPoint(
        lambda known: {
            "Decision": "Permit" if known.get((pdp.SUBJECT, "urn:role")) else "Deny"
        }
    )
    here = Scene(rule, attribute=(attribute("urn:role", "claims.roles"),))
    assert here.decide(make_identity(claims={"roles": ["admin"]})) == PERMIT
    assert here.decide(make_identity(claims={"roles": []})).effect is Effect.DENY
