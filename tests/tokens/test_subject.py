"""What a token is made from stands where the option says, and there alone, once."""

from base64 import b64encode
from hashlib import sha256
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import ConfigError
from sso_proxy.model import Caller, Identity
from sso_proxy.testing import outcome_of
from sso_proxy.testing.fakes import (
    NOW,
    FakeTokenSource,
    FakeTools,
    make_certificate,
    make_identity,
    make_request,
)
from sso_proxy.testing.pki import Pki
from sso_proxy.token import MISSING, NotIssued, Token
from sso_proxy.tokens.subject import (
    ACCESS_TOKEN,
    Presented,
    Subject,
    read_subject_option,
)
from tests.support.remote_scene import THEIRS, caller, session_of

GOOD = (
    *("none", "access_token", "ticket", "certificate", "certificate:pem"),
    *("session:access_token", "session:id_token", "session:refresh_token"),
    *("cookie:legacy", "header:X-Token", "header:Authorization Bearer"),
    *("query:token", "token:orders"),
)


@pytest.mark.parametrize("text", GOOD)
def test_every_place_can_be_named(text: str) -> None:
    assert read_subject_option(text).kind == text.partition(":")[0]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "None",
            "access-token",
            "none:",
            "none:x",
            "certificate:",
            "access_token:x",
        ),
        *("session", "session:", "session:sid", "certificate:der", "certificate:x"),
        *("cookie", "cookie:", "cookie:a b", "cookie:a;b", "cookie:__Host-sso"),
        *("header", "header:", "header:a:b", "header:Cookie", "header:Host"),
        *("header:X-Token ", "header:X-Token a b", "header: Bearer", "query:"),
        *("query:a&b", "query:a=b", "token", "token:", "form:x"),
    ],
)
def test_what_names_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is none of 'access_token'"):
        read_subject_option(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        subject = read_subject_option(text)
    except ValueError:
        return
    assert subject.kind == text.partition(":")[0]


def present(text: str, who: Caller, **changes: Any) -> Any:  # noqa: ANN401
    subject = attrs.evolve(read_subject_option(text), **changes)
    return outcome_of(subject.present(who))


def asking(
    headers: dict[str, str] | None = None,
    query: str | None = None,
    *more: tuple[str, str],
) -> Caller:
    """Make a caller whose request has these."""
    request = make_request(headers=headers or {}, query=query)
    head = attrs.evolve(request.head, headers=(*request.head.headers, *more))
    return caller(request=attrs.evolve(request, head=head))


def test_nothing_is_nothing() -> None:
    assert present("none", caller()) is None


def test_the_verified_access_token_is_taken_with_its_end_and_claims() -> None:
    who = caller(make_identity(token="t", expires=17.0, claims={"sub": "alice"}))
    found = present("access_token", who)
    assert (found.value, found.kind, found.expires) == ("t", ACCESS_TOKEN, 17.0)
    assert found.claims == {"sub": "alice"}
    assert found.key == sha256(b"t").digest()


def test_who_has_no_token_presents_none() -> None:
    assert present("access_token", caller(make_identity())) == MISSING
    who = Caller(request=make_request(), identity=None, user="")
    assert present("access_token", who) == MISSING


def test_a_ticket_is_no_access_token_and_the_other_way_round() -> None:
    ticket = attrs.evolve(make_identity(token="t"), token_type="ticket")
    assert present("access_token", caller(ticket)) == MISSING
    assert present("ticket", caller()) == MISSING
    found = present("ticket", caller(ticket))
    assert (found.value, found.kind) == ("t", "")


def test_tokens_of_the_login_are_taken() -> None:
    who = caller(
        session=session_of(
            access_token="a", id_token=THEIRS, refresh_token="r", access_expires=17
        )
    )
    access = present("session:access_token", who)
    assert (access.value, access.expires) == ("a", 17)
    assert access.kind.endswith(":access_token")
    assert present("session:id_token", who).expires == NOW + 3600
    assert present("session:id_token", who).kind.endswith(":id_token")
    assert present("session:refresh_token", who).expires is None


@pytest.mark.parametrize("kept", [{}, {"access_token": None}, {"access_token": ""}])
def test_a_session_may_not_have_a_token(kept: dict[str, Any]) -> None:
    assert (
        present("session:access_token", caller(session=session_of(**kept))) == MISSING
    )


def test_without_a_session_there_is_no_token_of_one() -> None:
    assert present("session:access_token", caller()) == MISSING


def test_tokens_of_another_authenticator_are_not_taken() -> None:
    """What one provider gave is not for another's server."""
    logged_in = caller(session=session_of(access_token="a"))
    for text, name, who in (
        ("session:access_token", "oidc", logged_in),
        ("access_token", "fake", caller()),
    ):
        assert isinstance(present(text, who, authenticator=name), Presented)
        assert present(text, who, authenticator="other") == MISSING


def test_tokens_of_another_issuer_are_not_taken() -> None:
    """One authenticator may know many providers."""
    logged_in = caller(session=session_of(access_token="a"))
    for text, who in (
        ("session:access_token", logged_in),
        ("access_token", caller()),
    ):
        issuer = "https://login.example.com"
        assert isinstance(present(text, who, issuer=issuer), Presented)
        assert present(text, who, issuer="https://login.example.net") == MISSING


@pytest.mark.parametrize(
    "who",
    [
        make_identity("alice", token=THEIRS),
        make_identity("bob", authenticator="oidc"),
        make_identity("alice", authenticator="oidc", issuer="https://other"),
    ],
)
def test_a_session_that_lies_beside_is_not_the_callers(who: Identity) -> None:
    """Alice's access token with Bob's cookie must not give Alice Bob's tokens."""
    beside = caller(who, session=session_of(access_token="a"))
    assert present("session:access_token", beside) == MISSING


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("cookie:legacy", asking({"cookie": "a=b; legacy=t0k; c=d"})),
        ("header:X-Token", asking({"x-token": "t0k"})),
        ("header:Authorization Legacy", asking({"authorization": "LEGACY t0k"})),
        ("query:token", asking(query="a=b&token=t0k")),
        ("query:token", asking(query="t%6Fken=t0k")),
    ],
)
def test_what_the_client_sends_is_taken_from_its_place(text: str, who: Caller) -> None:
    found = present(text, who)
    assert (found.value, found.kind, found.claims) == ("t0k", "", {})


@pytest.mark.parametrize("text", ["cookie:legacy", "header:X-Token", "query:token"])
def test_a_token_in_another_place_is_none(text: str) -> None:
    others = {
        "cookie:legacy": asking({"x-token": "t"}, "token=t"),
        "header:X-Token": asking({"cookie": "legacy=t"}, "token=t"),
        "query:token": asking({"cookie": "legacy=t", "x-token": "t"}),
    }
    assert present(text, others[text]) == MISSING


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("cookie:legacy", asking({"cookie": "legacy="})),
        ("header:X-Token", asking({"x-token": ""})),
        ("query:token", asking(query="token")),
        ("header:Authorization Legacy", asking({"authorization": "Bearer t"})),
        ("header:Authorization Legacy", asking({"authorization": "Legacy"})),
    ],
)
def test_an_empty_place_has_no_token(text: str, who: Caller) -> None:
    assert present(text, who) == MISSING


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("cookie:legacy", asking({"cookie": "legacy=a; legacy=b"})),
        ("cookie:legacy", asking({"cookie": "legacy=a; legacy=a"})),
        ("cookie:legacy", asking({"cookie": "legacy=a"}, None, ("cookie", "legacy=b"))),
        ("header:X-Token", asking({"x-token": "a"}, None, ("x-token", "a"))),
        ("query:token", asking(query="token=a&token=b")),
        ("query:token", asking(query="a=b;token=a")),
    ],
)
def test_what_is_there_twice_is_ambiguous(text: str, who: Caller) -> None:
    """Somebody else would take the other one."""
    found = present(text, who)
    assert (found.status, found.reason) == (400, "token-ambiguous")


def test_a_long_token_is_refused() -> None:
    who = asking({"x-token": "a" * 16385})
    found = present("header:X-Token", who)
    assert (found.status, found.reason) == (400, "token-large")
    assert isinstance(present("header:X-Token", who, longest=16385), Presented)


@pytest.mark.parametrize("value", ["a%0d%0ab", "a%00", "%1b[31m", "t%C3%B6k", "%7F"])
def test_control_characters_are_refused(value: str) -> None:
    found = present("query:token", asking(query=f"token={value}"))
    assert (found.status, found.reason) == (400, "token-malformed")


def test_a_jwt_that_nobody_verified_shortens_what_is_kept() -> None:
    found = present("header:X-Token", asking({"x-token": THEIRS}))
    assert (found.expires, found.claims) == (NOW + 3600, {})


def test_the_clients_certificate_is_taken() -> None:
    der = Pki.create().certificate.public_bytes(Encoding.DER)
    facts = make_certificate(der=der)
    who = caller(request=make_request(certificate=facts))
    found = present("certificate", who)
    assert (found.value, found.expires) == (b64encode(der).decode(), facts.not_after)
    pem = present("certificate:pem", who).value
    assert pem.startswith("-----BEGIN CERTIFICATE-----\n")


def test_a_certificate_that_nobody_verified_is_none() -> None:
    facts = make_certificate(verified=False)
    found = present("certificate", caller(request=make_request(certificate=facts)))
    assert (found.status, found.reason) == (401, "token-unverified")
    assert present("certificate", caller()) == MISSING
    assert present("certificate", caller(request=make_request(tls=False))) == MISSING


def bound(text: str, *answers: Any, audience: str = "") -> tuple[Subject, Any]:  # noqa: ANN401
    source = FakeTokenSource(*answers, consumes=("x-inner",))
    tools = FakeTools(tokens={"inner": source})
    return read_subject_option(text).bound(tools, audience), source


def test_another_sources_token_is_taken_with_all_that_it_says() -> None:
    headers = (("set-cookie", "a=b"),)
    token = Token(value="t", kind="urn:x", expires=17.0, headers=headers)
    subject, source = bound("token:inner", token, audience="urn:them")
    found = outcome_of(subject.present(caller()))
    assert found == Presented(
        value="t", kind="urn:x", expires=17.0, key=sha256(b"t").digest()
    )
    assert found.headers == headers
    assert source.asked[0][1].name == "urn:them"
    assert subject.consumes == ("x-inner",)


def test_what_another_source_refuses_is_refused() -> None:
    no = NotIssued(reason="token-refused", status=401)
    subject, _ = bound("token:inner", no)
    assert outcome_of(subject.present(caller())) is no


def test_there_has_to_be_that_other_source() -> None:
    with pytest.raises(ConfigError, match="there is no token 'other'"):
        read_subject_option("token:other").bound(FakeTools(), "")


@pytest.mark.parametrize(
    ("text", "consumes"),
    [
        ("cookie:Legacy", ("cookie:Legacy",)),
        ("header:X-Token Foo", ("x-token",)),
        ("query:token", ("?token",)),
        ("access_token", ()),
        ("session:id_token", ()),
        ("certificate", ()),
        ("none", ()),
    ],
)
def test_what_clients_send_is_taken_away(text: str, consumes: tuple[str, ...]) -> None:
    assert read_subject_option(text).consumes == consumes


def test_what_was_presented_is_never_shown() -> None:
    who = caller(make_identity(token="very-secret", claims={"a": "very-secret"}))
    assert "very-secret" not in repr(present("access_token", who))
