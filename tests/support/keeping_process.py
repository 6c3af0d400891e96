"""
A process that keeps tokens, with others that have the same ``local`` cache.

``python keeping_process.py DIRECTORY TIMES`` says ``ready``, waits for a line, and asks
that many times at once.  Each question to the server is a line in ``asked`` below the
directory; the answer takes a moment.  Says the different tokens that it got.
"""

import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react

from sso_proxy.net.clock import SystemClock
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.token import Token
from sso_proxy.tokens.keep_rules import KeepRules
from sso_proxy.tokens.kept import TokenKeeper
from sso_proxy.tokens.shared import KIND
from tests.support.caching import real_cache

TAKES = 0.3
"""Seconds until the server answers."""


async def main(reactor: Any, directory: str, times: str) -> None:  # noqa: ANN401
    place = Path(directory)
    cache = real_cache(place / "cache")
    cache.open()
    keeper = TokenKeeper(
        "orders",
        cache=cache,
        sealer=FakeTools().sealer(KIND),
        clock=SystemClock(),
        sleep=lambda seconds: deferLater(reactor, seconds),
        rules=KeepRules(),
    )

    async def fetch() -> Token:
        with (place / "asked").open("a") as asked:
            asked.write("asked\n")
        await deferLater(reactor, TAKES)
        return Token(value=str(time.time_ns()), expires=time.time() + 100)

    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    asking = [keeper.get(b"key", fetch, until=None) for _ in range(int(times))]
    found = await gatherResults([Deferred.fromCoroutine(each) for each in asking])
    values = {token.value for token in found if isinstance(token, Token)}
    print(" ".join(sorted(values)), flush=True)  # noqa: T201
    cache.store.close()


if __name__ == "__main__":
    react(main, sys.argv[1:])
