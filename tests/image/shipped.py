"""
The image: built by an engine, run and asked as the page says.

Unlike elsewhere, its Debian is made by mmdebstrap, as no registry is asked; pip takes
the packages of this environment; build steps run in a chroot; and there is no network
but loopback, so that no port is published.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sso_proxy import __version__
from sso_proxy.testing.pki import Pki
from tests.image.engine import Engine, limits
from tests.support.running import PATIENCE, eventually

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "howto" / "packages.md").read_text()
(BUILD,) = re.findall(r"^podman build [^#\n]*", PAGE, re.MULTILINE)
(RUN,) = re.findall(r"^podman run (?:.*\\\n)*.*$", PAGE, re.MULTILINE)
PUBLISHED = ["-p", "443:8443"]
USER = 10001
NAME = "proxy"
HEALTH = ("python3", "-m", "sso_proxy.health", "unix:/run/sso-proxy/admin.sock")
VOLUMES = {"/run/sso-proxy", "/var/lib/sso-proxy"}
OF_THE_ENGINE = {"/dev/mqueue", "/dev/shm"}  # noqa: S108
"""Memory that podman gives to each container, read-only or not."""
ENDING = "ending; requests may take"
"""What the proxy says at SIGTERM."""

CONFIGURATION = """
[server]
workers = 2
drain_timeout = 30
state_dir = "/var/lib/sso-proxy"
admin = { address = "unix:/run/sso-proxy/admin.sock" }
audit = { to = "stdout" }
[[listener]]
address = "127.0.0.1"
port = 8443
certificate = "proxy.crt"
key = "proxy.key"
[[route]]
host = "app.example.com"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9000"
"""

MISSING = """
[authenticator.api]
type = "bearer"
issuer = "https://login.example.com"
audience = ["https://api.example.com"]
jwks_uri = "https://login.example.com/jwks"
[[route]]
host = "api.example.com"
authenticate = ["api"]
backend = "http://127.0.0.1:9000"
"""
"""An issuer whose keys nobody gives."""

BACKEND = """
import http.server, sys

class Backend(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            print("asked", flush=True)
            sys.stdin.readline()
        self.send_response(200)
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"finished")

server = http.server.ThreadingHTTPServer(("127.0.0.1", 9000), Backend)
print("serving", flush=True)
server.serve_forever()
"""
"""An application that answers at once, or when it is told to."""


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Build the image."""
    engine = Engine(Path(os.environ["IMAGE_DIRECTORY"]))
    engine.build(ROOT, shlex.split(BUILD))
    return engine


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make what the page has beside the command: the directory ``sso-proxy``."""
    directory = tmp_path / "sso-proxy"
    directory.mkdir()
    pki = Pki.create()
    pki.write(tmp_path)
    for path in pki.issue("app", dns=["app.example.com"]).write(directory, "proxy"):
        shutil.chown(path, USER)
    (directory / "sso-proxy.toml").write_text(CONFIGURATION)
    return tmp_path


@pytest.fixture
def inside(engine: Engine, home: Path) -> Iterator[tuple[str, ...]]:
    """Run the command on the page; gives what enters the container's network."""
    words = shlex.split(RUN.replace("\\\n", " "))
    at = words.index(PUBLISHED[0])
    assert words[:2] == ["podman", "run"]
    assert words[at : at + 2] == PUBLISHED
    # No memory is mounted that the page does not name.
    words[at : at + 2] = [
        *("--network=none", "--cgroups=disabled", "--read-only-tmpfs=false"),
        *limits(),
    ]
    try:
        engine.told("run", "--detach", f"--name={NAME}", *words[2:], cwd=home)
        eventually(lambda: "serving on" in log(engine), "that it serves")
        pid = engine.told("inspect", "--format={{.State.Pid}}", NAME).strip()
        yield "nsenter", f"--target={pid}", "--net"
    except AssertionError as error:
        raise AssertionError(log(engine)[-3000:]) from error
    finally:
        engine.told("rm", "--force", "--volumes", "--time=0", "--ignore", NAME)
        engine.told("volume", "prune", "--force")


@contextmanager
def backend(inside: tuple[str, ...]) -> "Iterator[subprocess.Popen[str]]":
    """Run the application beside the proxy."""
    process = subprocess.Popen(  # noqa: S603
        [*inside, sys.executable, "-c", BACKEND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "serving\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


def log(engine: Engine) -> str:
    """Give all that the container said."""
    _, said, wrong = engine.run("logs", NAME)
    return said + wrong


def asking(inside: tuple[str, ...], home: Path, path: str = "/") -> list[str]:
    """Give the command that asks the proxy as a browser on this machine would."""
    return [
        *(*inside, "curl", "--silent", "--show-error", "--max-time", "40"),
        *("--cacert", str(home / "ca.crt"), "--noproxy", "*"),
        *("--resolve", "app.example.com:8443:127.0.0.1"),
        f"https://app.example.com:8443{path}",
    ]


def test_image_says_what_an_engine_has_to_know(engine: Engine) -> None:
    found: dict[str, Any]
    (found,) = json.loads(engine.told("image", "inspect", "sso-proxy"))
    image = found["Config"]
    assert image["User"] == f"{USER}:{USER}"
    assert image["Entrypoint"] == ["twistd", "--nodaemon", "--pidfile=", "sso-proxy"]
    assert image["Cmd"] == ["--config", "/etc/sso-proxy/sso-proxy.toml"]
    assert set(image["Volumes"]) == VOLUMES
    assert set(image["ExposedPorts"]) == {"8443/tcp"}
    assert image["StopSignal"] in {"SIGTERM", "15"}
    assert found["Healthcheck"]["Test"] == ["CMD", *HEALTH, "live"]
    assert found["Healthcheck"]["StartPeriod"] == 60 * 10**9


def test_image_has_nothing_to_install_or_to_compile_with(engine: Engine) -> None:
    """Nor what it was built from; the program is the one of this source tree."""
    look = (
        "sso-proxy --version; id -u;"
        "for p in pip pip3 gcc cc git curl wget; do command -v $p; done;"
        "python3 -c 'import pip' 2>/dev/null && echo pip;"
        "ls -d /src /wheel /opt/* 2>/dev/null; true"
    )
    options = (
        "--rm",
        "--network=none",
        "--cgroups=disabled",
        *limits(),
        "--entrypoint=/bin/sh",
    )
    said = engine.told("run", *options, "sso-proxy", "-c", look)
    assert said.splitlines() == [f"{__version__} pure", str(USER), "/opt/sso-proxy"]


def test_it_serves_without_privileges_and_says_what_is_missing(
    engine: Engine, inside: tuple[str, ...], home: Path
) -> None:
    with backend(inside):
        done = subprocess.run(  # noqa: S603
            asking(inside, home), capture_output=True, text=True, check=False
        )
    assert (done.stdout, done.stderr) == ("finished", "")

    status = engine.told("exec", NAME, "cat", "/proc/1/status")
    assert set(re.findall(r"^Cap\w+:\t(\w+)$", status, re.MULTILINE)) == {"0" * 16}
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
    assert re.search(rf"^Uid:(\t{USER}){{4}}$", status, re.MULTILINE)
    assert re.search(rf"^Gid:(\t{USER}){{4}}$", status, re.MULTILINE)

    mounts = engine.told("exec", NAME, "cat", "/proc/1/mounts").splitlines()
    assert mounts[0].split()[1] == "/"
    assert mounts[0].split()[3].startswith("ro,")
    find = r"find / \( -path /proc -o -path /sys \) -prune -o -type d -writable -print"
    files = r"-o -type f -writable -print"
    _, said, _ = engine.run("exec", NAME, "/bin/sh", "-c", f"{find} {files}")
    outside = {p for p in said.split() if not p.startswith(tuple(VOLUMES))}
    assert set(said.split()) >= VOLUMES
    assert outside == OF_THE_ENGINE

    engine.told("exec", NAME, *HEALTH, "ready")
    with (home / "sso-proxy" / "sso-proxy.toml").open("a") as file:
        file.write(MISSING)
    engine.told("kill", "--signal=HUP", NAME)
    eventually(
        lambda: engine.run("exec", NAME, *HEALTH, "ready")[0] == 1,
        "that it is not ready",
    )
    _, said, _ = engine.run("exec", NAME, *HEALTH, "ready")
    assert "login.example.com" in said
    engine.told("healthcheck", "run", NAME)  # fails unless what is there is alive


def test_health_check_fails_where_nobody_answers(engine: Engine) -> None:
    options = (
        "--rm",
        "--network=none",
        "--cgroups=disabled",
        *limits(),
        "--entrypoint=python3",
    )
    code, said, _ = engine.run("run", *options, "sso-proxy", *HEALTH[1:], "live")
    assert code == 1
    assert "does not answer" in said


def test_a_request_is_finished_before_the_container_is_stopped(
    engine: Engine, inside: tuple[str, ...], home: Path
) -> None:
    with backend(inside) as application:
        assert application.stdin is not None
        assert application.stdout is not None
        processes = []
        try:
            client = subprocess.Popen(  # noqa: S603
                asking(inside, home, "/slow"), stdout=subprocess.PIPE, text=True
            )
            processes.append(client)
            assert application.stdout.readline() == "asked\n"
            stop = subprocess.Popen(engine.command("stop", NAME), text=True)  # noqa: S603
            processes.append(stop)
            eventually(lambda: ENDING in log(engine), ENDING)
            assert client.poll() is None
            application.stdin.write("\n")
            application.stdin.flush()
            assert client.communicate(timeout=PATIENCE)[0] == "finished"
            assert stop.wait(PATIENCE) == 0
        finally:
            for process in processes:
                process.kill()
                process.communicate(timeout=PATIENCE)
    assert engine.told("inspect", "--format={{.State.ExitCode}}", NAME) == "0\n"
    assert "Traceback" not in log(engine)
