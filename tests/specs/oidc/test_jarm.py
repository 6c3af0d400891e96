"""A signed answer is for us, of our provider, and not yet over (JARM)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oidc.jarm import LEEWAY, OverError, read_jarm_claims
from sso_proxy.specs.oidc.response import AnswerError, check_answer, read_answer

ISSUER = "https://op.example"
NOW = 1_800_000_000.0
CLAIMS = {
    "iss": ISSUER,
    "aud": "proxy",
    "exp": NOW + 60,
    "state": "a-state",
    "code": "a-code",
}


def read(**changes: object) -> tuple[tuple[str, str], ...]:
    """Read good claims, changed; ``...`` takes one out."""
    claims = {n: v for n, v in {**CLAIMS, **changes}.items() if v is not ...}
    return read_jarm_claims(claims, issuer=ISSUER, client_id="proxy", now=NOW)


def test_a_good_answer_gives_its_parameters() -> None:
    assert dict(read(unknown=[1])) == {
        "iss": ISSUER,
        "state": "a-state",
        "code": "a-code",
    }


def test_what_was_signed_is_an_answer_whose_issuer_is_known() -> None:
    answer = read_answer(read())
    check_answer(answer, issuer=ISSUER, iss_required=True)
    assert (answer.code, answer.state) == ("a-code", "a-state")


def test_a_signed_refusal_is_read_like_any_other() -> None:
    answer = read_answer(read(code=..., error="access_denied", error_description="No"))
    assert (answer.error, answer.error_description) == ("access_denied", "No")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["proxy"]},
        {"exp": int(NOW) + 1},
        {"exp": NOW - LEEWAY + 1},
        {"iat": NOW},
    ],
)
def test_what_is_allowed_is_accepted(changes: dict[str, object]) -> None:
    assert ("code", "a-code") in read(**changes)


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"iss": ...}, "iss"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": ISSUER + "/"}, "iss"),
        ({"iss": [ISSUER]}, "iss"),
        ({"aud": ...}, "aud"),
        ({"aud": "other"}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": ["proxy", "other"]}, "aud"),
        ({"aud": {"proxy": 1}}, "aud"),
        ({"exp": ...}, "exp"),
        ({"exp": str(NOW + 60)}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 1e300}, "exp"),
        ({"exp": float("nan")}, "exp"),
        ({"exp": None}, "exp"),
        ({"nbf": NOW + 60}, "nbf"),
        ({"iat": NOW + 60}, "iat"),
        ({"iat": "now"}, "iat"),
        ({"code": 1}, "code"),
        ({"state": None}, "state"),
        ({"error_description": {}}, "error_description"),
    ],
)
def test_what_is_wrong_is_refused(changes: dict[str, object], detail: str) -> None:
    """JARM section 2.4: iss, aud and exp are required, and compared."""
    with pytest.raises(AnswerError, match=f"'{detail} of the signed answer"):
        read(**changes)


@pytest.mark.parametrize("state", ["a-state", None])
def test_an_answer_that_was_good_once_still_says_which_login_it_was(
    state: str | None,
) -> None:
    with pytest.raises(OverError) as caught:
        read(exp=NOW - LEEWAY, state=... if state is None else state)
    assert caught.value.state == state
    assert "a-state" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": ISSUER + "/"},
        {"aud": "other"},
        {"aud": ["proxy", "other"]},
        {"nbf": NOW + 60},
        {"iat": NOW + 60},
        {"state": ["a-state"]},
        {"code": 1},
    ],
)
def test_an_answer_that_is_over_and_never_was_good_does_not(
    changes: dict[str, object],
) -> None:
    with pytest.raises(AnswerError) as caught:
        read(exp=NOW - LEEWAY, **changes)
    assert not isinstance(caught.value, OverError)


@pytest.mark.parametrize("name", ["refresh_token", "access_token", "response"])
def test_what_refuses_other_answers_refuses_signed_ones(name: str) -> None:
    with pytest.raises(AnswerError):
        read_answer(read(**{name: "x"}))


def test_tokens_are_read_where_they_are_signed() -> None:
    """JARM 2.1: all parameters of the flow are claims; ``expires_in`` is a number."""
    more = {"access_token": "t", "token_type": "Bearer", "expires_in": 300}
    answer = read_answer(read(id_token="a.b.c", **more))
    assert (answer.id_token, answer.access_token) == ("a.b.c", "t")
    assert answer.expires_in == 300


def test_an_id_token_of_the_same_provider_is_no_answer() -> None:
    """It is signed by the same keys, for the same audience."""
    with pytest.raises(AnswerError):
        read_answer(read(code=..., state=..., sub="alice", nonce="n"))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys([*CLAIMS, "nbf", "iat", "error", "id_token"], JSON),
    ),
    st.booleans(),
)
def test_no_other_error_is_raised(claims: dict[str, Any], complete: bool) -> None:  # noqa: FBT001
    given_claims = {**CLAIMS, **claims} if complete else claims
    try:
        fields = read_jarm_claims(
            given_claims, issuer=ISSUER, client_id="proxy", now=NOW
        )
    except AnswerError:
        return
    assert given_claims["iss"] == ISSUER
    assert given_claims["aud"] in ("proxy", ["proxy"])
    assert all(isinstance(value, str) for _, value in fields)
