"""What makes a server well or not."""

from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.upstream.standing import LEAST_SHARE, Judging, Standing

CHECKED = Judging(checked=True)


def test_failures_in_a_row_take_a_server_away() -> None:
    standing = Standing(0.0)
    judging = Judging(failures=3)
    assert not standing.failed("x", 1.0, judging)
    assert not standing.failed("x", 1.0, judging)
    standing.succeeded(1.0)
    assert [standing.failed("x", 1.0, judging) for _ in range(3)] == [0, 0, 1]
    assert (standing.up, standing.why) == (False, "x")


def test_a_pause_ends_with_one_try() -> None:
    standing, judging = Standing(0.0), Judging(failures=1, pause=5.0)
    standing.failed("x", 10.0, judging)
    assert not standing.admits(14.9, judging)
    assert standing.admits(15.0, judging)
    standing.begin_try(15.0, judging)
    assert not standing.admits(15.0, judging)
    assert standing.succeeded(16.0, tried=True)
    assert standing.up


def test_a_try_that_takes_long_is_not_the_only_one() -> None:
    standing, judging = Standing(0.0), Judging(failures=1, pause=5.0)
    standing.failed("x", 0.0, judging)
    standing.begin_try(5.0, judging)
    assert not standing.admits(9.9, judging)
    assert standing.admits(10.0, judging)


def test_what_is_asked_is_not_tried() -> None:
    standing = Standing(0.0)
    for _ in range(3):
        standing.failed("x", 0.0, CHECKED)
    assert not standing.admits(1e9, CHECKED)


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 4), st.integers(1, 4))
def test_checks_count_in_a_row(answers: list[bool], rises: int, falls: int) -> None:
    """A model that looks back over all answers says the same."""
    standing = Standing(0.0)
    judging = Judging(checked=True, rises=rises, falls=falls)
    up, run, last, seen = True, 0, None, False
    for good in answers:
        run = run + 1 if good == last else 1
        last = good
        if good:
            changed = standing.passed_check(0.0, judging)
            expected = not up and run >= rises
        else:
            changed = standing.missed_check("x", 0.0, judging)
            expected = up and (run >= falls or not seen)
        seen = seen or good
        assert changed == expected
        if expected:
            up, run = not up, 0 if good else run
        assert standing.up == up


@given(st.floats(0.0, 200.0))
def test_the_share_grows(passed: float) -> None:
    standing, judging = Standing(0.0), Judging(failures=1, pause=0.0, slow_start=100.0)
    standing.failed("x", 0.0, judging)
    standing.begin_try(0.0, judging)
    standing.succeeded(0.0, tried=True)
    share = standing.share(passed, judging)
    assert LEAST_SHARE <= share <= 1.0
    assert share <= standing.share(passed + 1, judging)
    assert standing.is_slow(passed, judging) == (passed < 100.0)


def test_who_was_never_down_has_all_of_its_share() -> None:
    assert Standing(0.0).share(0.0, Judging(slow_start=100.0)) == 1.0
