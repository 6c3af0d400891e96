"""Decision points elsewhere are asked once, believed for a while, and never guessed."""

from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from sso_proxy.authz.foreign_obligations import ForeignObligationConfig
from sso_proxy.authz.remote_policy import (
    Answer,
    PolicyAnswerError,
    Question,
    RemotePolicy,
)
from sso_proxy.authz.remote_policy_config import RemotePolicyConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.model import PERMIT, WARNING, Decision, Effect, Identity, Request
from sso_proxy.net.circuit import FAILURES, PAUSE
from sso_proxy.net.http_client import HttpReply
from sso_proxy.registry import provided_problems
from sso_proxy.testing import outcome_of
from sso_proxy.testing.fakes import make_identity, make_request
from tests.support.policy_scene import URL, PolicyScene, answer
from tests.support.sts_faults import Said

BOB = make_identity("bob")
DENY = Decision(effect=Effect.DENY, reasons=("no",))
LOGGED = Decision(effect=Effect.PERMIT, obligations=(("log", {"message": "m"}),))
MAYBE = b"maybe"
WORDS = {b"yes": PERMIT, b"no": DENY, b"log": LOGGED}


class Asking(RemotePolicy):
    """Asks by name, and understands a few words."""

    config_class: ClassVar[Any] = RemotePolicyConfig

    def build(self, identity: Identity, request: Request) -> Question:
        """Name who wants what."""
        what = f"{identity.subject} {request.head.path}"
        return Question(url=f"{URL}/pdp", body=what.encode())

    def read(self, question: Question, reply: HttpReply) -> Answer:  # noqa: ARG002
        """Read a word."""
        if reply.body == MAYBE:
            return Answer(DENY, keep=False)
        if reply.body not in WORDS:
            raise PolicyAnswerError("what does that mean?")
        return Answer(WORDS[reply.body])


YES = answer(b"yes")


def scene(said: Said = YES, **options: Any) -> PolicyScene:  # noqa: ANN401
    return PolicyScene(Asking, said, **options)


def test_it_is_what_its_interfaces_ask_for() -> None:
    policy = scene().policy
    assert not provided_problems("IPolicy", policy)
    assert not provided_problems("IHealth", policy)


@pytest.mark.parametrize("word", [b"yes", b"no"])
def test_an_answer_is_believed_about_the_same_question_for_a_while(
    word: bytes,
) -> None:
    here = scene(answer(word))
    assert here.decide() == here.decide() == WORDS[word]
    assert len(here.asked) == 1
    here.decide(BOB)
    here.decide(request=make_request(path="/other"))
    assert len(here.asked) == 3
    here.clock.advance(5)
    here.decide()
    assert len(here.asked) == 4


@pytest.mark.parametrize(
    ("said", "options"),
    [
        (YES, {"ttl": 0}),
        (answer(MAYBE), {}),
        (answer(b"log"), {}),
        (answer(b"yes", cache_control="private, no-store"), {}),
        (answer(b"yes", cache_control="no-cache"), {}),
        (answer(b"yes", cache_control="max-age=0"), {}),
        (answer(b"yes", cache_control="max-age=x"), {}),
    ],
)
def test_what_must_not_be_kept_is_asked_each_time(
    said: Said, options: dict[str, Any]
) -> None:
    here = scene(said, **options)
    here.decide()
    here.decide()
    assert len(here.asked) == 2


def test_an_answer_is_kept_for_no_longer_than_it_says() -> None:
    here = scene(answer(b"yes", cache_control='max-age="2", must-revalidate'))
    here.decide()
    here.clock.advance(1.9)
    here.decide()
    assert len(here.asked) == 1
    here.clock.advance(0.1)
    here.decide()
    assert len(here.asked) == 2


def test_answers_that_oblige_are_kept_if_that_is_wanted() -> None:
    here = scene(answer(b"log"), cache_obligations=True)
    assert here.decide() == here.decide() == LOGGED
    assert len(here.asked) == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answer(b"hm"), "policy-unusable"),
        (answer(b""), "policy-unusable"),
        (answer(b"yes" * 65536), "policy-unusable"),
        (answer(b"yes", status=204), "policy-unusable"),
        (answer(b"yes", status=302, location=URL), "policy-unusable"),
        (answer(b"yes", status=400), "policy-unusable"),
        (answer(b"yes", status=404), "policy-unusable"),
        (answer(b"yes", status=401), "policy-stranger"),
        (answer(b"yes", status=403), "policy-stranger"),
        (answer(b"yes", status=429), "policy-down"),
        (answer(b"yes", status=500), "policy-down"),
        (answer(b"yes", status=503), "policy-down"),
        (Said(how="reset"), "policy-unusable"),
        (Said(how="endless"), "policy-unusable"),
    ],
)
def test_what_is_no_answer_is_no_decision_and_never_kept(
    said: Said, reason: str
) -> None:
    here = scene(said)
    with pytest.raises(UnavailableError) as caught:
        here.decide()
    error = caught.value
    assert (error.status, error.reason) == (503, reason)
    assert error.what.startswith("policy.pdp: ")
    (line,) = outcome_of(here.policy.probe())
    assert line == f"{WARNING}{error.what}"
    here.said = YES
    assert here.decide() is PERMIT
    assert outcome_of(here.policy.probe()) == ()


def test_a_dead_decision_point_is_asked_once_a_second() -> None:
    here = scene(answer(b"", status=503))
    for _ in range(FAILURES + 5):
        with pytest.raises(UnavailableError) as caught:
            here.decide()
        assert caught.value.reason == "policy-down"
    assert len(here.asked) == FAILURES
    here.said = YES
    here.clock.advance(PAUSE)
    assert here.decide() is PERMIT
    assert here.decide(BOB) is PERMIT


def test_what_anybody_may_ask_for_does_not_make_it_count_as_dead() -> None:
    for said in (answer(b"hm"), answer(b"", status=500), Said(how="reset")):
        here = scene(said)
        for _ in range(2 * FAILURES):
            with pytest.raises(UnavailableError):
                here.decide()
        assert len(here.asked) == 2 * FAILURES


def test_it_knows_who_asks_and_about_which_request() -> None:
    here = scene(auth="basic", username="us", password=Secret("p"))
    here.decide()
    fields = here.asked[0].headers
    assert fields["authorization"] == "Basic dXM6cA=="
    assert fields["x-request-id"] == "test-request"
    shown = scene(auth="bearer", bearer_token=Secret("t"))
    shown.decide()
    assert shown.asked[0].headers["authorization"] == "Bearer t"
    plain = scene()
    plain.decide()
    assert "authorization" not in plain.asked[0].headers


def test_header_fields_that_it_may_set_are_known() -> None:
    purpose = ForeignObligationConfig(
        do="set-header", value="v", constants={"name": "X-Purpose"}
    )
    here = scene(obligations={"p": purpose}, headers=("X-Other",))
    assert here.policy.sets == {"x-purpose", "x-other"}


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="ca: cannot be read"):
        scene(ca="/nonexistent/ca.pem")


class Waiting(TestCase):
    """Several ask at one time."""

    def setUp(self) -> None:
        self.here = scene(Said(how="held", body=b"yes"), at_once=2)

    def test_the_same_is_asked_once(self) -> None:
        asking = [self.here.begin() for _ in range(3)]
        assert len(self.here.asked) == 1
        asking[0].addErrback(lambda _: None)
        asking[0].cancel()
        self.here.server.release()
        assert [self.successResultOf(each) for each in asking[1:]] == [PERMIT] * 2

    def test_too_many_different_questions_are_refused(self) -> None:
        waiting = [
            self.here.begin(request=make_request(path=f"/{n}")) for n in range(2)
        ]
        with pytest.raises(UnavailableError) as caught:
            self.here.decide(BOB)
        assert caught.value.reason == "policy-down"
        self.here.server.release()
        assert [self.successResultOf(each) for each in waiting] == [PERMIT] * 2


@given(st.lists(st.tuples(st.text(), st.text(), st.text(), st.binary()), max_size=9))
def test_no_two_questions_share_a_key(parts: list[Any]) -> None:
    """Parts that merely stand in a row could be another question's."""
    for url, content_type, accept, body in parts:
        question = Question(
            url=url, content_type=content_type, accept=accept, body=body
        )
        moved = Question(
            url=url + content_type, content_type="", accept=accept, body=body
        )
        assert (question.key == moved.key) == (question == moved)
    made = [Question(url=u, content_type=c, accept=a, body=b) for u, c, a, b in parts]
    assert len({q.key for q in made}) == len(set(parts))
