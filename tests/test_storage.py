"""Which cache and which keys a component gets, or why it gets none."""

from pathlib import Path

import pytest

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.config.key_ring import KeyRing, make_key, write_key_ring
from sso_proxy.config.model import (
    ComponentConfig,
    Config,
    KeyRingConfig,
    ListenerConfig,
    RouteConfig,
    ServerConfig,
)
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ICache
from sso_proxy.storage import Needs, Storage, key_ring_path, state_dir_of
from sso_proxy.testing.clock import SettableClock

NOTHING: frozenset[str] = frozenset()


class Made:
    """The storage of a configuration whose caches are doubles."""

    def __init__(
        self,
        tmp_path: Path,
        *caches: str,
        key_ring: KeyRingConfig | None = None,
        checking: bool = False,
    ) -> None:
        self.types: dict[str, str] = {}
        self.config = Config(
            server=ServerConfig(state_dir=str(tmp_path / "state")),
            listener=(ListenerConfig(address="127.0.0.1", tls=False),),
            cache={name: ComponentConfig(type=f"type-{name}") for name in caches},
            key_ring=key_ring,
            route=(
                RouteConfig(
                    host="*", authenticate=("anonymous",), backend="http://127.0.0.1:9"
                ),
            ),
        )
        self.storage = Storage(self.config, self.make, checking=checking)

    def make(self, name: str, component: ComponentConfig) -> ICache:
        self.types[name] = component.type
        if name == "broken":
            raise ConfigError(Mistake("cache.broken.budget", "is wrong"))
        return MemoryCache(MemoryCacheConfig(), SettableClock())


def problem(made: Made, name: str | None, needs: frozenset[str] = NOTHING) -> str:
    with pytest.raises(ConfigError) as caught:
        made.storage.cache(name, needs)
    return str(caught.value)


def ring_file(path: Path) -> KeyRingConfig:
    path.parent.mkdir(exist_ok=True)
    ring = KeyRing((make_key(0, lambda count: b"k" * count),))
    write_key_ring(path, ring, replace=False)
    return KeyRingConfig(file=str(path))


def test_without_configuration_the_default_is_local(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.storage.make_configured()
    assert made.types == {}, "nobody has asked for it"
    made.storage.cache(None, NOTHING)
    assert made.types == {"default": "local"}


def test_only_cache_is_the_default(tmp_path: Path) -> None:
    made = Made(tmp_path, "mine")
    assert made.storage.cache(None, NOTHING) is made.storage.cache("mine", NOTHING)


def test_cache_called_default_is_the_default(tmp_path: Path) -> None:
    made = Made(tmp_path, "mine", "default")
    assert made.storage.cache(None, NOTHING) is made.storage.cache("default", NOTHING)
    assert made.storage.cache("mine", NOTHING) is not made.storage.cache(None, NOTHING)


def test_of_several_caches_one_has_to_be_named(tmp_path: Path) -> None:
    assert "say which" in problem(Made(tmp_path, "a", "b"), None)


def test_cache_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    assert problem(Made(tmp_path), "mine") == "cache: there is no [cache.mine]"


def test_cache_that_cannot_do_what_is_needed_is_refused(tmp_path: Path) -> None:
    made = Made(tmp_path, "mine")
    needs = frozenset({"add", "fly"})
    assert problem(made, "mine", needs) == "cache: 'mine' is a cache that cannot fly"


def test_cache_with_mistakes_is_told_at_its_place_and_once(tmp_path: Path) -> None:
    made = Made(tmp_path, "broken")
    made.storage.make_configured()
    for _ in range(2):
        assert "needs the cache 'broken'" in problem(made, "broken")
    assert [str(m) for m in made.storage.mistakes] == ["cache.broken.budget: is wrong"]


def test_only_what_is_asked_for_is_opened(tmp_path: Path) -> None:
    made = Made(tmp_path, "a", "b")
    made.storage.make_configured()
    assert made.storage.caches == []
    first = made.storage.cache("a", NOTHING)
    made.storage.cache("a", NOTHING)
    assert made.storage.caches == [first]


def test_configured_key_ring_is_read_though_nobody_needs_it(tmp_path: Path) -> None:
    made = Made(tmp_path, key_ring=KeyRingConfig(file=str(tmp_path / "no.json")))
    made.storage.make_configured()
    (mistake,) = made.storage.mistakes
    assert mistake.path == "key_ring.file"
    assert str(tmp_path / "no.json") in mistake.problem
    with pytest.raises(ConfigError, match="our own keys"):
        made.storage.sealer("x")
    assert made.storage.needs() == Needs()


@pytest.mark.parametrize("checking", [True, False])
def test_key_ring_that_others_can_read_is_refused(
    tmp_path: Path,
    checking: bool,  # noqa: FBT001
) -> None:
    config = ring_file(tmp_path / "keys.json")
    (tmp_path / "keys.json").chmod(0o640)
    made = Made(tmp_path, key_ring=config, checking=checking)
    with pytest.raises(ConfigError):
        made.storage.sealer("x")
    assert "chmod 600" in made.storage.mistakes[0].problem


def test_sealers_of_one_kind_open_for_each_other(tmp_path: Path) -> None:
    config = ring_file(tmp_path / "keys.json")
    sealed = Made(tmp_path, key_ring=config).storage.sealer("x").seal(b"data")
    other = Made(tmp_path, key_ring=config).storage
    assert other.sealer("x").open(sealed) == b"data"
    assert other.sealer("y").open(sealed) is None


def test_check_does_not_miss_what_the_start_would_make(tmp_path: Path) -> None:
    made = Made(tmp_path, checking=True)
    sealer = made.storage.sealer("x")
    assert sealer.open(sealer.seal(b"data")) == b"data"
    state = tmp_path / "state"
    assert made.storage.needs() == Needs(directory=state, key_ring=state / "keys.json")
    assert not state.exists()


def test_serving_does_miss_it(tmp_path: Path) -> None:
    made = Made(tmp_path)
    with pytest.raises(ConfigError):
        made.storage.sealer("x")
    (mistake,) = made.storage.mistakes
    assert mistake.path == "key_ring"
    assert "sso-proxy key new" in mistake.problem


def test_default_key_ring_is_in_the_state_directory(tmp_path: Path) -> None:
    ring_file(tmp_path / "state" / "keys.json")
    made = Made(tmp_path)
    made.storage.sealer("x")
    assert state_dir_of(made.config) == tmp_path / "state"
    assert key_ring_path(made.config) == tmp_path / "state" / "keys.json"


def test_nothing_is_needed_where_nothing_is_kept(tmp_path: Path) -> None:
    made = Made(tmp_path, "mine", checking=True)
    made.storage.make_configured()
    assert made.storage.needs() == Needs()
    made.storage.cache(None, NOTHING)
    assert made.storage.needs() == Needs(directory=tmp_path / "state")
