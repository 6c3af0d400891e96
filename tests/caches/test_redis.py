"""The cache in Redis, against real servers: one door, however they are reached."""

from zope.interface.verify import verifyObject

from sso_proxy.caches.records import cost
from sso_proxy.caches.redis_config import RedisCacheConfig, RedisTlsConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.interfaces import ICache, IHealth, ISurveyed
from sso_proxy.testing import check_cache
from tests.support.redis_case import RedisCase
from tests.support.redis_servers import USER, USER_PASSWORD

SMALL = 2**22
LONG = b"x" * 500_000
FITS = SMALL // cost(LONG)
"""Records of that length that fit into `SMALL`."""


class RedisTests(RedisCase):
    async def test_it_keeps_the_contract(self) -> None:
        cache = self.make(server=self.servers.plain.address)
        await check_cache(cache, self.pause)

    async def test_it_is_a_cache_whose_state_matters(self) -> None:
        cache = self.make(server=self.servers.plain.address)
        assert verifyObject(ICache, cache)
        assert verifyObject(IHealth, cache)
        assert await cache.probe() == ()

    async def test_user_with_few_rights_over_tls_is_enough(self) -> None:
        """Those of docs/howto/stores.md, with a client certificate."""
        files = self.servers.directory
        cache = self.make(
            server=self.servers.tls.address,
            username=USER,
            password=Secret(USER_PASSWORD),
            tls=RedisTlsConfig(
                ca=str(files / "ca.crt"),
                certificate=str(files / "client.crt"),
                key=str(files / "client.key"),
            ),
        )
        await check_cache(cache, self.pause)
        assert await cache.probe() == ()

    async def test_unix_socket_is_enough(self) -> None:
        self.servers.plain.wait()
        cache = self.make(server=f"unix:{self.servers.socket}")
        await cache.put("a", b"1", b"x", 60)
        assert await cache.get("a", b"1") == b"x"

    async def test_servers_are_told_apart(self) -> None:
        cache = self.make(cluster=(self.servers.cluster[0].address,))
        assert verifyObject(ISurveyed, cache)
        lines = await cache.survey()
        assert len(lines) == 3
        assert all("version " in line and "master" in line for line in lines)

    async def test_kinds_do_not_take_each_others_room(self) -> None:
        cache = self.make(server=self.servers.plain.address, budget=SMALL)
        await cache.put("other", b"first to expire", b"", 1)
        for number in range(FITS):
            await cache.put("kind", b"%d" % number, LONG, 60 + number)
        assert await cache.get("kind", b"0") is not None
        await cache.put("kind", b"more", LONG, 60)
        assert await cache.get("kind", b"0") is None
        assert await cache.get("kind", b"1") is not None
        assert await cache.get("other", b"first to expire") is not None

    async def test_replay_marks_are_never_evicted(self) -> None:
        """A mark that is lost is a replay that passes."""
        cache = self.make(server=self.servers.plain.address, budget=SMALL)
        for number in range(FITS):
            assert await cache.add("marks", b"%d" % number, LONG, 60)
        assert "room" in await self.failure_of(cache.add("marks", b"x", LONG, 60))
        assert "room" in await self.failure_of(cache.put("marks", b"x", LONG, 60))
        for number in range(FITS):
            assert not await cache.add("marks", b"%d" % number, b"", 60)
        assert await cache.add("other", b"x", LONG, 60), "another kind has room"
        (line,) = await cache.probe()
        assert line.startswith("warning: ")
        assert "marks" in line

    async def test_server_that_evicts_is_worth_a_warning(self) -> None:
        options = ("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
        cache = self.make(server=self.servers.run(*options).address)
        (line,) = await cache.probe()
        assert line.startswith("warning: ")
        assert "noeviction" in line

    async def test_full_server_takes_nothing_and_hangs_nothing(self) -> None:
        options = ("--maxmemory", "1mb", "--maxmemory-policy", "noeviction")
        cache = self.make(server=self.servers.run(*options).address)
        assert "memory" in await self.failure_of(cache.add("a", b"1", LONG, 60))
        assert await cache.get("a", b"1") is None

    async def test_names_are_not_readable_in_the_server(self) -> None:
        """A session's id in a key would be as good as its cookie."""
        cache = self.make(server=self.servers.plain.address)
        await cache.put("a", b"session-id-of-alice", b"sealed", 60)
        await cache.index_add("a", b"index-of-alice", b"member", 60)
        keys = self.servers.plain.ask("KEYS", f"{cache.client.names.prefix}*")
        assert isinstance(keys, list)
        assert len(keys) == 5
        assert not any(b"of-alice" in key for key in keys if isinstance(key, bytes))

    async def test_all_keys_end_by_themselves(self) -> None:
        """What an earlier prefix left behind does not stay for ever."""
        cache = self.make(server=self.servers.plain.address)
        await cache.put("a", b"1", b"", 60)
        await cache.index_add("a", b"1", b"member", 600)
        keys = self.servers.plain.ask("KEYS", f"{cache.client.names.prefix}*")
        assert isinstance(keys, list)
        for key in keys:
            assert isinstance(key, bytes)
            left = self.servers.plain.ask("PTTL", key)
            assert isinstance(left, int)
            assert 0 < left <= 660_000

    async def test_equal_options_share_connections(self) -> None:
        """A reload loses neither connections nor subscriptions."""
        from sso_proxy.caches.redis_setup import read_settings  # noqa: PLC0415

        config = RedisCacheConfig(server="127.0.0.1:1")
        first, second = (read_settings(config, "cache.r") for _ in range(2))
        assert first == second
        assert hash(first) == hash(second)
