"""The files: whose they are, what they survive, and when they are not trusted."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import lmdb
import pytest

from sso_proxy.caches.environment import Environment, UnusableError
from sso_proxy.errors import UnavailableError
from sso_proxy.testing.clock import SettableClock
from tests.support.caching import COUNTED, CacheProcess, now, real_cache
from tests.support.running import environment

SIZE = 2**24


def opened(
    directory: Path, clock: SettableClock | None = None, boot: str = "boot-1"
) -> Environment:
    made = Environment(directory, clock or SettableClock(), boot)
    made.open(SIZE)
    return made


def put(made: Environment, value: bytes) -> None:
    made.write(lambda txn, _: txn.put(b"key", value))


def get(made: Environment) -> bytes | None:
    return made.read(lambda txn, _: txn.get(b"key"))


def refusal(directory: Path) -> str:
    with pytest.raises(UnusableError) as caught:
        opened(directory)
    return str(caught.value)


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    made = opened(tmp_path / "a" / "cache")
    for path in (made.directory, *made.directory.iterdir()):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path
    made.close()


def test_directory_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o770)
    assert "chmod 700" in refusal(tmp_path / "cache")


def test_opening_twice_is_opening_once(tmp_path: Path) -> None:
    made = opened(tmp_path / "cache")
    put(made, b"1")
    made.open(2 * SIZE)
    made.open(SIZE // 2)
    assert get(made) == b"1"
    made.close()
    made.close()
    assert not made.is_open


def test_data_survive_being_closed(tmp_path: Path) -> None:
    first = opened(tmp_path / "cache")
    put(first, b"1")
    first.close()
    for boot in ("boot-1", "boot-2"):
        again = opened(tmp_path / "cache", boot=boot)
        assert get(again) == b"1"
        again.close()


def test_data_are_not_trusted_after_the_machine_went_down(tmp_path: Path) -> None:
    """What was on its way to the disk may be there in part."""
    first = opened(tmp_path / "cache")
    put(first, b"1")
    first._let_go()  # noqa: SLF001
    again = opened(tmp_path / "cache", boot="boot-2")
    assert get(again) is None
    put(again, b"2")
    again._let_go()  # noqa: SLF001
    same = opened(tmp_path / "cache", boot="boot-2")
    assert get(same) == b"2"
    same.close()


def test_change_that_fails_leaves_nothing(tmp_path: Path) -> None:
    made = opened(tmp_path / "cache")
    put(made, b"1")

    def broken(txn: "lmdb.Transaction[bytes]", _: int) -> None:
        txn.put(b"key", b"2")
        raise UnavailableError("room")

    with pytest.raises(UnavailableError):
        made.write(broken)
    assert get(made) == b"1"
    assert made.trouble() == ""
    made.close()


def test_it_is_opened_anew_after_a_write_that_failed_half_way(tmp_path: Path) -> None:
    made = opened(tmp_path / "cache")
    put(made, b"1")

    def panic(_txn: object, _now: int) -> None:
        raise lmdb.PanicError("disk")

    with pytest.raises(UnavailableError):
        made.write(panic)
    assert made.trouble()
    assert get(made) == b"1"
    put(made, b"2")
    made.close()
    assert (tmp_path / "cache" / "in-use").read_text() == "closed"


def test_trouble_is_forgotten_after_a_while(tmp_path: Path) -> None:
    clock = SettableClock()
    made = opened(tmp_path / "cache", clock)
    with pytest.raises(UnavailableError):
        made.read(lambda txn, _: txn.put(b"key", b"in a transaction that reads"))
    assert made.trouble()
    clock.advance(60)
    assert made.trouble() == ""
    made.close()


def test_time_goes_on_from_where_it_was(tmp_path: Path) -> None:
    clock = SettableClock()
    made = opened(tmp_path / "cache", clock)
    start = made.now()
    clock.advance(10)
    assert made.now() == start + 10_000_000
    clock.now -= 5000
    assert made.now() == start + 10_000_000
    made.close()
    same = opened(tmp_path / "cache", clock)
    assert same.now() == start + 10_000_000
    same.close()


def test_time_never_goes_back_between_boots(tmp_path: Path) -> None:
    clock = SettableClock()
    made = opened(tmp_path / "cache", clock)
    clock.advance(100)
    latest = made.now()
    made.close()
    earlier = SettableClock(clock.now - 1000)
    rebooted = opened(tmp_path / "cache", earlier, boot="boot-2")
    assert rebooted.now() == latest
    rebooted.close()
    later = SettableClock(clock.now + 1000)
    again = opened(tmp_path / "cache", later, boot="boot-3")
    assert again.now() == latest + 1_000_000_000
    again.close()


def test_other_programs_data_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o700)
    with lmdb.open(str(tmp_path / "cache")) as env, env.begin(write=True) as txn:
        txn.put(b"theirs", b"precious")
    assert "another program" in refusal(tmp_path / "cache")
    with lmdb.open(str(tmp_path / "cache")) as env, env.begin() as txn:
        assert txn.get(b"theirs") == b"precious"


def test_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o700)
    (tmp_path / "cache" / "data.mdb").write_bytes(b"no database" * 1000)
    assert "not an LMDB file" in refusal(tmp_path / "cache")


def test_other_layout_is_refused(tmp_path: Path) -> None:
    made = opened(tmp_path / "cache")
    made.write(lambda txn, _: txn.put(b"\0sso-proxy", b'{"layout": 1}'))
    made.close = lambda: None  # type: ignore[method-assign]
    made._let_go()  # noqa: SLF001
    assert "another release" in refusal(tmp_path / "cache")


def test_how_long_it_takes_is_counted_and_so_is_what_fails(tmp_path: Path) -> None:
    made = opened(tmp_path / "cache")
    put(made, b"1")
    get(made)
    with pytest.raises(ZeroDivisionError):
        made.write(lambda _txn, _now: 1 // 0)
    assert sum(made.durations.counts) == 3
    made.close()


def test_marks_that_were_in_use_when_the_machine_went_down_are_gone(
    tmp_path: Path,
) -> None:
    made = opened(tmp_path / "cache")
    assert made.mark(b"m" * 16, 10**9)
    made._let_go()  # noqa: SLF001
    again = opened(tmp_path / "cache", boot="boot-2")
    assert again.mark(b"m" * 16, 10**9)
    again.close()


def test_marks_stay_over_a_restart_in_good_order(tmp_path: Path) -> None:
    made = opened(tmp_path / "cache")
    assert made.mark(b"m" * 16, 10**9)
    made.close()
    with pytest.raises(UnavailableError, match="closed"):
        made.mark(b"n" * 16, 10**9)
    again = opened(tmp_path / "cache", boot="boot-2")
    assert not again.mark(b"m" * 16, 10**9)
    again.close()


def test_marks_that_are_none_refuse_and_are_told(tmp_path: Path) -> None:
    made = opened(tmp_path / "cache")
    (tmp_path / "cache" / "marks").write_bytes(b"no table")
    with pytest.raises(UnavailableError, match="move them away"):
        made.mark(b"m" * 16, 10**9)
    assert "move them away" in made.trouble()
    made.close()


def test_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    """Reading what is behind the end would end the process."""
    made = opened(tmp_path / "cache")
    made.write(lambda txn, _: [txn.put(b"%d" % n, b"x" * 3000) for n in range(200)])
    made.close()
    os.truncate(tmp_path / "cache" / "data.mdb", 4096 * 50)
    for _ in range(2):
        assert "damaged" in refusal(tmp_path / "cache")


def test_machine_that_does_not_say_when_it_began_is_refused(tmp_path: Path) -> None:
    """Data that were cut off by its end would count as whole."""
    with pytest.raises(UnusableError, match="boot_id cannot be read"):
        opened(tmp_path / "cache", boot="")
    assert not (tmp_path / "cache").exists()


def test_directory_that_cannot_be_made_is_refused() -> None:
    assert "/proc/cache" in refusal(Path("/proc/cache"))


def test_first_of_several_processes_adds_a_name(tmp_path: Path) -> None:
    """Every name is added once and taken once, whoever is quicker."""
    cache = real_cache(tmp_path / "cache")
    cache.open()
    with (
        CacheProcess(tmp_path / "cache") as one,
        CacheProcess(tmp_path / "cache") as two,
    ):
        for what in ("add", "take"):
            for process in (one, two):
                process.say(f"{what} a 0 3000")
            ours = 0
            for n in range(3000):
                if what == "add":
                    ours += now(cache.add("a", b"%d" % n, b"", 60))
                else:
                    ours += now(cache.take("a", b"%d" % n)) is not None
            counts = [int(one.answer()), int(two.answer()), ours]
            assert sum(counts) == 3000
    cache.store.close()


def test_process_killed_while_it_writes_breaks_nothing(tmp_path: Path) -> None:
    cache = real_cache(tmp_path / "cache")
    cache.open()
    now(cache.add("a", b"mark", b"", 60))
    for _ in range(4):
        with CacheProcess(tmp_path / "cache") as other:
            other.say("fill b")
            assert other.answer() == "filling"
            other.kill()
        assert not now(cache.add("a", b"mark", b"", 60))
        now(cache.put("b", b"ours", b"x", 60))
        cache.store.sweep()
    counted = cache.store.totals()["b"].octets
    for _ in range(10):
        now(cache.put("b", b"ours", b"x", 60))
    assert cache.store.totals()["b"].octets <= counted
    with CacheProcess(tmp_path / "cache") as other:
        assert other.ask("get b ours") == "x"
    cache.store.close()


def test_three_processes_lose_nothing_when_one_is_killed(tmp_path: Path) -> None:
    """Whatever was written stays, also what the third had written; nobody waits."""
    begun, directory = time.monotonic(), tmp_path / "cache"
    with (
        CacheProcess(directory) as one,
        CacheProcess(directory) as two,
    ):
        for life in range(6):
            first, last = 300 * life, 300 * (life + 1)
            with CacheProcess(directory) as third:
                third.say(f"count c third{life}")
                one.say(f"write c one {first} {last}")
                two.say(f"write c two {first} {last}")
                said = [third.answer() for _ in range(20 + 13 * life)]
                third.kill()
                said += third.last_words()
            assert said == [str(number) for number in range(len(said))]
            assert one.answer() == two.answer() == "written"
            for process in (one, two):
                for who in ("one", "two"):
                    assert process.ask(f"read c {who} 0 {last}") == str(last)
                written = min(len(said), COUNTED)
                third_s = f"read c third{life} 0 {written}"
                assert process.ask(third_s) == str(written)
        with CacheProcess(directory) as late:
            assert late.ask("read c two 0 1800") == "1800"
    assert time.monotonic() - begun < 30


def test_last_process_to_close_has_the_data_trusted(tmp_path: Path) -> None:
    with (
        CacheProcess(tmp_path / "cache") as one,
        CacheProcess(tmp_path / "cache") as two,
    ):
        assert one.ask("add a 0 1") == "1"
        assert one.ask("close") == "closed"
        assert (tmp_path / "cache" / "in-use").read_text() != "closed"
        assert two.ask("close") == "closed"
    assert (tmp_path / "cache" / "in-use").read_text() == "closed"
    cache = real_cache(tmp_path / "cache", boot="another")
    cache.open()
    assert now(cache.get("a", b"0")) == b""
    cache.store.close()


def test_larger_files_of_another_process_are_taken_as_they_are(tmp_path: Path) -> None:
    small = real_cache(tmp_path / "cache")
    small.store.open(2**20)
    with CacheProcess(tmp_path / "cache") as other:
        assert other.ask("add a 0 9000") == "9000"
        assert now(small.add("a", b"0", b"", 60)) is False
        assert now(small.add("a", b"more", b"", 60)) is True
    small.store.close()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from sso_proxy.errors import UnavailableError
from tests.support.caching import now, real_cache

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
cache = real_cache(Path(sys.argv[1]))
cache.open()
now(cache.add("a", b"mark", b"", 60))
limit = 400_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
refused = 0
for number in range(100):
    try:
        now(cache.put("b", b"%d" % number, b"x" * 50_000, 60))
    except UnavailableError:
        refused += 1
assert refused > 50, refused
assert now(cache.probe()), "nobody would know"
assert not now(cache.add("a", b"mark", b"", 60))
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
now(cache.put("b", b"more", b"x" * 50_000, 60))
assert now(cache.get("b", b"more"))
assert not now(cache.add("a", b"mark", b"", 60))
cache.store.close()
print("well")
"""


def test_full_disk_is_an_error_and_then_it_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "cache")],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("well\n", 0), done.stderr
