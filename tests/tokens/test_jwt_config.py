"""Which options of ``type = "jwt"`` go together, and which claims a token may have."""

from typing import Any

import pytest

from sso_proxy.tokens.jwt_config import JwtTokenConfig


def config(**options: Any) -> JwtTokenConfig:  # noqa: ANN401
    given: dict[str, Any] = {"issuer": "https://sso.example.com", "keys": ("k.pem",)}
    return JwtTokenConfig(**{**given, **options})


@pytest.mark.parametrize(
    "name", ["iss", "aud", "exp", "iat", "nbf", "jti", "cnf", "act"]
)
def test_what_a_token_says_about_itself_is_not_for_another(name: str) -> None:
    with pytest.raises(ValueError, match="about the caller's token"):
        config(claims=(name,))
    with pytest.raises(ValueError, match="about the caller's token"):
        config(claim_names={name: "other"})
    with pytest.raises(ValueError, match="that we set ourselves"):
        config(claim_names={"email": name})


@pytest.mark.parametrize("name", ["sub", "scope", "client_id", "acr", "amr", "idp"])
def test_no_claim_takes_the_place_of_ours(name: str) -> None:
    with pytest.raises(ValueError, match="that we set ourselves"):
        config(claims=(name,))


def test_a_claim_inside_another_needs_a_name() -> None:
    with pytest.raises(ValueError, match="put it in claim_names"):
        config(claims=("realm_access.roles",))
    given = config(claims=("email",), claim_names={"realm_access.roles": "roles"})
    assert [*given.chosen()] == [
        ("email", ("email",)),
        ("roles", ("realm_access", "roles")),
    ]


def test_a_claim_may_be_renamed() -> None:
    given = config(claims=("email",), claim_names={"email": "mail"})
    assert [*given.chosen()] == [("mail", ("email",))]


def test_two_claims_need_two_names() -> None:
    with pytest.raises(ValueError, match="several claims would be called 'mail'"):
        config(claim_names={"email": "mail", "upn": "mail"})
    given = config(claims=("mail",), claim_names={"email": "mail"})
    assert [*given.problems()] == [
        ("claim_names", "several claims would be called 'mail'")
    ]


@pytest.mark.parametrize("name", ["", "a\nb"])
def test_a_claim_is_called_something(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a claim"):
        config(claim_names={"email": name})


def test_the_name_of_a_key_does_not_go_over_to_another() -> None:
    """A backend that has fetched the old key would check with it under that name."""
    (problem,) = config(kid="k", keys=("new.pem", "old.pem")).problems()
    assert problem[0] == "kid"
    assert [*config(kid="k").problems()] == []


def test_subjects_are_of_an_issuer_that_is_named() -> None:
    (problem,) = config(subject="subject").problems()
    assert problem[0] == "subject_issuer"
    named = {"subject_issuer": "https://login.example.com"}
    assert [*config(subject="subject", **named).problems()] == []
    for other in ("user", "qualified"):
        (problem,) = config(subject=other, **named).problems()
        assert problem[0] == "subject_issuer"


def test_access_tokens_have_names() -> None:
    (problem,) = config(typ="at+jwt", jti=False).problems()
    assert problem[0] == "jti"


def test_keys_and_issuer_are_needed() -> None:
    for option in ({"keys": ()}, {"issuer": ""}):
        with pytest.raises(ValueError, match="must not be empty"):
            config(**option)
