"""A finding is one line."""

import pytest

from sso_proxy.doctor.finding import Finding


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (Finding("ok", "clock", "as at a.example"), "ok      clock: as at a.example"),
        (Finding("warning", "c", "slow", "move it"), "warning c: slow; move it"),
        (Finding("broken", "c", "gone", "renew it"), "broken  c: gone; renew it"),
    ],
)
def test_a_line_says_how_it_is_and_what_to_do(finding: Finding, line: str) -> None:
    assert str(finding) == line
