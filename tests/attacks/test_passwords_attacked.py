"""Passwords are guessed, and users looked for, at the form and by Basic."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sso_proxy.checkers.htpasswd import HtpasswdChecker, HtpasswdConfig
from sso_proxy.specs.htpasswd import PasswordHash
from tests.support.password_scene import NoThreads, PasswordScene, htpasswd_line

SPELLINGS = ("alice", "Alice", "ALICE", " alice", "alice ", "\uff41lice", "aLICE")


def make_scene(directory: Path, **both: Any) -> PasswordScene:  # noqa: ANN401
    """Make a site whose users are in a file."""
    file = directory / "users"
    file.write_text(htpasswd_line("alice", "wonderland") + htpasswd_line("bob", "b"))
    config = HtpasswdConfig(file=str(file), names="casefold")
    return PasswordScene(HtpasswdChecker("users", config, NoThreads()), both=both)


def test_no_spelling_and_no_other_door_gives_further_tries(tmp_path: Path) -> None:
    """C24: counters that go by what was typed, and only where it was typed."""
    scene = make_scene(tmp_path, tries=3, first_pause=30.0)
    statuses = [scene.call(name, "wrong").status for name in SPELLINGS]
    assert statuses == [401] * 3 + [429] * 4
    page = scene.begin()
    for name in SPELLINGS:
        page = scene.submit(page, name, "wonderland")
        assert page.status == 429
    assert scene.asked == 0


class Work:
    """Counts what is done, instead of the time that it takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, scene: PasswordScene) -> None:
        self.done: Counter[str] = Counter()
        matches = PasswordHash.matches

        def count(known: PasswordHash, password: bytes) -> bool:
            self.done[f"{known.kind} {known.cost}"] += 1
            return matches(known, password)

        monkeypatch.setattr(PasswordHash, "matches", count)
        for name in ("get", "compare_and_set", "delete"):
            self._watch(monkeypatch, scene.cache, name)

    def _watch(self, monkeypatch: pytest.MonkeyPatch, cache: Any, name: str) -> None:  # noqa: ANN401
        method = getattr(cache, name)

        async def watched(purpose: str, *arguments: Any) -> Any:  # noqa: ANN401
            if purpose == "password-tries":
                self.done[name] += 1
            return await method(purpose, *arguments)

        monkeypatch.setattr(cache, name, watched)

    def take(self) -> Counter[str]:
        """Give what was done since."""
        done, self.done = self.done, Counter()
        return done


@pytest.mark.parametrize("way", ["form", "basic"])
def test_who_there_is_costs_as_much_work_as_who_there_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """C25: the time tells nothing, as nothing else is done."""
    scene = make_scene(tmp_path)
    work, seen = Work(monkeypatch, scene), []
    for user in ("alice", "nobody", "BOB"):
        if way == "form":
            scene.submit(scene.begin(), user, "wrong")
        else:
            scene.call(user, "wrong")
        seen.append(work.take())
    assert seen[0] == seen[1] == seen[2]
    assert seen[0]["apr1 1000"] == 1
