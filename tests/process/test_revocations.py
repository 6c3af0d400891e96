"""The list that the main process keeps."""

import json
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import TestCase

from sso_proxy.config.private_file import write_private
from sso_proxy.errors import ConfigError
from sso_proxy.process import revocations
from sso_proxy.process.revocations import Keeper
from sso_proxy.specs.revocation_document import RevocationError
from sso_proxy.specs.revocations import MOST, Revocation
from sso_proxy.testing.clock import SettableClock

T1 = {"issuer": "https://login.example.com", "jti": "t1"}
T2 = {"issuer": "https://login.example.com", "jti": "t2"}
DAY = 86400


class FakeServing:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[list[Revocation], list[str]]] = []
        self.ended: tuple[str, ...] = ()

    async def revoke(
        self, add: Iterable[Revocation], remove: Iterable[str]
    ) -> tuple[str, ...]:
        self.told.append(([*add], [*remove]))
        return self.ended


class KeeperTests(TestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "revocations.json"
        self.clock = SettableClock()
        self.serving = FakeServing()
        self.keeper = self.start()

    def start(self) -> Keeper:
        keeper = Keeper(self.path, self.clock)
        keeper.load()
        keeper.serving = self.serving
        return keeper

    def write(self, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        write_private(self.path, data, replace=True)

    async def test_what_is_revoked_is_kept_and_told(self) -> None:
        report = await self.keeper.revoke(T1)
        assert report.missing == ()
        assert report.revocation.jti == "t1"
        assert self.serving.told == [([report.revocation], [])]
        assert stat.S_IMODE(self.path.stat().st_mode) == 0o600
        assert list(self.start().list) == [report.revocation]

    async def test_nothing_is_written_before_anything_is_revoked(self) -> None:
        assert not self.path.parent.exists()

    async def test_what_is_lifted_is_forgotten_and_told(self) -> None:
        one = (await self.keeper.revoke(T1)).revocation
        two = (await self.keeper.revoke(T2)).revocation
        report = await self.keeper.lift(one.id)
        assert report is not None
        assert report.revocation == one
        assert self.serving.told[-1] == ([], [one.id])
        assert list(self.start().list) == [two]
        assert await self.keeper.lift(one.id) is None

    async def test_what_makes_no_sense_changes_nothing(self) -> None:
        with pytest.raises(RevocationError):
            await self.keeper.revoke({"issuer": "x"})
        assert not self.path.parent.exists()
        assert self.serving.told == []

    async def test_who_does_not_know_is_said_and_it_is_kept(self) -> None:
        self.serving.ended = ("worker 2: does not answer",)
        report = await self.keeper.revoke(T1)
        assert report.missing == ("worker 2: does not answer",)
        assert list(self.start().list) == [report.revocation]

    async def test_what_cannot_be_kept_is_told_all_the_same(self) -> None:
        """It is worth more now than a file is later."""
        keeper = Keeper(Path("/proc/revocations.json"), self.clock)
        keeper.serving = self.serving
        report = await keeper.revoke(T1)
        assert len(report.missing) == 1
        assert report.missing[0].startswith("/proc/revocations.json cannot be written")
        assert self.serving.told == [([report.revocation], [])]

    async def test_what_is_long_over_goes_with_the_next_one(self) -> None:
        until = int(self.clock.time()) + 60
        old = (await self.keeper.revoke({**T1, "until": until})).revocation
        self.clock.advance(DAY + 59)
        await self.keeper.revoke(T2)
        assert old in self.keeper.list
        self.clock.advance(1)
        new = (await self.keeper.revoke(T2)).revocation
        assert list(self.start().list) == [new]
        assert self.serving.told[-1] == ([new], [old.id])

    async def test_longest_file_can_be_read_again(self) -> None:
        """Four octets for each character are the most that UTF-8 takes."""
        longest = "\N{GRINNING FACE}" * 512
        document = {"issuer": longest, "subject": longest, "client_id": longest}
        await self.keeper.revoke({**document, "issued_before": "now"})
        assert len(list(self.start().list)) == 1
        assert self.path.stat().st_size * MOST < revocations._MOST_OCTETS  # noqa: SLF001

    async def test_file_that_cannot_be_read_stops_the_start(self) -> None:
        await self.keeper.revoke(T1)
        good: dict[str, Any] = json.loads(self.path.read_bytes())
        (one,) = good["revocations"]
        for bad in (
            "",
            "{}",
            "[]",
            "[" * 100000,
            b"\xff",
            json.dumps(good)[:-1],
            json.dumps({**good, "version": 2}),
            json.dumps({**good, "version": True}),
            json.dumps({**good, "more": 1}),
            json.dumps({**good, "revocations": {}}),
            json.dumps({**good, "revocations": [one, {}]}),
            json.dumps({**good, "revocations": [{**one, "until": "soon"}]}),
            json.dumps({**good, "revocations": ["x"]}),
        ):
            self.write(bad)
            with pytest.raises(ConfigError) as caught:
                self.start()
            (mistake,) = caught.value.mistakes
            assert mistake.path == str(self.path), bad
            assert "put a good copy there" in mistake.problem

    async def test_file_that_others_could_have_changed_stops_the_start(self) -> None:
        await self.keeper.revoke(T1)
        self.path.chmod(0o622)
        with pytest.raises(ConfigError, match="others than its owner"):
            self.start()

    async def test_file_with_too_many_stops_the_start(self) -> None:
        line = json.dumps({"issuer": "i", "jti": "%d", "until": 1})
        lines = ",".join(line % n for n in range(10_001))
        self.write(f'{{"version": 1, "revocations": [{lines}]}}')
        with pytest.raises(ConfigError, match="there are 10000"):
            self.start()
