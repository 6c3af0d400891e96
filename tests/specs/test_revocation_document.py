"""Revocations as operators write them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.revocation_document import (
    DEFAULT_LIFE,
    LONGEST_LIFE,
    RevocationError,
    read_revocation,
    restore_revocation,
    write_revocation,
)
from sso_proxy.specs.revocations import Revocation, token_digests

NOW = 1_800_000_000.25
ISSUER = "https://login.example.com"
DIGEST = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
HEX = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def read(**document: Any) -> Revocation:  # noqa: ANN401
    return read_revocation(document, now=NOW)


def test_token_is_named_by_its_digest() -> None:
    assert read(token_sha256=DIGEST).token_sha256 == DIGEST == token_digests("abc")[0]


def test_digest_may_be_as_sha256sum_writes_it() -> None:
    assert read(token_sha256=HEX) == read(token_sha256=DIGEST)


def test_it_holds_for_thirty_days_unless_told_otherwise() -> None:
    assert read(issuer=ISSUER, jti="1").until == 1_800_000_001 + DEFAULT_LIFE


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2027-01-15T08:00:00Z", 1_800_000_000),
        ("2027-01-15T09:00:00+01:00", 1_800_000_000),
        ("2027-01-15T08:00:00.5Z", 1_800_000_001),
        (1_800_000_000, 1_800_000_000),
        (1_799_999_999.5, 1_800_000_000),
        ("now", 1_800_000_001),
    ],
)
def test_moments_are_read(text: object, seconds: int) -> None:
    """Up to the next second: nothing that is meant passes."""
    assert read(issuer=ISSUER, issued_before=text).issued_before == seconds


def test_end_may_be_given() -> None:
    assert read(issuer=ISSUER, jti="1", until="2027-01-16T08:00:00Z").until == (
        1_800_086_400
    )


@pytest.mark.parametrize(
    "selection",
    [
        {"subject": "alice"},
        {"client_id": "app"},
        {"issued_before": 1},
        {"subject": "alice", "client_id": "app", "issued_before": 1},
    ],
)
def test_selections_within_an_issuer(selection: dict[str, Any]) -> None:
    revocation = read(issuer=ISSUER, **selection)
    assert write_revocation(revocation) == {
        "issuer": ISSUER,
        "until": revocation.until,
        **selection,
    }


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (None, "must be a JSON object"),
        ([], "must be a JSON object"),
        ({}, "issuer is missing, or token_sha256"),
        ({"subject": "alice"}, "issuer is missing"),
        ({"issuer": ISSUER}, "an issuer alone is too much"),
        ({"issuer": ISSUER, "until": 1_800_000_100}, "an issuer alone is too much"),
        ({"issuer": ISSUER, "sub": "alice"}, "has a member other than token_sha256, "),
        ({"token_sha256": DIGEST, "issuer": ISSUER}, "token_sha256 stands alone"),
        ({"token_sha256": DIGEST, "issued_before": 0}, "token_sha256 stands alone"),
        ({"issuer": ISSUER, "jti": "1", "subject": "a"}, "issuer and jti stand alone"),
        ({"issuer": ISSUER, "jti": "1", "issued_before": 1}, "stand alone"),
        ({"token_sha256": DIGEST[:-1]}, "43 characters of base64url"),
        ({"token_sha256": DIGEST[:-1] + "1"}, "43 characters of base64url"),
        ({"token_sha256": "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"}, "43 characters"),
        ({"issuer": "", "jti": "1"}, "issuer must be a string of 1 to 512"),
        ({"issuer": ISSUER, "jti": 7}, "jti must be a string"),
        ({"issuer": ISSUER, "subject": None}, "subject must be a string"),
        ({"issuer": ISSUER, "subject": "a\nb"}, "without control characters"),
        ({"issuer": ISSUER, "subject": "\ud800"}, "without control characters"),
        ({"issuer": ISSUER, "subject": "a" * 513}, "1 to 512 characters"),
        ({"issuer": ISSUER, "issued_before": None}, "issued_before must be a time"),
        ({"issuer": ISSUER, "issued_before": True}, "seconds since the epoch"),
        ({"issuer": ISSUER, "issued_before": -1}, "seconds since the epoch"),
        ({"issuer": ISSUER, "issued_before": 1e300}, "seconds since the epoch"),
        ({"issuer": ISSUER, "issued_before": float("nan")}, "seconds since the epoch"),
        ({"issuer": ISSUER, "issued_before": "yesterday"}, "2026-01-31T13:45:00Z"),
        ({"issuer": ISSUER, "issued_before": "2026-01-31T13:45:00"}, "00Z"),
        ({"issuer": ISSUER, "issued_before": 1_800_000_301}, "is in the future"),
        ({"issuer": ISSUER, "issued_before": 1_800_000_000_000}, "is in the future"),
        ({"issuer": ISSUER, "jti": "1", "until": "now"}, "until must be seconds"),
        ({"issuer": ISSUER, "jti": "1", "until": 1_800_000_000}, "the next 366 days"),
        (
            {"issuer": ISSUER, "jti": "1", "until": 1_800_000_001 + LONGEST_LIFE},
            "within the next 366 days",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(document: object, problem: str) -> None:
    with pytest.raises(RevocationError) as caught:
        read_revocation(document, now=NOW)
    assert problem in caught.value.problem


def test_messages_show_nothing_of_what_came() -> None:
    """Somebody may send the token itself."""
    token = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"
    for document in ({token: 1}, {"token_sha256": token}, {"issuer": token}):
        with pytest.raises(RevocationError) as caught:
            read_revocation(document, now=NOW)
        assert token not in caught.value.problem


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": ISSUER, "jti": "1"},
        {"issuer": ISSUER, "jti": "1", "until": 1.5},
        {"issuer": ISSUER, "jti": "1", "until": "2027-01-16T08:00:00Z"},
        {"issuer": ISSUER, "jti": "1", "until": True},
        {"issuer": ISSUER, "issued_before": "now", "until": 1},
        {"issuer": ISSUER, "until": 1},
        {"token_sha256": HEX, "until": 1},
        {"issuer": ISSUER, "jti": "1", "until": 1, "id": "x"},
        "text",
    ],
)
def test_only_what_was_written_is_restored(document: object) -> None:
    with pytest.raises(RevocationError):
        restore_revocation(document)


TEXT = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=9)
DOCUMENTS = st.one_of(
    st.builds(lambda t: {"token_sha256": token_digests(t)[0]}, TEXT),
    st.fixed_dictionaries({"issuer": TEXT, "jti": TEXT}),
    st.fixed_dictionaries(
        {"issuer": TEXT, "subject": TEXT},
        optional={
            "client_id": TEXT,
            "issued_before": st.integers(0, int(NOW)),
            "until": st.integers(int(NOW) + 1, int(NOW) + 1000),
        },
    ),
)


@given(DOCUMENTS)
def test_what_is_written_is_restored(document: dict[str, Any]) -> None:
    revocation = read_revocation(document, now=NOW)
    kept = json.loads(json.dumps(write_revocation(revocation)))
    assert restore_revocation(kept) == revocation
    assert restore_revocation(kept).id == revocation.id
