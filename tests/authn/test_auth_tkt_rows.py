"""Ours answers each row as the table says."""

import pytest

from tests.authn.auth_tkt_rows import MAY_DIFFER, ROWS
from tests.support.auth_tkt_desk import Desk, Row
from tests.support.auth_tkt_routes import Site


@pytest.fixture(scope="module")
def site() -> Site:
    """Give a site."""
    return Site()


def test_only_known_faults_are_not_repeated() -> None:
    assert {row.why for row in ROWS if row.ours is not None} == MAY_DIFFER
    assert all(row.ours is not None for row in ROWS if row.why)
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_ours_answers_as_the_row_says(row: Row, site: Site) -> None:
    desk = Desk()
    said = site.ask(row.octets(desk), desk, row.peer)
    row.check(row.ours or row.theirs, said)
    assert bool(said.seen) is (said.status == 200)
