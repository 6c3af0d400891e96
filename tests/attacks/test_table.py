"""The table of attacks lacks only what is not there yet; its tests exist."""

import ast
from pathlib import Path

import pytest

from tests.attacks.table import PENDING, TABLE
from tests.attacks.test_payloads import ALLOWED, REFUSED

TESTS = Path(__file__).parent.parent

ROWS = (
    "A1 A2 A3 A4 A5 A7 A8 A9 A10 A12 A14 A15 A16 A17 A18 A19 A20 A21 A22"
    " B1 B3 B4 B8 B9 B10 B11 B12 B13 B14 B15 B16 B17 B19 B20 B21 B22 B23 B24 B25 B27"
    " B28 C1 C2 C5 C6 C7 C8 C9 C10 C11 C12 C14 C16 C17 C21 C22 C23 C24 C25 C26 C27 C28"
    " C30 C31 C32 C33 C34 C35 C36 C38 C40 D3 D4 D5 D6 D7 D8 D9 D11 D12 D13 D14 D17 D18"
    " E1 E2 E3 E4 E5 E6 E8 E9 E11 E12"
    " F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 F11 F12 F13 F14"
)


def test_no_row_is_missing() -> None:
    assert list(TABLE) == [each for each in ROWS.split() if each not in PENDING]


def test_what_is_pending_says_why() -> None:
    assert all(PENDING.values())
    assert set(PENDING) <= set(ROWS.split())


@pytest.mark.parametrize("attack", TABLE)
def test_a_row_names_tests_that_exist(attack: str) -> None:
    row = TABLE[attack]
    assert row.tests
    assert row.attack
    for test in row.tests:
        file, _, name = test.partition("::")
        name, _, payload = name.partition("[")
        tree = ast.parse((TESTS / file).read_text())
        found = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in found, test
        if payload:
            assert payload.rstrip("]") in {**REFUSED, **ALLOWED}, test
