"""Which browsers may see the status page."""

from sso_proxy.endpoints.status_access import LIFE, LINK_LIFE, MOST, StatusAccess
from sso_proxy.testing.clock import SettableClock


def test_a_link_is_good_once() -> None:
    access = StatusAccess(SettableClock())
    link = access.make_link()
    assert access.enter(link) is not None
    assert access.enter(link) is None


def test_a_link_is_good_for_a_minute() -> None:
    clock = SettableClock()
    access = StatusAccess(clock)
    link = access.make_link()
    clock.advance(LINK_LIFE)
    assert access.enter(link) is None


def test_what_is_no_link_is_none() -> None:
    access = StatusAccess(SettableClock())
    access.make_link()
    for link in ("", "x", "\udcff", "é"):
        assert access.enter(link) is None


def test_place_and_cookie_have_to_fit() -> None:
    access = StatusAccess(SettableClock())
    one, two = access.enter(access.make_link()), access.enter(access.make_link())
    assert one is not None
    assert two is not None
    assert access.find(one[0].place, [one[1]]) is one[0]
    assert access.find(one[0].place, ["set by others", one[1]]) is one[0]
    assert access.find(one[0].place, [two[1]]) is None
    assert access.find(one[0].place, []) is None
    assert access.find("elsewhere", [one[1]]) is None
    assert one[0].token != two[0].token


def test_a_pass_ends() -> None:
    clock = SettableClock()
    access = StatusAccess(clock)
    entered = access.enter(access.make_link())
    assert entered is not None
    clock.advance(LIFE - 1)
    assert access.find(entered[0].place, [entered[1]]) is not None
    clock.advance(1)
    assert access.find(entered[0].place, [entered[1]]) is None


def test_who_leaves_is_out() -> None:
    access = StatusAccess(SettableClock())
    entered = access.enter(access.make_link())
    assert entered is not None
    access.leave(entered[0])
    assert access.find(entered[0].place, [entered[1]]) is None


def test_links_and_passes_are_bounded() -> None:
    access = StatusAccess(SettableClock())
    first = access.make_link()
    links = [access.make_link() for _ in range(MOST)]
    assert access.enter(first) is None
    entered = [access.enter(link) for link in links]
    access.enter(access.make_link())
    found = [e is not None and access.find(e[0].place, [e[1]]) for e in entered]
    assert found[0] is None
    assert all(found[1:])


def test_nothing_secret_is_shown() -> None:
    access = StatusAccess(SettableClock())
    entered = access.enter(access.make_link())
    assert entered is not None
    shown = repr(entered[0])
    secrets = (entered[0].place, entered[0].token, entered[1])
    assert not any(secret in shown for secret in secrets)
