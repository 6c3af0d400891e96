"""Names to addresses."""

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import TestCase

from sso_proxy.net.connect import Address
from sso_proxy.net.resolve import Resolver
from sso_proxy.testing.clock import SettableClock


class FakeNames:
    """A reactor whose resolver answers when the test says so."""

    def __init__(self) -> None:
        self.nameResolver = self
        self.asked: list[tuple[Any, str, int]] = []

    def resolveHostName(  # noqa: N802
        self,
        receiver: Any,  # noqa: ANN401
        host: str,
        port: int,
    ) -> None:
        self.asked.append((receiver, host, port))

    def answer(self, *addresses: object, which: int = -1) -> None:
        receiver = self.asked[which][0]
        receiver.resolutionBegan(None)
        for address in addresses:
            receiver.addressResolved(address)
        receiver.resolutionComplete()


V4 = IPv4Address("TCP", "192.0.2.1", 80)
V6 = IPv6Address("TCP", "2001:db8::1", 80)


class ResolverTests(TestCase):
    """What is asked, remembered and shared."""

    def setUp(self) -> None:
        self.names = FakeNames()
        self.clock = SettableClock()
        self.resolver = Resolver(self.names, self.clock)
        self.found: list[list[Address]] = []

    def lookup(self, host: str = "a.example", port: int = 80) -> None:
        self.resolver.lookup(host, port, self.found.append)

    def test_addresses_need_no_asking(self) -> None:
        self.lookup("192.0.2.7")
        self.lookup("[2001:db8::7]", 8080)
        assert self.found == [
            [(socket.AF_INET, ("192.0.2.7", 80))],
            [(socket.AF_INET6, ("2001:db8::7", 8080))],
        ]
        assert self.names.asked == []

    def test_a_name_is_asked_for(self) -> None:
        self.lookup()
        self.names.answer(V4, V6, UNIXAddress("/ignored"))
        assert self.found == [
            [
                (socket.AF_INET, ("192.0.2.1", 80)),
                (socket.AF_INET6, ("2001:db8::1", 80)),
            ]
        ]

    def test_an_answer_is_remembered_for_a_moment(self) -> None:
        self.lookup()
        self.names.answer(V4)
        self.lookup()
        assert len(self.names.asked) == 1
        assert self.found[0] == self.found[1]
        self.clock.advance(11)
        self.lookup()
        assert len(self.names.asked) == 2

    def test_who_asks_meanwhile_shares_the_answer(self) -> None:
        for _ in range(3):
            self.lookup()
        assert len(self.names.asked) == 1
        self.names.answer(V4)
        assert len(self.found) == 3

    def test_no_answer_is_told_and_not_remembered(self) -> None:
        self.lookup()
        self.names.answer()
        assert self.found == [[]]
        self.lookup()
        assert len(self.names.asked) == 2

    def test_ports_and_names_are_kept_apart(self) -> None:
        self.lookup()
        self.lookup(port=81)
        self.lookup("b.example")
        assert len(self.names.asked) == 3

    def test_a_bounded_number_is_remembered(self) -> None:
        for number in range(1025):
            self.lookup(f"{number}.example")
            self.names.answer(V4)
        self.lookup("0.example")
        assert len(self.names.asked) == 1026

    def test_one_asker_that_fails_does_not_keep_the_others_from_hearing(self) -> None:
        broken: Callable[[list[Address]], None] = self.found_is_broken
        self.resolver.lookup("a.example", 80, broken)
        self.lookup()
        self.names.answer(V4)
        assert len(self.found) == 1
        assert len(self.flushLoggedErrors(RuntimeError)) == 1

    def found_is_broken(self, addresses: list[Address]) -> None:
        raise RuntimeError(addresses)
