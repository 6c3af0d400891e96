"""Who of several servers is chosen."""

from collections import Counter

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.upstream.balance import in_turn, least_busy, of_user, seed_of


@attrs.define(eq=False)
class Server:
    name: str
    weight: float = 1.0
    busy: int = 0
    turn: float = 0.0

    @property
    def seed(self) -> bytes:
        return seed_of(self.name)


def servers(*weights: float) -> list[Server]:
    return [Server(str(number), weight) for number, weight in enumerate(weights)]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_turns_are_by_weight(weights: list[int]) -> None:
    some = servers(*weights)
    got = Counter(in_turn(some, b"").name for _ in range(sum(weights)))
    assert [got[each.name] for each in some] == weights


def test_turns_of_one_are_spread() -> None:
    some = servers(3, 1)
    assert "".join(in_turn(some, b"").name for _ in range(8)) == "00100010"


def test_the_least_busy_for_its_weight_is_chosen() -> None:
    some = servers(1, 2)
    some[0].busy, some[1].busy = 1, 2
    assert least_busy(some, b"").name == "1"
    some[1].busy = 4
    assert least_busy(some, b"").name == "0"


def test_equally_busy_servers_take_turns() -> None:
    some = servers(1, 1, 1)
    assert Counter(least_busy(some, b"").name for _ in range(6)) == {
        "0": 2,
        "1": 2,
        "2": 2,
    }


@pytest.mark.parametrize("busy", [0, 3])
def test_idle_servers_of_little_weight_get_their_share(busy: int) -> None:
    some = servers(1, 0.25)
    some[0].busy = busy
    assert "".join(least_busy(some, b"").name for _ in range(10)) == "0010000100"
    some[1].busy = 1
    assert {least_busy(some, b"").name for _ in range(10)} == {"0"}
    some[0].busy = 4
    assert {least_busy(some, b"").name for _ in range(10)} == {"0", "1"}


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 40)), min_size=1))
def test_nobody_gets_one_more_than_its_share(kinds: list[tuple[int, int]]) -> None:
    """By then, another has as many for its weight, or would with one more."""
    some = servers(*(weight for weight, _ in kinds))
    for each, (_, busy) in zip(some, kinds, strict=True):
        each.busy = busy
    chosen = least_busy(some, b"")
    before = chosen.busy / chosen.weight
    assert all(before < (each.busy + 1) / each.weight for each in some)


def test_users_are_spread_by_weight() -> None:
    some = servers(1, 3)
    got = Counter(of_user(some, b"user%d" % n).name for n in range(4000))
    assert 2850 < got["1"] < 3150


@given(st.binary(max_size=40), st.integers(2, 8), st.data())
def test_the_loss_of_another_server_moves_nobody(
    key: bytes, count: int, data: st.DataObject
) -> None:
    some = servers(*[1] * count)
    chosen = of_user(some, key)
    lost = data.draw(st.sampled_from([each for each in some if each is not chosen]))
    assert of_user([each for each in some if each is not lost], key) is chosen


def test_everywhere_a_user_has_the_same_server() -> None:
    """Restarts, other machines and other orders of the file: pinned for all time."""
    some = servers(1, 1, 1)
    found = [of_user(some, b"user:alice").name, of_user(some, b"user:bob").name]
    assert found == [of_user(some[::-1], k).name for k in (b"user:alice", b"user:bob")]
    assert seed_of("http://10.0.0.1:8080").hex() == "27d365d4ed8de1fd1bcc0cc675f63fe0"
