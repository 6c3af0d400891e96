"""A few connections serve all searches, and each login has its own."""

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, DeferredList

from sso_proxy.net import ldap_pool
from sso_proxy.net.ldap_pool import LdapPool, TooManyError
from sso_proxy.net.ldap_values import Search
from sso_proxy.specs.ldap import Equal
from sso_proxy.testing.clock import SettableClock
from tests.support.ldap_case import LdapCase
from tests.support.slapd import BOB, MANY, PASSWORD, PEOPLE, READER_PASSWORD, Relay

BOBS = Search(base=PEOPLE, filter=Equal("uid", "bob"), attributes=("cn",), most=1)


class LdapPoolTests(LdapCase):
    def relayed(self, **options: Any) -> tuple[Relay, LdapPool]:  # noqa: ANN401
        relay = self.enterContext(Relay(self.slapd.port))
        return relay, self.pool(url=f"ldap://localhost:{relay.port}", **options)

    async def search(self, pool: LdapPool) -> None:
        (found,) = await pool.search(BOBS)
        assert found.name == BOB
        assert found.texts("cn") == ("bob",)

    async def test_one_connection_serves_one_search_after_the_other(self) -> None:
        relay, pool = self.relayed()
        for _ in range(5):
            await self.search(pool)
        assert relay.accepted == 1

    async def test_how_long_the_directory_takes_is_counted(self) -> None:
        pool = self.pool()
        await self.search(pool)
        guest = await pool.log_in(BOB, PASSWORD)
        assert guest is not None
        guest.close()
        assert await pool.log_in(BOB, "wrong") is None
        assert sum(pool.durations.counts) == 3
        assert pool.durations.sum > 0

    async def test_many_searches_share_few_connections(self) -> None:
        relay, pool = self.relayed(connections=3)
        searches = [Deferred.fromCoroutine(self.search(pool)) for _ in range(30)]
        assert all(good for good, _ in await DeferredList(searches))
        assert relay.accepted == 3

    async def test_more_searches_than_can_wait_are_refused(self) -> None:
        self.patch(ldap_pool, "MOST_WAITING", 1)
        pool = self.pool(connections=1)
        first = Deferred.fromCoroutine(self.search(pool))
        assert "too many searches" in await self.failure_of(self.search(pool))
        await first

    async def test_more_entries_than_wanted_are_none(self) -> None:
        many = Equal("employeeType", "many")
        pool = self.pool()
        with pytest.raises(TooManyError):
            await pool.search(Search(base=PEOPLE, filter=many, most=MANY - 1))
        found = await pool.search(Search(base=PEOPLE, filter=many, most=MANY))
        assert len(found) == MANY
        assert found[0].values == {}

    async def test_references_are_not_followed(self) -> None:
        pool = self.pool()
        elsewhere = Search(base=f"ou=elsewhere,{PEOPLE}", scope="base")
        why = await self.failure_of(pool.search(elsewhere))
        assert "referral, and none is followed" in why

    async def test_what_is_not_there_is_told_apart(self) -> None:
        pool = self.pool()
        gone = f"uid=gone,{PEOPLE}"
        assert await pool.search(Search(base=gone, scope="base")) == ()
        why = await self.failure_of(pool.search(Search(base=gone)))
        assert "noSuchObject" in why

    async def test_a_connection_that_ended_is_made_again_unnoticed(self) -> None:
        relay, pool = self.relayed(connections=1)
        await self.search(pool)
        relay.drop()
        await self.search(pool)
        assert relay.accepted == 2

    async def test_a_connection_that_is_dead_but_open_is_tried_before_use(
        self,
    ) -> None:
        relay, pool = self.relayed(connections=1, timeout=0.5)
        await self.search(pool)
        self.patch(ldap_pool, "QUIET", 0.0)
        await self.search(pool)
        assert relay.accepted == 1
        relay.hold()
        await self.search(pool)
        assert relay.accepted == 2

    async def test_the_next_server_serves_while_one_is_away(self) -> None:
        gone = self.enterContext(Relay(self.slapd.port))
        urls = (f"ldap://localhost:{gone.port}", self.slapd.tls_url)
        gone.close()
        pool = self.pool(servers=urls)
        await self.search(pool)
        assert await pool.probe() == ()

    async def test_a_server_that_is_down_is_tried_once_a_second(self) -> None:
        clock: Any = SettableClock()
        relay, pool = self.relayed(connect_timeout=0.1, clock=clock)
        relay.answers = False
        for _ in range(6):
            await self.failure_of(self.search(pool))
        assert relay.accepted == 3
        (line,) = await pool.probe()
        assert line.startswith("warning: ldap at localhost")
        clock.advance(1)
        await self.failure_of(self.search(pool))
        assert relay.accepted == 4

    async def test_health_finds_out_that_a_server_is_back(self) -> None:
        relay, pool = self.relayed(connect_timeout=0.4)
        relay.answers = False
        await self.failure_of(self.search(pool))
        relay.answers = True
        assert len(await pool.probe()) == 1
        for _ in range(1000):
            if not await pool.probe():
                break
            await self.pause(0.01)
        assert await pool.probe() == ()

    async def test_a_server_that_does_not_let_us_in_says_so(self) -> None:
        pool = self.pool(bind_dn=BOB)
        why = await self.failure_of(self.search(pool))
        assert "does not let us in: invalidCredentials" in why
        assert READER_PASSWORD not in why

    async def test_by_a_certificate_we_are_the_reader(self) -> None:
        pool = self.pool(
            auth="external",
            bind_dn="",
            bind_password=None,
            certificate=str(self.slapd.directory / "client.crt"),
            key=str(self.slapd.directory / "client.key"),
        )
        await self.search(pool)

    async def test_whoever_logs_in_has_a_connection_of_their_own(self) -> None:
        relay, pool = self.relayed(logins=1)
        assert await pool.log_in(BOB, "wrong") is None
        guest = await pool.log_in(BOB, PASSWORD)
        assert guest is not None
        (own,) = await guest.search(Search(base=BOB, scope="base", most=1))
        assert own.name == BOB
        next_one = Deferred.fromCoroutine(pool.log_in(BOB, "wrong"))
        await self.pause(0.02)
        assert not next_one.called
        guest.close()
        guest.close()
        assert await next_one is None
        assert relay.accepted == 3

    async def test_more_logins_than_can_wait_are_refused(self) -> None:
        self.patch(ldap_pool, "MOST_WAITING", 0)
        assert "too many logins" in await self.failure_of(
            self.pool().log_in(BOB, PASSWORD)
        )

    async def test_a_bind_that_proves_nothing_is_refused(self) -> None:
        relay, pool = self.relayed()
        for name, password in (("", "x"), (BOB, "")):
            with pytest.raises(ValueError, match="needs a name and a password"):
                await pool.log_in(name, password)
        assert relay.accepted == 0

    async def test_a_server_that_wants_tls_tries_no_passwords_without(self) -> None:
        """What it says then is no word about the password."""
        fake = self.enterContext(Relay(self.slapd.port))
        fake.say(bytes.fromhex("300c02010161070a010d04000400"))
        pool = self.pool(
            url=f"ldap://localhost:{fake.port}", allow_plaintext=True, connections=1
        )
        why = await self.failure_of(pool.log_in(BOB, PASSWORD))
        assert "does not try passwords: confidentialityRequired" in why

    async def test_a_pool_that_is_closed_connects_no_more(self) -> None:
        pool = self.pool()
        await self.search(pool)
        guest = await pool.log_in(BOB, PASSWORD)
        assert guest is not None
        pool.close()
        assert "closed" in await self.failure_of(self.search(pool))
        assert "closed by us" in await self.failure_of(guest.search(BOBS))
        guest.close()

    async def test_what_is_connecting_when_it_is_closed_is_closed_too(self) -> None:
        pool = self.pool()
        searching = Deferred.fromCoroutine(self.search(pool))
        entering = Deferred.fromCoroutine(pool.log_in(BOB, PASSWORD))
        pool.close()
        assert "closed" in await self.failure_of(searching)
        assert "closed" in await self.failure_of(entering)
        await self.until_left()

    async def test_what_is_no_answer_lets_nobody_in(self) -> None:
        relay = self.enterContext(Relay(self.slapd.port))
        relay.say(b"HTTP/1.1 200 OK\r\n\r\n")
        url = f"ldap://localhost:{relay.port}"
        pool = self.pool(url=url, allow_plaintext=True)
        for asked in (pool.log_in(BOB, PASSWORD), self.search(pool)):
            assert "cannot be read" in await self.failure_of(asked)

    async def test_whoever_gives_up_makes_room_for_the_next(self) -> None:
        relay = self.enterContext(Relay(self.slapd.port))
        url = f"ldap://localhost:{relay.port}"
        pool = self.pool(url=url, allow_plaintext=True, logins=1)
        relay.answers = False
        entering = Deferred.fromCoroutine(pool.log_in(BOB, PASSWORD))
        for _ in range(200):
            if BOB.encode() in relay.seen:
                break
            await self.pause(0.005)
        failed = self.assertFailure(entering, CancelledError)
        entering.cancel()
        await failed
        relay.answers = True
        guest = await pool.log_in(BOB, PASSWORD)
        assert guest is not None
        guest.close()

    async def test_who_has_left_asks_nothing(self) -> None:
        guest = await self.pool().log_in(BOB, PASSWORD)
        assert guest is not None
        guest.close()
        with pytest.raises(RuntimeError, match="have left"):
            await guest.search(BOBS)
