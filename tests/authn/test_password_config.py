"""The options of passwords."""

import pytest

from sso_proxy.authn.password_config import PasswordConfig


def test_pauses_grow_up_to_the_longest() -> None:
    pace = PasswordConfig(checker="users").pace(5)
    assert [pace.pause(n) for n in (4, 5, 6, 7, 99)] == [0.0, 2.0, 4.0, 8.0, 300.0]


def test_counts_are_kept_longer_than_anybody_waits() -> None:
    """Else the longest pause would be the end of all pauses."""
    pace = PasswordConfig(checker="users", longest_pause=7200.0).pace(5)
    assert pace.memory > 7200


@pytest.mark.parametrize(
    "wrong", [{"tries": 0}, {"first_pause": 0.0}, {"longest_pause": 1e9}]
)
def test_what_protects_nobody_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        PasswordConfig(checker="users", **wrong)  # type: ignore[arg-type]
