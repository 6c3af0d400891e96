"""A memcached server, and servers that are none."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sso_proxy.caches.memcached import MemcachedCache
from sso_proxy.caches.memcached_config import MemcachedCacheConfig
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.testing.pki import Pki
from tests.support.programs import Backend, Running, free_port, program


class Memcached:
    """
    A server on a port of its own, until the test is over.

    Args:
        directory: Where its output goes.
        options: Further options of the command.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        self.port = free_port()
        self.name = f"127.0.0.1:{self.port}"
        self._directory = directory
        self._options = options
        self.start()

    def start(self) -> None:
        """Start it, empty, and wait until it serves."""
        where = ("-l", "127.0.0.1", "-p", str(self.port), "-U", "0")
        command = (program("memcached"), "-u", "root", "-m", "64", *where)
        self.running = Running(self._directory, *command, *self._options)
        self.running.wait_for_port(self.port)

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The process."""
        return self.running.process

    def kill(self) -> None:
        """End it at once."""
        self.running.process.kill()
        self.running.process.wait(20)

    def pause(self) -> None:
        """Let it do nothing, with its connections open."""
        process = self.running.process
        process.send_signal(signal.SIGSTOP)
        # Until all of its threads have stopped, it still answers.
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it go on."""
        self.running.process.send_signal(signal.SIGCONT)

    def say(self, *lines: bytes) -> bytes:
        """Ask it over a connection of its own; gives what it answers until it quits."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as sock:
            sock.sendall(b"".join(line + b"\r\n" for line in (*lines, b"quit")))
            answer = b""
            while more := sock.recv(65536):
                answer += more
        return answer

    def records(self) -> dict[bytes, float]:
        """Give the keys of all that it has, and the seconds that each has left."""
        dump = b"BUSY"
        while dump.startswith(b"BUSY"):
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as sock:
                sock.sendall(b"lru_crawler metadump all\r\n")
                dump = b""
                while not dump.endswith((b"END\r\n", b"request\r\n")):
                    more = sock.recv(65536)
                    assert more, dump
                    dump += more
        found = re.findall(rb"(?m)^key=(\S+) exp=(-?\d+) ", dump)
        return {key: int(expires) - time.time() for key, expires in found}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.running.process.poll() is None:
            self.kill()  # it takes a second to end by itself
        self.running.end()


def tls_options(directory: Path, pki: Pki, *, ip: str = "127.0.0.1") -> tuple[str, ...]:
    """Give the options with which memcached speaks TLS and wants a certificate."""
    issued = pki.issue("memcached", ips=[ip], server=True)
    certificate, key = issued.write(directory, "memcached")
    options = {
        "ssl_chain_cert": certificate,
        "ssl_key": key,
        "ssl_ca_cert": pki.write(directory),
        "ssl_verify_mode": 2,
    }
    return ("-Z", "-o", ",".join(f"{name}={value}" for name, value in options.items()))


def make_cache(reactor: Any, *servers: str, **options: Any) -> MemcachedCache:  # noqa: ANN401
    """Make a cache, not yet open; its servers have to be closed."""
    config = MemcachedCacheConfig(servers=servers, **options)
    return MemcachedCache.from_config(config, FakeTools(reactor=reactor))


Answer = bytes | Callable[[socket.socket], None]


def lying(answers: Mapping[bytes, Answer]) -> Backend:
    """
    Run a server that greets and then answers each command as *answers* says.

    Args:
        answers: By the command's first word: octets, or what writes them.
    """

    def serve(sock: socket.socket, _number: int) -> None:
        with sock.makefile("rb") as lines:
            for line in lines:
                word = line.split()[0] if line.split() else b""
                answer = b"VERSION 1.6.0\r\n" if word == b"version" else b""
                answer = answers.get(word, answer)  # type: ignore[assignment]
                if callable(answer):
                    answer(sock)
                else:
                    sock.sendall(answer)

    return Backend(serve)
