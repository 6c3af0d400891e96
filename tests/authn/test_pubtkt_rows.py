"""Ours answers each row as the table says."""

import pytest

from tests.authn.pubtkt_rows import MAY_DIFFER, ROWS
from tests.support.pubtkt_desk import Desk, Row
from tests.support.pubtkt_routes import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Give a site; what it keeps of tickets is kept from row to row."""
    return Site(tmp_path_factory.mktemp("pubtkt"))


@pytest.fixture(scope="module")
def desk() -> Desk:
    """Give what makes tickets."""
    return Desk()


def test_only_known_faults_are_not_repeated() -> None:
    assert {row.why for row in ROWS if row.ours is not None} == MAY_DIFFER
    assert all(row.ours is not None for row in ROWS if row.why)
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_ours_answers_as_the_row_says(row: Row, site: Site, desk: Desk) -> None:
    said = row.ask(desk, site.ask)
    row.check(row.ours or row.theirs, said)
    assert bool(said.seen) is (said.status == 200)
