"""What the demo takes for a login that went well."""

import pytest

from sso_proxy.testing.demo.call import Answer
from sso_proxy.testing.demo.login_checks import (
    VISITS,
    see_cancelled,
    see_greeting,
    see_login,
    see_no_redirect,
    see_refusal,
)
from sso_proxy.testing.demo.people import PEOPLE

LOCATION = (
    "https://127.0.0.1:8447/authorize?response_type=code&state=s&nonce=n"
    "&code_challenge_method=S256"
)
GOOD = (
    b"<dt>X-Claim-Name</dt><dd>Alice Archer</dd> No token, and no cookie of the proxy."
)


def answer(body: bytes = b"", **headers: str) -> Answer:
    return Answer(status=200, headers=headers, body=body)


def test_a_login_begins_at_the_provider() -> None:
    assert see_login(answer(location=LOCATION))


@pytest.mark.parametrize("part", ["/authorize", "nonce=n", "state=s", "S256"])
def test_a_login_without_its_protection_is_a_failure(part: str) -> None:
    assert not see_login(answer(location=LOCATION.replace(part, "")))
    assert not see_login(answer())


def test_a_script_must_not_be_redirected() -> None:
    assert see_no_redirect(answer())
    assert not see_no_redirect(answer(location="/"))


def test_the_application_knows_the_person_and_has_no_token() -> None:
    assert see_greeting("alice")(answer(GOOD))
    assert not see_greeting("bob")(answer(GOOD))
    assert not see_greeting("alice")(answer(GOOD.replace(b"No token", b"A token")))


def test_a_refusal_is_a_page_of_the_proxy() -> None:
    assert see_refusal(answer(b"If you ask for help, give this number: 1"))
    assert not see_refusal(answer(GOOD))


def test_who_cancels_is_told_and_can_try_again() -> None:
    assert see_cancelled(answer(b'<h1>The login was cancelled</h1> <a href="/">'))
    assert not see_cancelled(answer(b"The login was cancelled"))
    assert not see_cancelled(answer(b'<a href="/">'))


def test_everybody_logs_in_and_somebody_is_denied() -> None:
    assert {visit.person for visit in VISITS} >= {*PEOPLE, "nobody"}
    denied = [v.person for v in VISITS if v.check.status == 403 and v.path == "/"]
    assert denied == ["mallory", "nobody"]
