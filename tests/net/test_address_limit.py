"""Nobody causes something too often."""

from sso_proxy.net.address_limit import AddressLimit
from sso_proxy.testing.clock import SettableClock


def test_an_address_has_a_minutes_worth_and_then_what_time_brings() -> None:
    clock = SettableClock()
    limit = AddressLimit(clock, 2)
    assert [limit.allows("127.0.0.1") for _ in range(3)] == [True, True, False]
    assert limit.allows("127.0.0.2")
    clock.advance(30)
    assert [limit.allows("127.0.0.1") for _ in range(2)] == [True, False]


def test_addresses_of_one_customer_count_together() -> None:
    limit = AddressLimit(SettableClock(), 1)
    assert limit.allows("2001:db8::1")
    assert not limit.allows("2001:db8::2")
    assert limit.allows("2001:db8:0:1::1")
