"""The last word about a revocation, whoever said it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.revocation_document import RevocationError
from sso_proxy.specs.revocation_record import (
    RevocationRecord,
    join,
    read_record,
    write_record,
)
from sso_proxy.specs.revocations import Revocation

ALICE = Revocation(issuer="https://login.example.com", subject="alice", until=1000)
LONGER = Revocation(issuer="https://login.example.com", subject="alice", until=2000)
RECORDS = st.builds(
    lambda at, until, lifted: (
        RevocationRecord.of(
            Revocation(issuer="i", subject="s", until=until), at
        ).lifted(at)
        if lifted
        else RevocationRecord.of(Revocation(issuer="i", subject="s", until=until), at)
    ),
    st.integers(0, 4),
    st.integers(10, 13),
    st.booleans(),
)


def test_later_word_counts() -> None:
    said = RevocationRecord.of(ALICE, 10)
    lifted = said.lifted(20)
    again = RevocationRecord.of(ALICE, 30)
    assert join(said, lifted) == lifted
    assert join(lifted, again) == again
    assert join(again, said) == again


def test_of_one_moment_the_word_counts_that_revokes() -> None:
    said = RevocationRecord.of(ALICE, 10)
    assert join(said, said.lifted(10)) == said == join(said.lifted(10), said)


def test_repeating_never_weakens() -> None:
    long, short = RevocationRecord.of(LONGER, 10), RevocationRecord.of(ALICE, 20)
    assert join(long, short) == join(short, long) == RevocationRecord.of(LONGER, 20)


@given(RECORDS, RECORDS)
def test_order_does_not_matter(one: RevocationRecord, other: RevocationRecord) -> None:
    joined = join(one, other)
    assert joined.revocation == join(other, one).revocation
    assert joined.at == join(other, one).at
    assert join(joined, one) == joined or joined.revocation is None


@given(st.lists(RECORDS, min_size=1, max_size=4))
def test_machines_that_tell_each_other_all_agree(said: list[RevocationRecord]) -> None:
    """Each has heard the same in another order, and then hears what others hold."""
    held = []
    for order in itertools.islice(itertools.permutations(said), 6):
        record = order[0]
        for each in order[1:]:
            record = join(record, each)
        held.append(record)
    revoked = {each.revocation is not None for each in held}
    assert len(revoked) == 1


def test_record_is_kept_a_day_longer_than_what_it_is_about() -> None:
    record = RevocationRecord.of(ALICE, 10)
    assert not record.is_over(1000 + 86399)
    assert record.is_over(1000 + 86400)


def test_what_is_written_is_read() -> None:
    for record in (
        RevocationRecord.of(ALICE, 10),
        RevocationRecord.of(ALICE, 10).lifted(20),
    ):
        assert read_record(write_record(record)) == record


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[]",
        b"{}",
        b'{"at": 1}',
        b'{"at": "1", "lifted": "x", "until": 1}',
        b'{"at": 1, "lifted": "x", "until": 1, "more": 1}',
        b'{"at": 1, "revoked": {}}',
        b'{"at": 1, "revoked": {"issuer": "i", "jti": "1", "until": 1}, "more": 1}',
        b'{"at": 1, "lifted": "%s", "until": 1}' % (b"x" * 65),
    ],
)
def test_what_is_none_is_refused(octets: bytes) -> None:
    with pytest.raises(RevocationError):
        read_record(octets)
