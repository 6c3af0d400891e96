"""``sso-proxy cache probe`` says of each cache whether it works."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

from sso_proxy.cache_probe import check
from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.caches.records import OPERATIONS
from sso_proxy.errors import UnavailableError
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.pki import Pki
from tests.support.memcached import Memcached, lying, tls_options
from tests.support.running import environment

REST = """
[[listener]]
address = "127.0.0.1"
port = 8080
tls = false
allow_plaintext = true
[[route]]
host = "*"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9000"
"""


def probe(directory: Path, caches: str, *name: str) -> tuple[int, str, str]:
    """Run the real command; gives its status and what it wrote."""
    config = directory / "sso-proxy.toml"
    config.write_text(f"[server]\nstate_dir = 'state'\n{caches}\n{REST}")
    program = "import sys; from sso_proxy.cli import main; sys.exit(main())"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program, "cache", "probe", "--config", config, *name],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
    )
    return done.returncode, done.stdout, done.stderr


def table(name: str, kind: str, **options: object) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    return "\n".join([f"[cache.{name}]", f'type = "{kind}"', *lines, ""])


def timed(out: str) -> set[str]:
    """Give the operations that a report has a time for."""
    lines = [line for line in out.splitlines() if line.endswith(" ms")]
    return {word for line in lines for word in line.replace(",", " ").split()[:-2]}


def test_every_operation_of_every_cache_is_tried(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir(mode=0o700)
    with Memcached(tmp_path) as server:
        caches = (
            table("files", "local", directory="files")
            + table("quick", "memory")
            + table("far", "memcached", servers=[server.name])
        )
        status, out, err = probe(tmp_path, caches)
    assert (status, err) == (0, "")
    reports = out.split("  type ")
    assert [report.split()[0] for report in reports[1:]] == [
        "local",
        "memory",
        "memcached",
    ]
    assert [timed(report) >= OPERATIONS for report in reports[1:]] == [
        True,
        True,
        False,
    ]
    assert f"{server.name}  memcached 1." in reports[3]
    assert f"{'add':36}  not with this type" in reports[3]


def test_one_cache_can_be_named(tmp_path: Path) -> None:
    caches = table("one", "memory") + table("other", "memory")
    status, out, _ = probe(tmp_path, caches, "other")
    assert status == 0
    assert out.startswith("other  type memory\n")
    assert "one" not in out
    status, out, err = probe(tmp_path, caches, "third")
    assert (status, out) == (1, "")
    assert "there is no [cache.third]" in err


def test_the_cache_that_there_always_is_can_be_tried(tmp_path: Path) -> None:
    status, out, err = probe(tmp_path, "")
    assert (status, out) == (1, "")
    assert "the proxy makes it when it starts" in err
    assert not (tmp_path / "state").exists()
    (tmp_path / "state" / "cache").mkdir(parents=True, mode=0o700)
    status, out, err = probe(tmp_path, "")
    assert (status, err) == (0, "")
    assert out.startswith("default  type local\n")


def test_files_of_another_user_are_left_alone(tmp_path: Path) -> None:
    assert os.geteuid() == 0, "only root can give files away"
    (tmp_path / "files").mkdir(mode=0o700)
    os.chown(tmp_path / "files", 65534, 65534)
    status, _, err = probe(tmp_path, table("files", "local", directory="files"))
    assert status == 1
    assert "belongs to another user" in err
    assert list((tmp_path / "files").iterdir()) == []


def test_a_server_that_is_down_is_named(tmp_path: Path) -> None:
    with Memcached(tmp_path) as server:
        server.kill()
        caches = table("far", "memcached", servers=[server.name])
        status, out, err = probe(tmp_path, caches)
    assert (status, err) == (1, "")
    assert f"  the cache far: {server.name}: " in out
    assert "FAILED" in out


def test_one_server_of_several_that_is_down_is_named(tmp_path: Path) -> None:
    directories = [tmp_path / "a", tmp_path / "b"]
    for directory in directories:
        directory.mkdir()
    with Memcached(directories[0]) as one, Memcached(directories[1]) as other:
        other.kill()
        caches = table("far", "memcached", servers=[one.name, other.name])
        status, out, _ = probe(tmp_path, caches)
        assert status == 1
        assert f"  {one.name}  memcached 1." in out
        assert f"  the cache far: {other.name}: " in out


def test_a_server_that_lies_is_found_out(tmp_path: Path) -> None:
    stats = b"STAT version \x1b[31mred\r\nEND\r\n"
    with lying({b"stats": stats, b"set": b"STORED\r\n", b"get": b"END\r\n"}) as liar:
        server = f"127.0.0.1:{liar.port}"
        status, out, _ = probe(tmp_path, table("far", "memcached", servers=[server]))
    assert status == 1
    assert f"{'get':36}  FAILED: another answer" in out
    assert "\x1b" not in out


def test_no_secret_is_printed(tmp_path: Path) -> None:
    pki = Pki.create()
    certificate, key = pki.issue("proxy", client=True).write(tmp_path, "client")
    with Memcached(tmp_path, *tls_options(tmp_path, pki)) as server:
        options = {"tls": True, "ca": "ca.crt", "certificate": certificate.name}
        caches = table(
            "far", "memcached", servers=[server.name], key=key.name, **options
        )
        status, out, err = probe(tmp_path, caches)
    assert (status, err) == (0, "")
    assert "PRIVATE" not in out
    assert str(tmp_path) not in out


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_an_operation_that_fails_is_found(operation: str) -> None:
    def unavailable(*_: object) -> object:
        raise UnavailableError("it")

    cache = MemoryCache(MemoryCacheConfig(), SettableClock())
    setattr(cache, operation, unavailable)
    said: list[str] = []
    assert not outcome_of(check(cache, SettableClock(), Clock(), said.append))
    assert "FAILED: it" in said[-1]
    assert operation in said[-1]


def test_an_operation_that_never_ends_is_given_up() -> None:
    class Silent(MemoryCache):
        async def publish(self, purpose: str, message: bytes) -> None:
            """Tell nobody."""

    clock, said = Clock(), list[str]()
    cache = Silent(MemoryCacheConfig(), SettableClock())
    done = ensureDeferred(check(cache, SettableClock(), clock, said.append))
    clock.advance(5)
    assert outcome_of(done) is False
    assert "not done in 5 s" in said[-1]
