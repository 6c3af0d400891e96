"""The header fields of device-bound sessions, as drafts and as browsers have them."""

from typing import Any

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.dbsc.fields import (
    OTHER_REASON,
    SKIP_REASONS,
    Provider,
    build_challenge,
    build_registration,
    read_response,
    read_session_id,
    why_skipped,
)

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)


def test_an_offer_is_written_as_browsers_read_it() -> None:
    """What Chromium 156 was seen to take."""
    assert (
        build_registration("/.sso/dbsc/register", "abc")
        == '(ES256 RS256);path="/.sso/dbsc/register";challenge="abc"'
    )
    assert (
        build_registration("/r", "c", authorization="code", algorithms=("ES256",))
        == '(ES256);path="/r";challenge="c";authorization="code"'
    )


def test_an_offer_names_the_session_whose_key_it_wants() -> None:
    provider = Provider(session_id="s1", url="https://idp.example", key="T" * 43)
    assert build_registration("/r", "c", provider=provider) == (
        '(ES256 RS256);path="/r";challenge="c";provider_session_id="s1"'
        f';provider_url="https://idp.example";provider_key="{"T" * 43}"'
    )


def test_a_challenge_names_its_session() -> None:
    assert build_challenge("nonce", "s1") == '"nonce";id="s1"'


def parse_list(text: str) -> Any:  # noqa: ANN401
    return http_sf.parse(text.encode(), tltype="list")


@given(PRINTABLE, PRINTABLE, PRINTABLE)
def test_others_read_what_is_written(path: str, challenge: str, code: str) -> None:
    """No value brings in more than itself."""
    text = build_registration(path, challenge, authorization=code)
    [(algorithms, parameters)] = parse_list(text)
    assert [str(algorithm) for algorithm, _ in algorithms] == ["ES256", "RS256"]
    assert parameters.pop("authorization", "") == code
    assert parameters == {"path": path, "challenge": challenge}
    [written] = parse_list(build_challenge(challenge, path))
    assert written == (challenge, {"id": path})


@pytest.mark.parametrize("text", ["a\r\nSet-Cookie: a=b", "é", "\0"])
def test_what_no_field_can_hold_is_not_written(text: str) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        build_registration("/r", text)
    with pytest.raises(ValueError, match="cannot hold"):
        build_challenge("c", text)
    with pytest.raises(ValueError, match="cannot hold"):
        build_registration("/r", "c", algorithms=("ES256 RS256",))


@pytest.mark.parametrize(
    ("value", "session_id"),
    [
        ("s1", "s1"),
        ('"s1"', "s1"),
        ('"s1";x=1', "s1"),
        ("0-9_~AZ", "0-9_~AZ"),
        ('"0 9"', None),
        ('""', None),
        ("", None),
        ('"s1', None),
        ("s1;x", None),
        ('"s1", "s2"', None),
        ("s1, s2", None),
        ("(s1)", None),
        (":czE=:", None),
        ('"s\\"1"', None),
        ("é", None),
        ("a" * 257, None),
        ('"' + "a" * 20_000 + '"', None),
    ],
)
def test_identifiers_are_read(value: str, session_id: str | None) -> None:
    """The draft has a string, Chromium sends none."""
    assert read_session_id(value) == session_id


@pytest.mark.parametrize(
    ("value", "proof"),
    [
        ("eyJh.eyJq.c2ln", "eyJh.eyJq.c2ln"),
        ('"eyJh.eyJq.c2ln"', "eyJh.eyJq.c2ln"),
        ('"eyJh.eyJq.c2ln";x', "eyJh.eyJq.c2ln"),
        ("eyJh.eyJq.c2ln;x", None),
        ("eyJh.eyJq", None),
        ("a.b.c.d", None),
        ('"a.b.c", "a.b.c"', None),
        ("a.b.c, a.b.c", None),
        ("?1", None),
        ("", None),
        ('""', None),
        ('"' + "a" * 20_000 + '.b.c"', None),
    ],
)
def test_proofs_are_found(value: str, proof: str | None) -> None:
    assert read_response(value) == proof


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (['server_error;session_identifier="s1"'], "server_error"),
        (["unreachable;session_identifier=1, quota_exceeded"], "unreachable"),
        (["quota_exceeded", "unreachable"], "quota_exceeded"),
        (["new_reason"], "other"),
        (['"unreachable", (unreachable), server_error'], "server_error"),
        (['"unreachable", (unreachable)'], ""),
        (["unreachable,"], ""),
        (["unreachable", "é"], ""),
        ([""], ""),
        ([], ""),
        ([", ".join(["x"] * 100)], "other"),
        ([", ".join(["x"] * 10_000)], ""),
    ],
)
def test_reasons_are_read(values: list[str], why: str) -> None:
    """A browser says why a cookie is missing, and strangers say what they like."""
    assert why_skipped(values) == why


@given(st.text())
def test_no_field_breaks_a_reader(value: str) -> None:
    """Whatever comes is read or is nothing."""
    for text in (value, f'"{value}"', f"a;session_identifier={value}"):
        session_id, proof = read_session_id(text), read_response(text)
        assert session_id is None or session_id.isascii()
        assert proof is None or proof.count(".") == 2
        assert why_skipped([text]) in {*SKIP_REASONS, OTHER_REASON, ""}
