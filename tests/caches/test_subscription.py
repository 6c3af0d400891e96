"""Messages for one subscriber."""

import pytest
from twisted.internet.defer import CancelledError, Deferred

from sso_proxy.caches.subscription import MOST, MOST_OCTETS, Subscription
from sso_proxy.errors import UnavailableError
from sso_proxy.testing.contract import outcome_of


def ignore(_: Subscription) -> None:
    pass


def waiting(subscription: Subscription) -> "tuple[Deferred[bytes], list[object]]":
    """Wait for the next message; gives what comes of it."""
    results: list[object] = []
    deferred = Deferred.fromCoroutine(subscription.__anext__())
    deferred.addBoth(results.append)
    return deferred, results


def test_messages_come_in_order() -> None:
    subscription = Subscription(ignore)
    for message in (b"1", b"2"):
        subscription.deliver(message)
    assert outcome_of(subscription.__anext__()) == b"1"
    assert outcome_of(subscription.__anext__()) == b"2"


def test_subscriber_waits_for_a_message() -> None:
    subscription = Subscription(ignore)
    _, results = waiting(subscription)
    assert results == []
    subscription.deliver(b"1")
    assert results == [b"1"]


def test_subscriber_that_does_not_keep_up_is_told_so() -> None:
    subscription = Subscription(ignore)
    for _ in range(MOST + 1):
        subscription.deliver(b"")
    with pytest.raises(UnavailableError):
        outcome_of(subscription.__anext__())
    subscription.deliver(b"next")
    assert outcome_of(subscription.__anext__()) == b"next"


def test_what_waits_is_bounded_in_octets() -> None:
    """Whoever can write to the store fills no memory of ours."""
    subscription = Subscription(ignore)
    message = bytes(1_000_000)
    fit = MOST_OCTETS // len(message)
    for _ in range(3):
        for _ in range(fit):
            subscription.deliver(message)
        for _ in range(fit):
            assert outcome_of(subscription.__anext__()) == message
    for _ in range(fit + 1):
        subscription.deliver(message)
    with pytest.raises(UnavailableError):
        outcome_of(subscription.__anext__())
    for _ in range(fit):
        subscription.deliver(message)
    assert outcome_of(subscription.__anext__()) == message


def test_missed_messages_wake_who_waits() -> None:
    subscription = Subscription(ignore)
    deferred, results = waiting(subscription)
    subscription.miss()
    assert "UnavailableError" in repr(results)
    assert deferred.called


def test_closing_ends_the_iteration() -> None:
    closed: list[Subscription] = []
    subscription = Subscription(closed.append)
    subscription.deliver(b"unread")
    subscription.close()
    subscription.close()
    assert closed == [subscription]

    async def read() -> list[bytes]:
        return [message async for message in subscription]

    assert outcome_of(read()) == []


def test_closing_wakes_who_waits() -> None:
    subscription = Subscription(ignore)
    deferred, results = waiting(subscription)
    subscription.close()
    assert deferred.called
    assert "StopAsyncIteration" in repr(results)


def test_who_waited_may_be_cancelled_and_wait_again() -> None:
    subscription = Subscription(ignore)
    deferred, results = waiting(subscription)
    deferred.cancel()
    assert getattr(results[0], "check")(CancelledError)  # noqa: B009
    subscription.deliver(b"1")
    assert outcome_of(subscription.__anext__()) == b"1"
