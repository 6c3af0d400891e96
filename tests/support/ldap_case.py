"""What tests with a real directory begin with."""

from typing import Any

import pytest
from twisted.internet.task import deferLater
from twisted.internet.tcp import Client
from twisted.trial.unittest import TestCase

from sso_proxy.checkers.ldap import LdapChecker, LdapCheckerConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.ldap import LdapLink
from sso_proxy.net.ldap_dial import dial
from sso_proxy.net.ldap_options import LdapOptions, read_ldap_access
from sso_proxy.net.ldap_pool import LdapPool
from tests.support.slapd import PEOPLE, Slapd


class LdapCase(TestCase):
    """A test with a real directory."""

    @pytest.fixture(autouse=True)
    def use_slapd(self, slapd: Slapd) -> None:
        self.slapd = slapd

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        self.reactor: Any = reactor
        self.opened: list[LdapPool | LdapLink] = []

    async def tearDown(self) -> None:  # type: ignore[override]
        for each in self.opened:
            each.close()
        await self.until_left()

    def pool(self, *, clock: IClock | None = None, **options: Any) -> LdapPool:  # noqa: ANN401
        """Make a pool of the reader's, unless told otherwise."""
        access = read_ldap_access(LdapOptions(**self.slapd.options(**options)), 0.0)
        pool = LdapPool(access, self.reactor, clock or SystemClock(), dial)
        self.opened.append(pool)
        return pool

    def checker(self, **options: Any) -> LdapChecker:  # noqa: ANN401
        """Make a checker for the people, unless told otherwise."""
        reach = {k: options.pop(k) for k in [*options] if hasattr(LdapOptions, k)}
        search = {"base": PEOPLE} | options if "dn" not in options else options
        config = LdapCheckerConfig(**self.slapd.options(**reach) | search)
        pool = LdapPool(
            read_ldap_access(config, 0.0), self.reactor, SystemClock(), dial
        )
        self.opened.append(pool)
        return LdapChecker("staff", config, pool)

    async def until_left(self) -> None:
        """Wait until our connections have ended."""
        for _ in range(400):
            if not any(isinstance(each, Client) for each in self.reactor.getReaders()):
                return
            await self.pause(0.005)
        raise AssertionError(self.reactor.getReaders())

    async def pause(self, seconds: float) -> None:
        await deferLater(self.reactor, seconds)

    async def failure_of(self, asked: Any) -> str:  # noqa: ANN401
        """Give what cannot be had, and why."""
        with pytest.raises(UnavailableError) as caught:
            await asked
        return caught.value.what
