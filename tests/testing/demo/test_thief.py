"""What the demo takes for a theft that came to nothing."""

import pytest

from sso_proxy.testing.demo.call import Answer
from sso_proxy.testing.demo.thief import (
    THEFTS,
    Theft,
    see_no_session,
    see_the_thief_greeted,
)
from tests.testing.demo.test_login_checks import GOOD, LOCATION


def answer(body: bytes = b"", **headers: str) -> Answer:
    return Answer(status=200, headers=headers, body=body)


def test_who_is_sent_to_log_in_has_no_session() -> None:
    assert see_no_session(answer(location=LOCATION))
    assert not see_no_session(answer(GOOD))
    assert not see_no_session(answer(location="/elsewhere"))


def test_a_greeting_is_what_a_thief_wants() -> None:
    assert see_the_thief_greeted(answer(GOOD))
    assert not see_the_thief_greeted(answer(GOOD.replace(b"Alice", b"Bob")))


@pytest.mark.parametrize("theft", THEFTS, ids=lambda theft: theft.check.title)
def test_a_bound_session_is_for_its_owner_alone(theft: Theft) -> None:
    """Whoever changes the demo must not turn it round."""
    check = theft.check
    own = check.certificate == "client" or not theft.bound
    assert (check.status == 200) is own
