"""
The revocations that the main process keeps: in a file, and in all that serve.

They are in a file of their own, ``revocations.json`` in the state directory: a cache
may forget, or need keys to be read, and a start that cannot read what is revoked must
not serve.  An operator can read the file, and put it on another machine.  Machines that
share a list (`sso_proxy.process.revocation_sharing`) keep what they read there, too.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

import attrs
from twisted.logger import Logger

from sso_proxy.config.private_file import read_private, write_private
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IClock
from sso_proxy.specs.revocation_document import (
    RevocationError,
    describe_revocation,
    read_revocation,
    restore_revocation,
    write_revocation,
)
from sso_proxy.specs.revocation_record import RevocationRecord, join
from sso_proxy.specs.revocations import (
    Revocation,
    RevocationList,
    RevocationsFullError,
)

FILE: Final = "revocations.json"
_VERSION: Final = 1
_MOST_OCTETS: Final = 64 * 1024 * 1024
"""More than as many as there can be take, with the longest texts."""

_log = Logger()

Share = Callable[[Iterable[RevocationRecord]], Awaitable[tuple[str, ...]]]
"""Says records to other machines; gives why not all of them know, one line each."""


class Serving(Protocol):
    """Whatever refuses who is revoked."""

    async def revoke(
        self, add: Iterable[Revocation], remove: Iterable[str]
    ) -> tuple[str, ...]:
        """Refuse what is in *add*, not what *remove* names; says who does not."""


@attrs.frozen(kw_only=True)
class Report:
    """
    What has become of a revocation.

    Attributes:
        revocation: What is in force, or was until now.
        missing: What did not work, one line each; empty if all did.
    """

    revocation: Revocation
    missing: tuple[str, ...]


class Keeper:
    """
    Keeps the list.

    Args:
        path: The file.
        clock: The time.

    Attributes:
        list: What is in force.
        serving: Who has to be told; None before anything serves.
        share: Tells other machines.
    """

    def __init__(self, path: Path, clock: IClock) -> None:
        self.list = RevocationList()
        self.serving: Serving | None = None
        self.share: Share = _share_with_nobody
        self._records: dict[str, RevocationRecord] = {}
        self._path = path
        self._clock = clock

    def load(self) -> None:
        """
        Read the file, if there is one.

        Raises:
            ConfigError: There is one that cannot be read.  Nobody must be let in who
                may be revoked.
        """
        try:
            content = read_private(self._path, _MOST_OCTETS)
            # What stands there was in force when it was written.
            written = self._path.stat().st_mtime_ns // 1_000_000
        except FileNotFoundError:
            return
        try:
            for revocation in _parse(content):
                kept = self.list.add(revocation)
                self._records[kept.id] = RevocationRecord.of(kept, written)
        except (RevocationError, RevocationsFullError) as e:
            problem = f"{e}; put a good copy there, or take it away and revoke anew"
            raise ConfigError(Mistake(str(self._path), problem)) from None

    async def revoke(self, document: object) -> Report:
        """
        Refuse from now on what *document* selects.

        Raises:
            RevocationError: It selects nothing.
            RevocationsFullError: There is no room.
        """
        now = self._clock.time()
        revocation = read_revocation(document, now=now)
        over = self._drop_over(now)
        revocation = self.list.add(revocation)
        self._records[revocation.id] = RevocationRecord.of(
            revocation, self._next_moment(revocation.id)
        )
        _log.warn("revoked: {what}", what=json.dumps(describe_revocation(revocation)))
        return await self._settle(revocation, [revocation], over)

    async def lift(self, name: str) -> Report | None:
        """Let the revocation go that `Revocation.id` names; None if there is none."""
        revocation = self.list.remove(name)
        if revocation is None:
            return None
        self._records[name] = self._records[name].lifted(self._next_moment(name))
        _log.warn(
            "no longer revoked: {what}",
            what=json.dumps(describe_revocation(revocation)),
        )
        return await self._settle(revocation, [], [name])

    async def take_over(
        self, said: Mapping[str, RevocationRecord]
    ) -> list[RevocationRecord]:
        """
        Go by what other machines have *said*, too, by the ids of the selections.

        Returns:
            What they have not heard.

        Raises:
            RevocationsFullError: There is no room for all of it.
        """
        now = self._clock.time()
        remove = self._drop_over(now)
        add, full = list[Revocation](), None
        for name, record in said.items():
            known = self._records.get(name)
            joined = record if known is None else join(known, record)
            if joined == known or joined.is_over(now):
                continue
            if joined.revocation is not None:
                try:
                    add.append(self.list.add(joined.revocation))
                except RevocationsFullError as e:  # those that fit are in force
                    full = e
                    continue
            elif self.list.remove(name) is not None:
                remove.append(name)
            self._records[name] = joined
        if add or remove:
            names = [*(each.id for each in add), *remove]
            _log.info("other machines have changed what is revoked: {ids}", ids=names)
            missing = self._write_file()
            if self.serving is not None:
                missing += await self.serving.revoke(add, remove)
            for line in missing:
                _log.error("revocations of other machines: {line}", line=line)
        if full is not None:
            raise full
        return [each for name, each in self._records.items() if said.get(name) != each]

    def _drop_over(self, now: float) -> list[str]:
        """Forget what is over; gives what has been in the list."""
        over = self.list.over(now)
        for name in over:
            self.list.remove(name)
        self._records = {
            name: each for name, each in self._records.items() if not each.is_over(now)
        }
        return over

    def _next_moment(self, name: str) -> int:
        """Give a moment after all that was said about *name*, whatever clocks say."""
        known = self._records.get(name)
        now = int(self._clock.time() * 1000)
        return now if known is None else max(now, known.at + 1)

    def _write_file(self) -> tuple[str, ...]:
        try:
            write_private(self._path, _write(self.list), replace=True)
        except OSError as e:
            return (f"{self._path} cannot be written: {e.strerror}",)
        return ()

    async def _settle(
        self,
        revocation: Revocation,
        add: Iterable[Revocation],
        remove: Iterable[str],
    ) -> Report:
        """Keep and tell; what cannot be kept is told all the same."""
        missing = self._write_file()
        if self.serving is not None:
            missing += await self.serving.revoke(add, remove)
        missing += await self.share([self._records[revocation.id]])
        for line in missing:
            _log.error("revocation {id}: {line}", id=revocation.id, line=line)
        return Report(revocation=revocation, missing=missing)


async def _share_with_nobody(_: Iterable[RevocationRecord]) -> tuple[str, ...]:
    return ()


def _write(revocations: Iterable[Revocation]) -> bytes:
    kept = [write_revocation(each) for each in revocations]
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in kept)
    return f'{{"version": {_VERSION}, "revocations": [\n{lines}\n]}}\n'.encode()


def _parse(content: bytes) -> list[Revocation]:
    """
    Read the file's content.

    Raises:
        RevocationError: Somebody else wrote it.
    """
    if len(content) > _MOST_OCTETS:
        raise RevocationError(f"is longer than {_MOST_OCTETS} octets")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):  # not chained: it holds the document
        raise RevocationError("is not JSON") from None
    if not isinstance(document, dict) or document.keys() != {"version", "revocations"}:
        raise RevocationError("has not exactly version and revocations")
    if document["version"] != _VERSION or type(document["version"]) is not int:
        raise RevocationError("has another version")
    if not isinstance(document["revocations"], list):
        raise RevocationError("revocations must be a list")
    return [restore_revocation(each) for each in document["revocations"]]
