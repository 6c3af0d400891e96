"""Whoever answers, nothing is taken for what it is not."""

from typing import Any
from urllib.parse import urlencode

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oidc.response import (
    MAX_CODE,
    MAX_FIELDS,
    MAX_FORM,
    AnswerError,
    Arrived,
    AuthorizationAnswer,
    Refusal,
    check_answer,
    check_members,
    check_mode,
    for_log,
    read_answer,
    read_fields,
    read_refusal,
)
from sso_proxy.specs.oidc.response_type import RESPONSE_TYPES, ResponseType

ISSUER = "https://op.example"
GOOD = (("code", "a-code"), ("state", "a-state"), ("iss", ISSUER))


def read(*fields: tuple[str, str]) -> AuthorizationAnswer:
    return read_answer(fields)


def test_an_answer_with_a_code() -> None:
    assert read(*GOOD) == AuthorizationAnswer(
        code="a-code", state="a-state", iss=ISSUER
    )


def test_an_answer_with_an_error() -> None:
    answer = read(
        ("error", "access_denied"),
        ("error_description", "Not you"),
        ("error_uri", "https://op.example/why"),
        ("state", "a-state"),
    )
    assert answer == AuthorizationAnswer(
        error="access_denied", error_description="Not you", state="a-state"
    )


def test_a_signed_answer() -> None:
    assert read(("response", "a.b.c")).response == "a.b.c"


@pytest.mark.parametrize("text", ["a.b", "'\"<x>", "s" * 1024])
def test_a_session_state_is_any_text_without_blanks(text: str) -> None:
    assert read(*GOOD, ("session_state", text)).session_state == text


@pytest.mark.parametrize(
    "states", [[], [""], ["a b"], ["a\n"], ["a", "b"], ["s" * 1025]]
)
def test_a_session_state_that_cannot_be_used_is_none(states: list[str]) -> None:
    fields = [("session_state", state) for state in states]
    answer = read(*GOOD, *fields)
    assert (answer.code, answer.session_state) == ("a-code", "")


def test_unknown_parameters_are_ignored() -> None:
    """RFC 6749 4.1.2: "The client MUST ignore unrecognized response parameters.\""""
    extra = (("session", "x"), ("lang", "de"), ("lang", "de"), ("", ""))
    assert read(*GOOD, *extra) == read(*GOOD)


@pytest.mark.parametrize(
    "name",
    ["code", "state", "iss", "error", "error_description", "error_uri", "response"],
)
def test_parameters_that_count_occur_once(name: str) -> None:
    """RFC 6749 3.1: "Request and response parameters MUST NOT be included more than
    once.\""""
    for second in ("x", "a-code"):
        with pytest.raises(AnswerError, match=f"{name} occurs twice"):
            read(*GOOD, (name, "a-code"), (name, second))


TOKEN = (("access_token", "t"), ("token_type", "bearer"))


def test_an_answer_with_tokens() -> None:
    """OpenID Connect Core 3.3.2.5."""
    more = (("id_token", "a.b.c"), ("expires_in", "300"), ("scope", "openid a"))
    assert read(*GOOD, *TOKEN, *more) == AuthorizationAnswer(
        code="a-code",
        state="a-state",
        iss=ISSUER,
        id_token="a.b.c",
        access_token="t",
        token_type="Bearer",
        expires_in=300,
        scope="openid a",
    )


def test_refresh_tokens_never_come_through_the_browser() -> None:
    for value in ("", "a.b.c"):
        with pytest.raises(AnswerError, match="came through the browser"):
            read(*GOOD, ("refresh_token", value))


@pytest.mark.parametrize(
    "about",
    [
        (),
        (("token_type", ""),),
        (("token_type", "DPoP"),),
        (("token_type", "bearer" * 9),),
        (("token_type", "bearer"), ("expires_in", "")),
        (("token_type", "bearer"), ("expires_in", "-1")),
        (("token_type", "bearer"), ("expires_in", "1e3")),
        (("token_type", "bearer"), ("expires_in", "\u0661")),
        (("token_type", "bearer"), ("expires_in", "9" * 11)),
        (("token_type", "bearer"), ("scope", "a\n")),
        (("token_type", "bearer"), ("token_type", "bearer")),
    ],
)
def test_an_access_token_is_a_bearer_token(about: tuple[tuple[str, str], ...]) -> None:
    """OpenID Connect Core 3.2.2.5: "token_type REQUIRED", and its value ``Bearer``."""
    with pytest.raises(AnswerError):
        read(*GOOD, ("access_token", "t"), *about)


@pytest.mark.parametrize("name", ["id_token", "access_token"])
@pytest.mark.parametrize("value", ["", "a b", "a\n", "\x00", "a" * (MAX_FORM + 1)])
def test_tokens_are_visible_and_have_no_blanks(name: str, value: str) -> None:
    with pytest.raises(AnswerError, match=name):
        read(*GOOD, (name, value), ("token_type", "bearer"))


@pytest.mark.parametrize("name", ["id_token", "access_token"])
def test_tokens_never_come_in_a_query(name: str) -> None:
    """Multiple Response Types 3: everybody on the way would see them."""
    answer = read(*GOOD, (name, "a.b.c"), ("token_type", "bearer"))
    for asked in (None, "query", "fragment"):
        with pytest.raises(AnswerError, match=f"{name} came in a query"):
            check_mode(answer, asked=asked, arrived="query")


COMING: dict[str, Any] = {"code": "c", "id_token": "a.b.c", "access_token": "t"}


@given(st.sampled_from(RESPONSE_TYPES), st.sets(st.sampled_from([*COMING])))
def test_an_answer_has_what_was_asked_for_and_no_more(
    text: str, names: set[str]
) -> None:
    """Else who writes it could choose the flow in which less is checked."""
    asked = ResponseType(text)
    answer = AuthorizationAnswer(**{name: COMING[name] for name in names})
    if names == asked.members:
        check_members(answer, asked)
    else:
        with pytest.raises(AnswerError, match=r"unasked|there is no"):
            check_members(answer, asked)


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (("state", "a"),),
        (("iss", ISSUER),),
        (("code", "c"), ("error", "access_denied")),
        (("id_token", "a.b.c"), ("error", "access_denied")),
        (*TOKEN, ("error", "access_denied")),
        (("CODE", "c"),),
        (("code ", "c"),),
    ],
)
def test_there_is_one_thing_that_an_answer_says(
    fields: tuple[tuple[str, str], ...],
) -> None:
    with pytest.raises(AnswerError, match="exactly one"):
        read(*fields)


@pytest.mark.parametrize(
    "name", ["code", "state", "iss", "error", "error_description", "error_uri"]
)
def test_nothing_stands_beside_a_signed_answer(name: str) -> None:
    with pytest.raises(AnswerError, match="beside the signed answer"):
        read(("response", "a.b.c"), (name, "x"))


@pytest.mark.parametrize("name", ["code", "state", "iss", "error", "response"])
@pytest.mark.parametrize("value", ["", "ä", "a\x00", "a\nb", "a\tb", "\x7f", "\ud800"])
def test_values_are_visible_ascii(name: str, value: str) -> None:
    """RFC 6749 appendices A.5, A.7 and A.11."""
    rest = [f for f in GOOD if f[0] != name and name != "response"]
    with pytest.raises(AnswerError):
        read(*rest, (name, value))


@pytest.mark.parametrize(
    ("name", "most"),
    [("code", MAX_CODE), ("state", 512), ("iss", 2048), ("error", 128)],
)
def test_values_have_a_longest_length(name: str, most: int) -> None:
    rest = [f for f in GOOD if f[0] not in (name, "code" if name == "error" else "")]
    read(*rest, (name, "a" * most))
    with pytest.raises(AnswerError, match=f"{name} is too long"):
        read(*rest, (name, "a" * (most + 1)))


def test_an_answer_has_a_largest_number_of_parameters() -> None:
    with pytest.raises(AnswerError, match="too many"):
        read(*GOOD, *[("x", "y")] * MAX_FIELDS)


def test_nothing_secret_is_shown() -> None:
    tokens = (("id_token", "a-token"), ("access_token", "b-token"), *TOKEN[1:])
    shown = repr(read(*GOOD, *tokens)) + repr(read(("response", "signed-answer")))
    for secret in ("a-code", "a-state", "a-token", "b-token", "signed-answer"):
        assert secret not in shown


def test_an_error_does_not_hold_what_came() -> None:
    with pytest.raises(AnswerError) as caught:
        read(("code", "secret\x00"))
    assert "secret" not in str(caught.value)
    assert caught.value.reason == "login-refused"


@pytest.mark.parametrize(
    ("encoded", "fields"),
    [
        ("", ()),
        ("&", ()),
        ("=", (("", ""),)),
        ("%", (("%", ""),)),
        ("code=a%2Bb+c&state=", (("code", "a+b c"), ("state", ""))),
        ("co%64e=x", (("code", "x"),)),
        ("code=a;state=b", (("code", "a;state=b"),)),
        (b"code=a", (("code", "a"),)),
        ("error_description=%C3%A4", (("error_description", "ä"),)),
    ],
)
def test_forms_are_decoded_once(
    encoded: str | bytes, fields: tuple[tuple[str, str], ...]
) -> None:
    assert read_fields(encoded) == fields


@pytest.mark.parametrize(
    "encoded",
    ["code=%FF", "code=%C0%AF", "code=ä", b"code=\xc3\xa4", "a&" * (MAX_FIELDS + 1)],
)
def test_what_is_no_form_is_refused(encoded: str | bytes) -> None:
    with pytest.raises(AnswerError, match="no form"):
        read_fields(encoded)


def test_a_form_has_a_longest_length() -> None:
    with pytest.raises(AnswerError, match="too long"):
        read_fields("a" * (MAX_FORM + 1))


@pytest.mark.parametrize(
    ("asked", "arrived", "signed", "text"),
    [
        (None, "query", False, "code"),
        ("query", "query", False, "code"),
        ("form_post", "form_post", False, "code"),
        ("fragment", "fragment", False, "code"),
        ("jwt", "query", True, "code"),
        ("query.jwt", "query", True, "code"),
        ("form_post.jwt", "form_post", True, "code"),
        (None, "fragment", False, "code id_token"),
        ("fragment", "fragment", False, "id_token"),
        ("form_post", "form_post", False, "id_token token"),
        ("jwt", "fragment", True, "code token"),
        ("fragment.jwt", "fragment", True, "code"),
    ],
)
def test_an_answer_comes_in_the_way_that_was_asked_for(
    asked: str | None, arrived: Arrived, text: str, *, signed: bool
) -> None:
    answers = {True: read(("response", "a.b.c")), False: read(*GOOD)}
    ways: tuple[Arrived, ...] = ("query", "form_post", "fragment")
    type_ = ResponseType(text)
    for way in ways:
        for kind, answer in answers.items():
            if (way, kind) == (arrived, signed):
                check_mode(answer, asked=asked, arrived=way, response_type=type_)
            else:
                with pytest.raises(AnswerError):
                    check_mode(answer, asked=asked, arrived=way, response_type=type_)


def test_the_provider_that_was_asked_is_believed() -> None:
    check_answer(read(*GOOD), issuer=ISSUER, iss_required=True)
    check_answer(read(*GOOD), issuer=ISSUER, iss_required=False)
    check_answer(read(("code", "c")), issuer=ISSUER, iss_required=False)


@pytest.mark.parametrize(
    "iss", ["https://evil.example", ISSUER + "/", "HTTPS://op.example", ISSUER + "1"]
)
@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("says", [("code", "c"), ("error", "access_denied")])
def test_another_provider_is_not(
    iss: str, says: tuple[str, str], *, required: bool
) -> None:
    """RFC 9207 2.4: compare by simple string comparison, errors likewise."""
    with pytest.raises(AnswerError, match="another provider"):
        check_answer(read(says, ("iss", iss)), issuer=ISSUER, iss_required=required)


def test_an_answer_without_iss_is_refused_where_it_is_advertised() -> None:
    """RFC 9207 2.4: clients "MUST reject" such answers."""
    for says in (("code", "c"), ("error", "server_error")):
        with pytest.raises(AnswerError, match="iss is missing"):
            check_answer(read(says), issuer=ISSUER, iss_required=True)


def test_an_id_token_says_who_answers() -> None:
    """It has to be checked before the code is used; ``iss`` that differs is refused."""
    answer = read(("code", "c"), ("id_token", "a.b.c"))
    check_answer(answer, issuer=ISSUER, iss_required=True)
    other = attrs.evolve(answer, iss=ISSUER + "1")
    with pytest.raises(AnswerError, match="another provider"):
        check_answer(other, issuer=ISSUER, iss_required=True)


def test_a_signed_answer_has_to_be_opened_first() -> None:
    with pytest.raises(AnswerError, match="not been opened"):
        check_answer(read(("response", "a.b.c")), issuer=ISSUER, iss_required=False)


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        ("access_denied", ("access_denied", "login-denied", 403)),
        ("login_required", ("login_required", "login-denied", 403)),
        ("interaction_required", ("interaction_required", "login-denied", 403)),
        ("consent_required", ("consent_required", "login-denied", 403)),
        ("temporarily_unavailable", ("temporarily_unavailable", "provider-error", 503)),
        ("server_error", ("server_error", "provider-error", 502)),
        ("invalid_scope", ("invalid_scope", "provider-error", 502)),
        ("<script>alert(1)</script>", ("other", "provider-error", 502)),
        ("Access_Denied", ("other", "provider-error", 502)),
    ],
)
def test_errors_have_words_of_ours(error: str, refusal: tuple[str, str, int]) -> None:
    """CVE-2017-6059: the page showed what the query said."""
    name, reason, status = refusal
    expected = Refusal(error=name, reason=reason, status=status)
    assert read_refusal(read(("error", error))) == expected


def test_a_code_is_no_refusal() -> None:
    assert read_refusal(read(*GOOD)) is None


def test_descriptions_are_made_fit_for_the_log() -> None:
    answer = read(("error", "x"), ("error_description", "a\r\nb\x1b[1m" + "c" * 400))
    assert answer.error_description.startswith("a??b?[1m")
    assert answer.error_description.endswith("c…")
    assert len(answer.error_description) == 301


@given(st.text())
def test_what_is_logged_is_printable(text: str) -> None:
    assert for_log(text).isprintable()


NAMES = st.sampled_from(
    [
        *("code", "state", "iss", "error", "error_description", "response", "x"),
        *("id_token", "access_token", "token_type", "expires_in", "refresh_token"),
    ]
)
VALUES = st.text(max_size=6) | st.sampled_from(["bearer", "300", "a.b.c"])
FIELDS = st.lists(st.tuples(NAMES | st.text(max_size=4), VALUES), max_size=6)


@given(FIELDS)
def test_no_other_error_is_raised(fields: list[tuple[str, str]]) -> None:
    try:
        answer = read_answer(fields)
    except AnswerError:
        return
    tokens = (answer.code, answer.id_token, answer.access_token)
    logs_in = any(value is not None for value in tokens)
    said = [logs_in, answer.error is not None, answer.response is not None]
    assert said.count(True) == 1
    assert (answer.token_type == "Bearer") == (answer.access_token is not None)
    names = [name for name, _ in fields]
    assert "refresh_token" not in names
    once = ("code", "state", "iss", "error", "id_token", "access_token")
    assert all(names.count(name) <= 1 for name in once)
    refusal = read_refusal(answer)
    assert refusal is None or refusal.error.replace("_", "").isalpha()


@given(st.text() | st.binary())
def test_no_other_error_is_raised_for_any_octets(encoded: str | bytes) -> None:
    try:
        fields = read_fields(encoded)
    except AnswerError:
        return
    assert len(fields) <= MAX_FIELDS


@given(FIELDS)
def test_a_form_says_what_was_written(fields: list[tuple[str, str]]) -> None:
    assert list(read_fields(urlencode(fields))) == fields
