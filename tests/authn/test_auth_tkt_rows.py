"""Ours answers each row as the table says."""

import pytest

from tests.authn.auth_tkt_rows import MAY_DIFFER, ROWS
from tests.support.auth_tkt_desk import GONE, TIMEOUT, Desk, Row, Said, base64, ok
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


def test_an_old_ticket_is_taken_away_where_nobody_can_log_in(site: Site) -> None:
    """Else a guest whose ticket is too old would never be one again."""
    desk = Desk()
    late = Row("late", Said(403, given=GONE), base64(age=TIMEOUT + 9), "/alone")
    late.check(late.theirs, site.ask(late.octets(desk), desk))
    guest = Row("then", ok("guest"), path="/alone")
    guest.check(guest.theirs, site.ask(guest.octets(desk), desk))
