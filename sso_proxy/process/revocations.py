"""
The revocations that the main process keeps: in a file, and in all that serve.

They are in a file of their own, ``revocations.json`` in the state directory, and in no
cache: a cache may be on another machine, forget, or need keys to be read, and a start
that cannot read what is revoked must not serve.  An operator can read the file, and put
it on another machine.
"""

import json
from collections.abc import Iterable
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
    """

    def __init__(self, path: Path, clock: IClock) -> None:
        self.list = RevocationList()
        self.serving: Serving | None = None
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
        except FileNotFoundError:
            return
        try:
            for revocation in _parse(content):
                self.list.add(revocation)
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
        over = self.list.over(now)
        for name in over:
            self.list.remove(name)
        revocation = self.list.add(revocation)
        _log.warn("revoked: {what}", what=json.dumps(describe_revocation(revocation)))
        return await self._settle(revocation, [revocation], over)

    async def lift(self, name: str) -> Report | None:
        """Let the revocation go that `Revocation.id` names; None if there is none."""
        revocation = self.list.remove(name)
        if revocation is None:
            return None
        _log.warn(
            "no longer revoked: {what}",
            what=json.dumps(describe_revocation(revocation)),
        )
        return await self._settle(revocation, [], [name])

    async def _settle(
        self,
        revocation: Revocation,
        add: Iterable[Revocation],
        remove: Iterable[str],
    ) -> Report:
        """Keep and tell; what cannot be kept is told all the same."""
        missing: tuple[str, ...] = ()
        try:
            write_private(self._path, _write(self.list), replace=True)
        except OSError as e:
            missing = (f"{self._path} cannot be written: {e.strerror}",)
        if self.serving is not None:
            missing += await self.serving.revoke(add, remove)
        for line in missing:
            _log.error("revocation {id}: {line}", id=revocation.id, line=line)
        return Report(revocation=revocation, missing=missing)


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
