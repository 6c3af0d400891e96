"""Real servers of Redis, on loopback ports of their own."""

import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from sso_proxy.caches.redis_resp import Reader, Reply, encode
from sso_proxy.testing.pki import Pki
from tests.support.programs import program
from tests.support.running import PATIENCE, ROOT, eventually

QUIET = (
    "--save",
    "",
    "--appendonly",
    "no",
    "--daemonize",
    "no",
    "--loglevel",
    "notice",
)
"""Options of a server that keeps nothing on the disk."""

PASSWORD = "s3cret-of-the-default-user"
USER, USER_PASSWORD = "sso-proxy", "s3cret-of-the-acl-user"


def server_port() -> int:
    """
    Give a port that nobody listens on.

    Not one that the system gives to connections, which servers that are started again
    would find taken.  A cluster's node needs the one 10000 above, too.
    """
    while True:
        port = random.randrange(10000, 20000)  # noqa: S311
        with contextlib.suppress(OSError):
            for each in (port, port + 10000):
                socket.create_server(("127.0.0.1", each)).close()
            return port


class RedisServer:
    """
    A server, which is ended with the test.

    Args:
        directory: Where its files are.
        options: As on the command line.
        port: The port that answers; a free one.
        sentinel: Whether it is a Sentinel.
    """

    def __init__(
        self,
        directory: Path,
        *options: str,
        port: int | None = None,
        sentinel: bool = False,
    ) -> None:
        self.directory = directory
        self.port = port or server_port()
        self._options = options
        self._sentinel = sentinel
        self.output = directory / f"redis-{self.port}.output"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """As the configuration has it."""
        return f"127.0.0.1:{self.port}"

    def start(self, *, wait: bool = True) -> Self:
        """Start it, and wait until it listens."""
        if self._sentinel:
            config = self.directory / f"sentinel-{self.port}.conf"
            if not config.exists():
                config.write_text("\n".join((*self._options, "")))
            command = [program("redis-server"), str(config), "--sentinel"]
        else:
            ports = () if "--port" in self._options else ("--port", str(self.port))
            command = [program("redis-server"), *QUIET, *ports, *self._options]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
            )
        if wait:
            self.wait()
        return self

    def wait(self) -> None:
        """Wait until it listens."""

        def listens() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.output.read_text()
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", self.port)) == 0

        eventually(listens, f"redis at {self.port}")

    def signal(self, number: signal.Signals) -> None:
        """Pause it, or let it go on."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE)
            self.process = None

    def ask(self, *words: str | bytes, login: Iterable[str] = ()) -> Reply:
        """Ask it something over a connection of its own; not with TLS."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as sock:
            commands = [("AUTH", *login), words] if login else [words]
            reply: Reply = None
            for command in commands:
                arguments = (w.encode() if isinstance(w, str) else w for w in command)
                sock.sendall(encode(tuple(arguments)))
                reader, replies = Reader(), list[Reply]()
                while not replies:
                    data = sock.recv(65536)
                    assert data, "the server hung up"
                    replies = reader.feed(data)
                reply = replies[0]
            return reply

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()


class Servers:
    """
    What the tests of a session share: servers start when the first one needs them.

    Args:
        directory: Where their files are; a short name, for unix sockets.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._running: list[RedisServer] = []
        self._plain: RedisServer | None = None
        self._tls: RedisServer | None = None
        self._cluster: list[RedisServer] = []
        self._numbers = itertools.count()
        self.authority = Pki.create()
        self.authority.write(directory)
        # Good for both: a replica is its master's client.
        server = self.authority.issue(
            "redis", dns=["redis.example.com"], ips=["127.0.0.1"]
        )
        server.write(directory, "server")
        self.authority.issue("proxy", client=True).write(directory, "client")
        Pki.create("Another CA").write(directory, "other")

    def run(
        self, *options: str, port: int | None = None, sentinel: bool = False
    ) -> RedisServer:
        """Start a server for one test."""
        server = RedisServer(self.directory, *options, port=port, sentinel=sentinel)
        self._running.append(server)
        return server.start()

    def new_prefix(self) -> str:
        """Give a prefix that no other test uses."""
        return f"test-{os.getpid()}-{next(self._numbers)}:"

    @property
    def socket(self) -> Path:
        """The plain server's unix socket."""
        return self.directory / "redis.sock"

    @property
    def plain(self) -> RedisServer:
        """Give one that asks for nothing, and listens on `socket`, too."""
        if self._plain is None:
            options = ("--unixsocket", str(self.socket), "--unixsocketperm", "700")
            self._plain = self.run(*options)
        return self._plain

    @property
    def tls(self) -> RedisServer:
        """Give one that wants client certificates, a user and a password."""
        if self._tls is None:
            port = server_port()
            self._tls = self.run(
                *self.tls_options(port), *acl_options("test-"), port=port
            )
        return self._tls

    def tls_options(self, port: int) -> tuple[str, ...]:
        """Give the options of a server that speaks TLS alone."""
        return (
            *("--port", "0", "--tls-port", str(port)),
            *("--tls-cert-file", str(self.directory / "server.crt")),
            *("--tls-key-file", str(self.directory / "server.key")),
            *("--tls-ca-cert-file", str(self.directory / "ca.crt")),
            *("--tls-replication", "yes", "--tls-auth-clients", "yes"),
        )

    @property
    def cluster(self) -> list[RedisServer]:
        """Give three nodes that share the slots."""
        if not self._cluster:
            self._cluster = [self._cluster_node() for _ in range(3)]
            first, *others = self._cluster
            for number, node in enumerate(self._cluster):
                low, high = (16384 * n // 3 for n in (number, number + 1))
                node.ask("CLUSTER", "ADDSLOTSRANGE", str(low), str(high - 1))
            for node in others:
                bus = str(node.port + 10000)
                first.ask("CLUSTER", "MEET", "127.0.0.1", str(node.port), bus)
            for node in self._cluster:
                eventually(lambda n=node: is_whole(n), "a cluster")  # type: ignore[misc]
        return self._cluster

    def _cluster_node(self) -> RedisServer:
        port = server_port()
        options = (
            *("--cluster-enabled", "yes", "--cluster-node-timeout", "1000"),
            *("--cluster-config-file", f"nodes-{port}.conf"),
        )
        return self.run(*options, port=port)

    def add_replica(self, master: RedisServer) -> RedisServer:
        """Add a node to the cluster that has what *master* has."""
        replica = self._cluster_node()
        bus = str(master.port + 10000)
        replica.ask("CLUSTER", "MEET", "127.0.0.1", str(master.port), bus)
        name = master.ask("CLUSTER", "MYID")
        assert isinstance(name, bytes)

        def follows() -> bool:
            return replica.ask("CLUSTER", "REPLICATE", name) == b"OK"

        def has_all() -> bool:
            told = replica.ask("INFO", "replication")
            return isinstance(told, bytes) and b"master_link_status:up" in told

        eventually(follows, "a replica")
        eventually(has_all, "its data")
        return replica

    def replace_node(self, gone: RedisServer, by: RedisServer) -> None:
        """Note that the cluster has another node instead."""
        self._cluster[self._cluster.index(gone)] = by

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all servers."""
        for server in self._running:
            server.kill()


def acl_options(prefix: str) -> tuple[str, ...]:
    """Give a server's options for a user with the rights in docs/howto/stores.md."""
    text = (ROOT / "docs" / "howto" / "stores.md").read_text()
    _, _, rest = text.partition("user sso-proxy on #HASH ")
    rights, end, _ = rest.replace("sso:", prefix).partition("```")
    assert end
    user = ("--user", USER, "on", f">{USER_PASSWORD}")
    return ("--user", "default", "off", *user, *rights.split())


def is_whole(node: RedisServer) -> bool:
    """Say whether a node knows of a server for each slot."""
    reply = node.ask("CLUSTER", "INFO")
    return isinstance(reply, bytes) and b"cluster_state:ok" in reply


def temporary_servers() -> "tuple[tempfile.TemporaryDirectory[str], Servers]":
    """Make a place for servers."""
    directory = tempfile.TemporaryDirectory(prefix="redis-")
    return directory, Servers(Path(directory.name))
