"""The key ring is ours alone, and never half written."""

import json
import math
import os
from pathlib import Path

import attrs
import pytest

from sso_proxy.config.key_ring import (
    KeyRing,
    RingKey,
    make_key,
    read_key_ring,
    rotate,
    write_key_ring,
)
from sso_proxy.errors import ConfigError

OLD = RingKey(kid="old", created=1, secret=b"\0" * 32)
NEW = RingKey(kid="new", created=2, secret=b"\xff" * 32)
WRITTEN = {"kid": "old", "created": 1, "alg": "A256GCM", "k": "A" * 43}


def written(path: Path, document: object, mode: int = 0o600) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    path.chmod(mode)
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ring = KeyRing((NEW, OLD))
    write_key_ring(path, ring, replace=False)
    assert read_key_ring(path) == ring


def test_form_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_key_ring(path, KeyRing((OLD,)), replace=False)
    assert json.loads(path.read_text()) == [WRITTEN]


def test_key_is_random_and_named() -> None:
    key = make_key(12.9, lambda size: b"\x01" * size)
    assert key == RingKey(kid="AQEBAQEBAQEB", created=12, secret=b"\x01" * 32)


def test_rotation_puts_the_new_key_first_and_drops_the_oldest() -> None:
    oldest = RingKey(kid="oldest", created=0, secret=b"")
    assert rotate(KeyRing((OLD, oldest)), NEW, keep=1) == KeyRing((NEW, OLD))


def test_key_may_begin_to_seal_later(tmp_path: Path) -> None:
    later = make_key(100, lambda size: b"\x01" * size, seals_after=60)
    ring = KeyRing((later, NEW, OLD))
    assert (later.created, later.seals_from) == (100, 160)
    assert [ring.sealing(now) for now in (0, 159.9, 160)] == [NEW, NEW, later]
    assert [ring.changes(now) for now in (0, 159.9, 160)] == [160, 160, math.inf]
    write_key_ring(tmp_path / "keys.json", ring, replace=False)
    assert read_key_ring(tmp_path / "keys.json") == ring


def test_oldest_key_seals_while_none_may() -> None:
    ring = KeyRing(tuple(attrs.evolve(key, seals_from=50) for key in (NEW, OLD)))
    assert ring.sealing(49).kid == "old"
    assert ring.sealing(50).kid == "new"


def test_rotating_again_at_once_keeps_the_key_that_seals() -> None:
    ring = KeyRing((OLD,))
    for number in range(3):
        key = RingKey(kid=f"k{number}", created=100, seals_from=160, secret=b"")
        ring = rotate(ring, key, keep=1)
    assert [key.kid for key in ring.keys] == ["k2", "k1", "k0", "old"]
    assert rotate(ring, NEW, keep=0) == KeyRing((NEW,))


def test_secret_is_not_shown() -> None:
    assert "xff" not in repr(KeyRing((NEW,)))


def test_file_and_its_directory_are_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "state" / "keys.json"
    before = os.umask(0)
    try:
        write_key_ring(path, KeyRing((OLD,)), replace=False)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_existing_ring_is_not_overwritten_by_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_key_ring(path, KeyRing((OLD,)), replace=False)
    with pytest.raises(ConfigError, match="is there already"):
        write_key_ring(path, KeyRing((NEW,)), replace=False)
    assert read_key_ring(path) == KeyRing((OLD,))


def test_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_key_ring(path, KeyRing((OLD,)), replace=False)
    write_key_ring(path, KeyRing((NEW,)), replace=True)
    assert [item.name for item in tmp_path.iterdir()] == ["keys.json"]


def test_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        write_key_ring(tmp_path / "file" / "k", KeyRing((OLD,)), replace=False)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_ring_that_others_get_at_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "keys.json", [WRITTEN], mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_key_ring(path)


def test_missing_ring_is_told_with_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sso-proxy key new"):
        read_key_ring(tmp_path / "keys.json")


def test_ring_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys.json").symlink_to("keys.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_key_ring(tmp_path / "keys.json")


@pytest.mark.parametrize(
    ("owner", "reader", "good"),
    [(0, 1000, True), (1000, 1000, True), (1001, 1000, False), (1001, 0, True)],
)
def test_ring_of_another_user_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: int,
    reader: int,
    good: bool,  # noqa: FBT001
) -> None:
    """Root may read everybody's: it checks the file before it becomes the user."""
    path = written(tmp_path / "keys.json", [WRITTEN])
    status = list(path.stat())
    status[4] = owner
    monkeypatch.setattr(os, "fstat", lambda _: os.stat_result(status))
    monkeypatch.setattr(os, "geteuid", lambda: reader)
    if good:
        assert read_key_ring(path) == KeyRing((OLD,))
    else:
        with pytest.raises(ConfigError, match="belongs to user 1001"):
            read_key_ring(path)


def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keys.json", 0o600)
    with pytest.raises(ConfigError, match="is not JSON"):
        read_key_ring(tmp_path / "keys.json")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("", "is not JSON"),
        ("[" * 60000, "is not JSON"),
        ("[" + " " * 70000 + "]", "longer"),
        ([], "at least one"),
        ({}, "must be a list"),
        ([1], "without exactly alg, created, k, kid"),
        ([{**WRITTEN, "more": 1}], "without exactly"),
        ([{**WRITTEN, "kid": "a b"}], "kid is not"),
        ([{**WRITTEN, "created": "1"}], "created must be an integer"),
        ([{**WRITTEN, "created": True}], "created must be an integer"),
        ([{**WRITTEN, "alg": "A128GCM"}], "alg must be A256GCM"),
        ([{**WRITTEN, "k": "A" * 22}], "32 octets"),
        ([{**WRITTEN, "k": "A" * 42 + "="}], "32 octets"),
        ([WRITTEN, WRITTEN], "same kid"),
    ],
)
def test_what_is_no_ring_is_refused(
    tmp_path: Path, document: object, problem: str
) -> None:
    path = written(tmp_path / "keys.json", document)
    with pytest.raises(ConfigError, match=problem) as e:
        read_key_ring(path)
    assert "AAAA" not in str(e.value)
    assert e.value.__cause__ is None
