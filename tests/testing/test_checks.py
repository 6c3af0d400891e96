"""Tests for `sso_proxy.testing.checks`: each broken component is found out."""

from collections.abc import Callable
from typing import Any

import pytest
from zope.interface import implementer

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import (
    IAuthenticator,
    IBinding,
    IPolicy,
    ITakesTokens,
    IUserMapper,
)
from sso_proxy.model import (
    DECLINED,
    PERMIT,
    Authenticated,
    Decision,
    Effect,
    HeaderChallenge,
    Identity,
    LoginRedirect,
    MapperVerdict,
    NotPresented,
    Outcome,
    Refusal,
    Rejected,
    Request,
    Unbound,
    UserName,
)
from sso_proxy.testing.checks import (
    ContractError,
    check_authenticator,
    check_binding,
    check_policy,
    check_user_mapper,
)
from sso_proxy.testing.fakes import (
    FakeAuthenticator,
    FakeMapper,
    FakePolicy,
    make_identity,
    make_request,
)


@implementer(IUserMapper)
class Mapper:
    """Answers what a function makes of an identity."""

    def __init__(self, answer: Callable[[Identity], Any]) -> None:
        self.answer = answer

    async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
        answer: UserName | MapperVerdict = self.answer(identity)
        return answer


COUNT = iter(range(100000))


def test_a_good_mapper_passes() -> None:
    check_user_mapper(FakeMapper("alice"))
    check_user_mapper(lambda: FakeMapper(DECLINED), [make_identity()])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda identity: identity.subject, "no safe name"),
        (lambda identity: identity.claims["email"], "raises KeyError"),
        (lambda identity: f"{len(identity.claims.get('email', ''))}", "raises TypeErr"),
        (lambda _identity: None, "answers None"),
        (lambda _identity: b"alice", "answers b'alice'"),
        (lambda _identity: "", "no safe name"),
        (lambda _identity: f"user{next(COUNT)}", "otherwise for the same identity"),
    ],
)
def test_a_bad_mapper_is_found_out(answer: Callable[..., Any], problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        check_user_mapper(Mapper(answer))


def test_what_is_no_mapper_is_found_out() -> None:
    with pytest.raises(ContractError, match="IUserMapper"):
        check_user_mapper(object)  # type: ignore[arg-type]


def test_a_mapper_with_a_plain_method_is_found_out() -> None:
    @implementer(IUserMapper)
    class Plain:
        def map_user(self, identity: Identity) -> MapperVerdict:  # type: ignore[override]  # noqa: ARG002
            return DECLINED

    with pytest.raises(ContractError, match="map_user must be declared with async"):
        check_user_mapper(Plain())


def test_good_authenticators_pass() -> None:
    check_authenticator(FakeAuthenticator())
    check_authenticator(
        lambda: FakeAuthenticator(
            NotPresented(),
            Rejected(
                reason="token-expired",
                challenge=HeaderChallenge(('Bearer error="invalid_token"',)),
            ),
            challenge=HeaderChallenge(("Bearer",)),
            consumes=("authorization",),
        )
    )
    check_authenticator(FakeAuthenticator(UnavailableError("jwks")))
    redirect = LoginRedirect("https://login.example.com/")
    check_authenticator(FakeAuthenticator(challenge=redirect))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "answers None"),
        (OSError("down"), "raises OSError"),
        (Rejected(reason="Token expired!"), "no short code"),
        (Rejected(reason="x", status=200), "status 200"),
        (
            Rejected(reason="x", challenge=HeaderChallenge(("Bearer\r\nX: y",))),
            "not ASCII",
        ),
        (Authenticated(make_identity("")), "nobody"),
        (Authenticated(make_identity(issuer="")), "nobody"),
        (Authenticated(make_identity(authenticator="")), "no authenticator's name"),
        (Authenticated(None), "no Identity"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_authenticator_is_found_out(answer: Any, problem: str) -> None:  # noqa: ANN401
    with pytest.raises(ContractError, match=problem):
        check_authenticator(FakeAuthenticator(answer))


@pytest.mark.parametrize(
    "challenge", ["Bearer", HeaderChallenge(("a\nb",)), LoginRedirect("https://é/")]
)
def test_a_bad_challenge_is_found_out(challenge: Any) -> None:  # noqa: ANN401
    with pytest.raises(ContractError, match="challenge"):
        check_authenticator(FakeAuthenticator(challenge=challenge))


@pytest.mark.parametrize("place", ["cookie:T", "?t", "form:t"])
def test_credentials_may_stand_in_other_places(place: str) -> None:
    check_authenticator(FakeAuthenticator(consumes=(place,)))


class TellingPlaces(FakeAuthenticator):
    """Repeats what a cookie and the query have in them."""

    async def authenticate(self, request: Request) -> Outcome:
        """Tell."""
        told = "".join([*request.head.values("cookie"), request.head.query or ""])
        return Rejected(reason="bad", detail=told)


@pytest.mark.parametrize("place", ["cookie:T", "?t"])
def test_a_credential_that_gets_out_of_another_place_is_found(place: str) -> None:
    with pytest.raises(ContractError, match="credential"):
        check_authenticator(TellingPlaces(consumes=(place,)))


@pytest.mark.parametrize(
    "consumes",
    [["authorization"], ("Authorization",), ("a b",), ("cookie:",), ("form:a b",)],
)
def test_bad_names_of_header_fields_are_found_out(consumes: Any) -> None:  # noqa: ANN401
    with pytest.raises(ContractError, match="consumes"):
        check_authenticator(FakeAuthenticator(consumes=consumes))


def test_an_authenticator_that_redirects_a_refusal_is_found_out() -> None:
    class Redirecting(FakeAuthenticator):
        def refusal(self, request: Request, refusal: Refusal) -> Any:  # noqa: ANN401, ARG002
            return LoginRedirect("https://login.example.com/")

    with pytest.raises(ContractError, match="refusal answers a redirect"):
        check_authenticator(Redirecting())


@pytest.mark.parametrize("issuers", [["https://a.example"], (1,), None])
def test_an_authenticator_that_tells_nonsense_about_tokens_is_found_out(
    issuers: Any,  # noqa: ANN401
) -> None:
    @implementer(ITakesTokens)
    class Taking(FakeAuthenticator):
        issuers: Any = ("https://a.example",)
        bearer_methods = ("header",)

    taking = Taking()
    check_authenticator(taking)
    taking.issuers = issuers
    with pytest.raises(ContractError, match="issuers is no tuple"):
        check_authenticator(taking)


def test_an_authenticator_that_tells_the_credential_is_found_out() -> None:
    @implementer(IAuthenticator)
    class Talkative:
        consumes = ("authorization",)

        async def authenticate(self, request: Request) -> Outcome:
            text = "".join(request.head.values("authorization"))
            return Rejected(reason="token-bad", detail=f"cannot read {text!r}")

        def challenge(self, request: Request) -> None:
            pass

        def refusal(self, request: Request, refusal: Refusal) -> None:
            pass

    with pytest.raises(ContractError, match="the credential is in the outcome"):
        check_authenticator(Talkative())


def test_good_policies_pass() -> None:
    check_policy(FakePolicy())
    denial = Decision(effect=Effect.DENY, reasons=("require[0]",))
    check_policy(lambda: FakePolicy(denial), [(make_identity(), make_request())])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (True, "answers True"),
        (None, "answers None"),
        (KeyError("email"), "raises KeyError"),
        (Decision(effect=Effect.DENY), "no reason"),
        (Decision(effect=Effect.DENY, reasons=("Not allowed",)), "no short code"),
        (Decision(effect="permit"), "no Effect"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_policy_is_found_out(answer: Any, problem: str) -> None:  # noqa: ANN401
    with pytest.raises(ContractError, match=problem):
        check_policy(FakePolicy(answer))


@implementer(IPolicy)
class Curious:
    """Decides by a header field."""

    reads_headers = False
    sets: frozenset[str] = frozenset()

    async def decide(self, identity: Identity, request: Request) -> Decision:  # noqa: ARG002
        if request.head.values("x-other"):
            return Decision(effect=Effect.DENY, reasons=("x",))
        return PERMIT


def test_a_policy_that_reads_headers_says_so() -> None:
    """Its answer must not be reused for a request with others."""
    policy = Curious()
    with pytest.raises(ContractError, match="reads_headers"):
        check_policy(policy)
    policy.reads_headers = True
    check_policy(policy)


@implementer(IBinding)
class Binding:
    """Answers what it is told to."""

    once = False

    def __init__(self, answer: Unbound | None, kind: str = "certificate") -> None:
        self.answer = answer
        self.kind = kind
        self.members = frozenset({"x5t#S256"})

    async def check(self, request: Request, identity: Identity) -> Unbound | None:  # noqa: ARG002
        return self.answer


def test_a_binding_that_is_always_satisfied_is_found_out() -> None:
    with pytest.raises(ContractError, match=r"check answers None to \{\}"):
        check_binding(Binding(None))


def test_a_binding_that_is_never_satisfied_is_found_out() -> None:
    binding = Binding(Unbound(reason="no"))
    check_binding(binding)
    with pytest.raises(ContractError, match="check answers Unbound"):
        check_binding(binding, [(make_request(), make_identity())])


def test_an_unknown_kind_of_binding_is_found_out() -> None:
    with pytest.raises(ContractError, match="kind is 'other'"):
        check_binding(lambda: Binding(Unbound(reason="no"), "other"))
