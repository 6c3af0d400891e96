"""Loads of a few blocking threads: new connections, large bodies down and up."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Literal

import attrs

from tests.bench.client import BrokenAnswerError, Client, tls_context
from tests.bench.procs import LOAD_CORE, ROOT, BenchError, pinned


@attrs.frozen(kw_only=True)
class TransferOptions:
    """
    What the threads do.

    Attributes:
        kind: ``connect`` makes a connection for every request, ``download`` and
            ``upload`` keep theirs.
        port: The proxy's.
        path: What is asked for or sent to.
        ca: The CA of its certificate.
        certificate: A client certificate to show, with *key*.
        key: Its private key.
        threads: How many at once.
        seconds: After this nothing new is begun; what is begun is finished.
        length: Octets of a body.
        pause: Seconds that a thread waits after each.
    """

    kind: Literal["connect", "download", "upload"]
    port: int
    path: str
    ca: str
    certificate: str | None = None
    key: str | None = None
    threads: int = 8
    seconds: float = 2.0
    length: int = 1024
    pause: float = 0.0


@attrs.frozen(kw_only=True)
class TransferResult:
    """
    What came of it.

    Attributes:
        done: Answered as they should be.
        seconds: From the first to the last.
        resumed: Connections whose handshake was an abbreviated one.
        failures: How many of each kind.
    """

    done: int
    seconds: float
    resumed: int
    failures: dict[str, int]


class _Crew:
    """The threads and what they count."""

    def __init__(self, options: TransferOptions) -> None:
        self._options = options
        self._context = tls_context(
            Path(options.ca),
            Path(options.certificate) if options.certificate else None,
            Path(options.key) if options.key else None,
        )
        self._lock = threading.Lock()
        self._done = 0
        self._resumed = 0
        self._failures: Counter[str] = Counter()
        self._end = 0.0

    def run(self) -> TransferResult:
        """Let all threads work; count."""
        begin = time.monotonic()
        self._end = begin + self._options.seconds
        work = self._connect if self._options.kind == "connect" else self._transfer
        threads = [threading.Thread(target=work) for _ in range(self._options.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return TransferResult(
            done=self._done,
            seconds=time.monotonic() - begin,
            resumed=self._resumed,
            failures=dict(self._failures),
        )

    def _connect(self) -> None:
        while time.monotonic() < self._end:
            try:
                client = Client.connect(self._options.port, self._context)
                self._ask(client)
                client.close()
            except (OSError, BrokenAnswerError) as error:
                self._count(type(error).__name__)
                continue
            if client.resumed:
                with self._lock:
                    self._resumed += 1

    def _transfer(self) -> None:
        client = Client.connect(self._options.port, self._context)
        while time.monotonic() < self._end:
            try:
                self._ask(client)
            except (OSError, BrokenAnswerError) as error:
                self._count(type(error).__name__)
                client = Client.connect(self._options.port, self._context)
            time.sleep(self._options.pause)
        client.close()

    def _ask(self, client: Client) -> None:
        options = self._options
        if options.kind == "upload":
            answer = client.post(options.path, options.length)
            right = answer.complete
        else:
            answer = client.get(options.path, close=options.kind == "connect")
            right = answer.complete and answer.length == options.length
        if answer.status != 200:
            self._count(f"status {answer.status}")
        elif not right:
            self._count("truncated")
        else:
            with self._lock:
                self._done += 1

    def _count(self, failure: str) -> None:
        with self._lock:
            self._failures[failure] += 1


def run(options: TransferOptions) -> TransferResult:
    """
    Run the threads in a process of their own, on the core of the load.

    Raises:
        BenchError: It did not come to a result.
    """
    arguments = json.dumps(attrs.asdict(options))
    command = [sys.executable, "-m", "tests.bench.transfers", arguments]
    done = subprocess.run(
        pinned(LOAD_CORE, command),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        raise BenchError(f"the load generator ended with {done.returncode}")
    return TransferResult(**json.loads(done.stdout))


if __name__ == "__main__":
    _options = TransferOptions(**json.loads(sys.argv[1]))
    sys.stdout.write(json.dumps(attrs.asdict(_Crew(_options).run())))
