"""What requests are called."""

from sso_proxy.edge.ids import RequestIds


def test_each_request_has_a_name_of_its_own() -> None:
    ids = RequestIds()
    assert len({ids.next() for _ in range(1000)}) == 1000


def test_two_processes_do_not_give_the_same() -> None:
    assert not {RequestIds().next() for _ in range(100)} & {RequestIds().next()}


def test_it_is_short_and_needs_no_escaping() -> None:
    first, second = RequestIds().next().split("-")
    assert len(bytes.fromhex(first)) == 6
    assert second == "1"
