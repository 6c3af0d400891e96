"""What is revoked, and what is not."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.model import Identity
from sso_proxy.specs.revocations import (
    MOST,
    Revocation,
    RevocationList,
    RevocationsFullError,
    token_digests,
)

NOW = 1_800_000_000.0
LATER = int(NOW) + 3600
ISSUER = "https://login.example.com"
OTHER = "https://other.example.com"


def identity(**changes: Any) -> Identity:  # noqa: ANN401
    """Give somebody whose token was issued a minute ago."""
    claims = {"sub": "alice", "jti": "t1", "client_id": "app", "iat": NOW - 60}
    claims.update(changes.pop("claims", {}))
    claims = {name: value for name, value in claims.items() if value is not None}
    values = {"issuer": ISSUER, "subject": "alice", "authenticator": "api", **changes}
    return Identity(claims=claims, **values)


def revoked(who: Identity, **revocation: Any) -> bool:  # noqa: ANN401
    """Say whether *who* is refused if only that is revoked."""
    revocations = RevocationList()
    revocations.add(Revocation(**{"until": LATER, **revocation}))
    return revocations.check(who, NOW) is not None


def test_nobody_is_revoked_by_an_empty_list() -> None:
    assert RevocationList().check(identity(token="a.b.c"), NOW) is None
    assert not RevocationList()


@pytest.mark.parametrize("token", ["opaque", "a.b", "head.body.signature", "a.b.c.d.e"])
def test_token_is_revoked_by_the_digest_of_all_of_it(token: str) -> None:
    digest = token_digests(token)[0]
    assert revoked(identity(token=token), token_sha256=digest)
    assert not revoked(identity(token=token + "x"), token_sha256=digest)


def test_digest_is_sha_256_in_base64url() -> None:
    """RFC 7515 appendix C: base64url without padding; FIPS 180-2 appendix B.1."""
    assert token_digests("abc") == ("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",)


def test_signed_token_is_revoked_whatever_its_signature_looks_like() -> None:
    """(r, n-s) is as good as (r, s): a holder can change an ECDSA signature."""
    digest = token_digests("head.body.signature")[1]
    assert revoked(identity(token="head.body.other"), token_sha256=digest)
    assert not revoked(identity(token="head.other.signature"), token_sha256=digest)
    assert digest == token_digests("head.body")[0]


def test_identity_without_token_has_no_digest() -> None:
    assert not revoked(identity(), token_sha256=token_digests("")[0])


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (identity(), True),
        (identity(claims={"jti": "t2"}), False),
        (identity(claims={"jti": None}), False),
        (identity(claims={"jti": ["t1"]}), False),
        (identity(issuer=OTHER), False),
    ],
)
def test_jti_counts_within_its_issuer(who: Identity, expected: bool) -> None:  # noqa: FBT001
    assert revoked(who, issuer=ISSUER, jti="t1") is expected


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (identity(), True),
        (identity(subject="alice@example.com"), True),
        (identity(claims={"sub": None}), True),
        (identity(subject="bob", claims={"sub": "bob"}), False),
        (identity(claims={"sub": 7}, subject="7"), False),
        (identity(issuer=OTHER), False),
    ],
)
def test_subject_is_the_identitys_or_the_tokens(who: Identity, expected: bool) -> None:  # noqa: FBT001
    """`subject` of an authenticator may be another claim than ``sub``."""
    assert revoked(who, issuer=ISSUER, subject="alice") is expected


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, True),
        ({"client_id": None, "azp": "app"}, True),
        ({"client_id": "other", "azp": "app"}, True),
        ({"client_id": "other"}, False),
        ({"client_id": None}, False),
    ],
)
def test_client_is_client_id_or_azp(claims: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    assert revoked(identity(claims=claims), issuer=ISSUER, client_id="app") is expected


def test_subject_with_client_is_that_user_of_that_client_only() -> None:
    chosen = {"issuer": ISSUER, "subject": "alice", "client_id": "app"}
    assert revoked(identity(), **chosen)
    assert not revoked(identity(claims={"client_id": "other"}), **chosen)
    assert not revoked(identity(subject="bob", claims={"sub": "bob"}), **chosen)


@pytest.mark.parametrize(
    ("iat", "expected"),
    [
        (NOW - 1, True),
        (NOW - 0.5, True),
        (NOW, False),
        (NOW + 1, False),
        (None, True),
        ("1", True),
        (True, True),
        (float("nan"), True),
        (float("inf"), True),
    ],
)
def test_issued_before_spares_what_proves_to_be_younger(
    iat: object,
    expected: bool,  # noqa: FBT001
) -> None:
    who = identity(claims={"iat": iat})
    assert revoked(who, issuer=ISSUER, issued_before=int(NOW)) is expected
    assert revoked(who, issuer=ISSUER, subject="alice", issued_before=int(NOW)) is (
        expected
    )


def test_revocation_ends_at_its_time() -> None:
    assert revoked(identity(), issuer=ISSUER, jti="t1", until=int(NOW) + 1)
    assert not revoked(identity(), issuer=ISSUER, jti="t1", until=int(NOW))


def test_clock_set_forward_and_back_forgets_nothing() -> None:
    revocations = RevocationList()
    revocations.add(Revocation(issuer=ISSUER, jti="t1", until=LATER))
    assert revocations.check(identity(), LATER + 1) is None
    assert revocations.over(LATER + 86399) == []
    assert revocations.check(identity(), NOW) is not None


def test_one_is_over_a_day_after_its_time() -> None:
    revocations = RevocationList()
    one = revocations.add(Revocation(issuer=ISSUER, jti="t1", until=LATER))
    revocations.add(Revocation(issuer=ISSUER, jti="t2", until=LATER + 1))
    assert revocations.over(LATER + 86400) == [one.id]


def test_repetition_never_shortens() -> None:
    revocations = RevocationList()
    long = Revocation(issuer=ISSUER, jti="t1", until=LATER)
    short = attrs.evolve(long, until=LATER - 1)
    longer = attrs.evolve(long, until=LATER + 1)
    assert revocations.add(long) is long
    assert revocations.add(short) is long
    assert revocations.add(longer) is longer
    assert list(revocations) == [longer]


def test_other_time_of_issue_is_another_revocation() -> None:
    """Whoever is locked out stays so when all are told to log in again."""
    revocations = RevocationList()
    locked = Revocation(issuer=ISSUER, subject="alice", until=LATER)
    again = attrs.evolve(locked, issued_before=1)
    for each in (locked, again):
        revocations.add(each)
    assert len(revocations) == 2
    assert revocations.check(identity(), NOW) is locked
    assert revocations.remove(locked.id) is locked
    assert revocations.check(identity(), NOW) is None


def test_removing_what_is_not_there_changes_nothing() -> None:
    revocations = RevocationList()
    one = revocations.add(Revocation(issuer=ISSUER, jti="t1", until=LATER))
    assert revocations.remove("no such id") is None
    assert list(revocations) == [one]


def test_list_is_bounded() -> None:
    revocations = RevocationList()
    for number in range(MOST):
        revocations.add(Revocation(issuer=ISSUER, jti=str(number), until=LATER))
    with pytest.raises(RevocationsFullError):
        revocations.add(Revocation(issuer=ISSUER, jti="one more", until=LATER))
    known = Revocation(issuer=ISSUER, jti="7", until=LATER + 1)
    assert revocations.add(known) is known
    assert len(revocations) == MOST


NAMES = st.sampled_from(["a", "b"])
SELECTIONS = st.one_of(
    st.builds(lambda t: {"token_sha256": token_digests(t)[-1]}, NAMES),
    st.fixed_dictionaries({"issuer": NAMES, "jti": NAMES}),
    st.fixed_dictionaries(
        {"issuer": NAMES},
        optional={
            "subject": NAMES,
            "client_id": NAMES,
            "issued_before": st.integers(1, 4),
        },
    ),
)
REVOCATIONS = st.builds(
    lambda selection, until: Revocation(**selection, until=until),
    SELECTIONS,
    st.integers(1, 6),
)
IDENTITIES = st.builds(
    lambda issuer, subject, token, claims: Identity(
        issuer=issuer, subject=subject, authenticator="x", token=token, claims=claims
    ),
    NAMES,
    NAMES,
    st.sampled_from(["", "a", "b", "a.b.c"]),
    st.fixed_dictionaries(
        {},
        optional={
            "sub": NAMES,
            "jti": NAMES,
            "client_id": NAMES,
            "azp": NAMES,
            "iat": st.integers(0, 5),
        },
    ),
)


def naively(  # noqa: PLR0911 - one for each thing that it can select
    revocation: Revocation, who: Identity, now: float
) -> bool:
    """Say the same as the list, one revocation and one attribute at a time."""
    if now >= revocation.until:
        return False
    if revocation.token_sha256 is not None:
        return bool(who.token) and revocation.token_sha256 in token_digests(who.token)
    if revocation.issuer != who.issuer:
        return False
    if revocation.jti is not None:
        return who.claims.get("jti") == revocation.jti
    subjects = {who.subject, who.claims.get("sub")}
    clients = {who.claims.get("client_id"), who.claims.get("azp")}
    if revocation.subject is not None and revocation.subject not in subjects:
        return False
    if revocation.client_id is not None and revocation.client_id not in clients:
        return False
    before, iat = revocation.issued_before, who.claims.get("iat")
    return before is None or iat is None or iat < before


@given(
    st.lists(REVOCATIONS, max_size=12),
    st.sets(st.integers(0, 11)),
    IDENTITIES,
    st.integers(0, 7),
)
def test_list_says_what_going_through_all_would_say(
    added: list[Revocation], removed: set[int], who: Identity, now: int
) -> None:
    revocations = RevocationList()
    naive: dict[str, Revocation] = {}
    for each in added:
        revocations.add(each)
        if each.id not in naive or naive[each.id].until < each.until:
            naive[each.id] = each
    for number in removed & set(range(len(added))):
        revocations.remove(added[number].id)
        naive.pop(added[number].id, None)
    found = revocations.check(who, now)
    expected = [each for each in naive.values() if naively(each, who, now)]
    assert (found is not None) == bool(expected)
    assert found is None or found in expected
    assert sorted(revocations, key=lambda r: r.id) == sorted(
        naive.values(), key=lambda r: r.id
    )
