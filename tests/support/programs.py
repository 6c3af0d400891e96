"""The real proxy, and the programs of others that tests run it with."""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs

from tests.support.running import PATIENCE, REAL, Proxy, eventually, is_alive

RELOADED = "reloaded"


def program(name: str) -> str:
    """Find a program, also where only root looks."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    assert found is not None, f"{name} is not installed"
    return found


_PORTS = range(12_000, 32_000)
"""Below those that the kernel gives to who asks for any, or connects."""

_marks: list[socket.socket] = []


def take_port(port: int) -> bool:
    """
    Take a port if nobody has it: no other process of tests gets it while we live.

    What says so is the name of a socket, which is gone with the process.
    """
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        mark.bind(f"\0port of tests {port}")
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        mark.close()
        return False
    _marks.append(mark)
    return True


def free_port() -> int:
    """Give a port that nobody listens on, and that nobody takes until we do."""
    return next(port for port in random.sample(_PORTS, 1000) if take_port(port))


class RealProxy(Proxy):
    """
    ``twistd -n sso-proxy`` with a configuration of the test's own.

    Args:
        directory: Where its files are.
        text: ``[[listener]]`` and what follows it, as TOML.
        server: Options of ``[server]``.
    """

    def __init__(self, directory: Path, text: str, **server: object) -> None:
        self.text = text
        self.audit = directory / "audit.log"
        super().__init__(directory, **server)

    def write_config(self, **server: object) -> None:
        """Write the configuration file; what is given changes ``[server]``."""
        self.server.update(server)
        lines = [f"{key} = {_toml(value)}" for key, value in self.server.items()]
        new = self.config.with_suffix(".new")
        new.write_text(
            "[server]\n"
            + "\n".join(lines)
            + f'\naudit = {{ to = "file", file = "{self.audit}" }}'
            + f'\nadmin = {{ address = "unix:{self.admin_socket}" }}\n'
            + self.text
        )
        new.replace(self.config)

    def serve(self) -> Self:
        """Start, and wait until it serves."""
        return self.start(program=REAL).wait_until_serving()

    def reload(self) -> None:
        """Have the file read anew, and wait until it is served."""
        times = self.log().count(RELOADED)
        self.signal(signal.SIGHUP)
        self.wait_for_log(RELOADED, times + 1)

    @property
    def ports(self) -> list[int]:
        """The ports of the TCP listeners, in their order."""
        line = re.findall(r"serving on (.*)", self.log())[-1]
        return [int(port) for port in re.findall(r"port (\d+)", line)]

    def wait_for_record(self, text: str) -> None:
        """Wait until an audit record has *text*."""
        file = self.audit
        eventually(lambda: file.exists() and text in file.read_text(), text)


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case Mapping():
            inner = ", ".join(f"{key} = {_toml(each)}" for key, each in value.items())
            return f"{{ {inner} }}"
    return str(value)


class Running:
    """A program that runs until the test is over."""

    def __init__(self, directory: Path, *command: str) -> None:
        self.output = directory / f"{Path(command[0]).name}.output"
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
            )

    def wait_for_port(self, port: int) -> Self:
        """Wait until it accepts connections."""

        def accepts() -> bool:
            assert self.process.poll() is None, self.output.read_text()
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", port)) == 0

        eventually(accepts, f"port {port}")
        return self

    def end(self) -> None:
        """End it, and its children."""
        children = _children(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not any(map(is_alive, children)), "the end of children")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in text.split()]


_NGINX = """
{modules}
daemon off;
master_process off;
error_log {directory}/nginx.error.log;
pid {directory}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    types {{ text/plain txt; application/octet-stream bin; }}
    sendfile on;
    {servers}
}}
"""


def nginx(
    directory: Path, servers: str, port: int, modules: Sequence[str] = ()
) -> Running:
    """Run nginx with the given ``server`` blocks until it listens on *port*."""
    config = directory / "nginx.conf"
    loaded = "\n".join(f"load_module {module};" for module in modules)
    config.write_text(
        _NGINX.format(directory=directory, servers=servers, modules=loaded)
    )
    command = (program("nginx"), "-p", str(directory), "-c", str(config))
    return Running(directory, *command).wait_for_port(port)


_HAPROXY = """
defaults
    mode tcp
    timeout connect 2s
    timeout client 10s
    timeout server 10s
{sections}
"""


def haproxy(directory: Path, sections: str, port: int) -> Running:
    """Run haproxy with the given sections until it listens on *port*."""
    config = directory / "haproxy.cfg"
    config.write_text(_HAPROXY.format(sections=sections))
    command = (program("haproxy"), "-db", "-f", str(config))
    return Running(directory, *command).wait_for_port(port)


@attrs.frozen(kw_only=True)
class CurlAnswer:
    """
    What curl saw.

    Attributes:
        code: Its exit code.
        status: The status code; 0 if there was no answer.
        fields: Lower-case names and values of the answer's header section.
        body: The content.
        errors: What it complained about.
    """

    code: int
    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes = attrs.field(repr=False)
    errors: str

    @property
    def text(self) -> str:
        """The content as text."""
        return self.body.decode()

    def values(self, name: str) -> list[str]:
        """Give the values of a header field."""
        return [value for found, value in self.fields if found == name]


def curl(*options: str | Path, body: bytes = b"") -> CurlAnswer:
    """Run curl; *body* is its standard input."""
    with tempfile.TemporaryDirectory() as directory:
        head, content = Path(directory, "head"), Path(directory, "content")
        head.touch()
        content.touch()
        done = subprocess.run(  # noqa: S603
            [
                program("curl"),
                "-sS",
                "--max-time",
                "15",
                "--noproxy",
                "*",
                "-D",
                str(head),
                "-o",
                str(content),
                *map(str, options),
            ],
            input=body,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        sections = head.read_bytes().decode("latin-1").split("\r\n\r\n")
        lines = [section for section in sections if section][-1:] or [""]
        status, *fields = lines[0].split("\r\n")
        words = status.split()
        pairs = (field.partition(":") for field in fields)
        return CurlAnswer(
            code=done.returncode,
            status=int(words[1]) if len(words) > 1 else 0,
            fields=tuple((name.lower(), value.strip()) for name, _, value in pairs),
            body=content.read_bytes(),
            errors=done.stderr.decode(),
        )


Serve = Callable[[socket.socket, int], None]


class Backend:
    """
    A raw server: every connection is served by a function in a thread.

    Args:
        serve: Takes the connection and its number, counted from 0.
        sock: Where to listen; unset, an ephemeral port.
        tls: A context to speak TLS with.

    Attributes:
        tls: This context; another one is for connections that come then.
    """

    def __init__(
        self,
        serve: Serve,
        sock: socket.socket | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._serve = serve
        self.tls = tls
        self._sock = sock or socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.accepted = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Its TCP port."""
        port: int = self._sock.getsockname()[1]
        return port

    def close(self) -> None:
        """Close the listening socket and all connections."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self.drop()
        self._thread.join(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)

    def drop(self) -> None:
        """Close all connections."""
        for sock in [*self._open]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._sock.accept()
            except OSError:
                return
            number, self.accepted = self.accepted, self.accepted + 1
            thread = threading.Thread(
                target=self._run, args=(sock, number), daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _run(self, sock: socket.socket, number: int) -> None:
        self._open.add(sock)
        sock.settimeout(PATIENCE)
        try:
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                tls = self.tls
                if tls is not None:
                    self._open.discard(sock)
                    sock = tls.wrap_socket(sock, server_side=True)
                    self._open.add(sock)
                stack.enter_context(sock)
                self._serve(sock, number)
        finally:
            self._open.discard(sock)
            sock.close()


def read_request(sock: socket.socket) -> bytes:
    """Read a head and, if its length is given, the body; empty at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    wanted = int(found[1]) if found else 0
    while len(body) < wanted:
        more = sock.recv(65536)
        if not more:
            break
        body += more
    return head + b"\r\n\r\n" + body


def echo_head(sock: socket.socket, _number: int) -> None:
    """Answer each request with its own head."""
    while request := read_request(sock):
        head = request.partition(b"\r\n\r\n")[0]
        sock.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head)
        )


def fields_of(text: str, name: str) -> list[str]:
    """Give the values of the field *name* in a head."""
    return re.findall(rf"(?im)^{re.escape(name)}: (.*?)\r?$", text)
