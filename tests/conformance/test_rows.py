"""Every row of rows.toml can be played, and nothing else is."""

from tests.conformance.accepting import ACCEPTED
from tests.conformance.faults import FAULTS, SCENES
from tests.conformance.leaving import BORNE, WRONG
from tests.conformance.rows import ROWS


def test_every_refused_row_has_its_fault() -> None:
    rows = {(group, name) for group, found in ROWS.refused.items() for name in found}
    logouts = {("logout_token", name) for name in WRONG}
    assert rows == {*FAULTS} | SCENES | logouts


def test_every_accepted_row_has_its_test() -> None:
    assert {*ROWS.accepted} == {*ACCEPTED} | {*BORNE}


def test_no_row_is_there_twice() -> None:
    assert not SCENES & {*FAULTS}
    for group, names in ROWS.later.items():
        assert not {*names} & {*ROWS.refused.get(group, ())}
    assert not {*ACCEPTED} & {*BORNE}
