"""The package with compiled modules does what the other does."""

import ast
import os
import runpy
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support import compiled
from tests.support.programs import CurlAnswer, RealProxy, curl
from tests.support.recorder import RAW, Recorder, answer

ROOT = compiled.ROOT
UNITS = (
    "tests/edge",
    *(
        f"tests/specs/http/test_{name}.py"
        for name in (
            "answer",
            "back_target",
            "chunked",
            "fields",
            "forwarded",
            "head",
            "names",
            "original",
            "own_origin",
            "prefix",
            "repeat",
            "request",
            "request_oracle",
            "return_target",
            "target",
            "uri",
            "websocket",
        )
    ),
    *(
        f"tests/specs/jose/test_{name}.py"
        for name in (
            "algorithms",
            "compact",
            "expiry",
            "public_jwk",
            "strict",
            "vectors",
            "verify",
            "wycheproof",
        )
    ),
    *(
        f"tests/specs/oauth/test_{name}.py"
        for name in ("claims", "confirmation", "dpop")
    ),
    "tests/specs/test_trace_context.py",
    "tests/net/test_clock.py",
    "tests/net/test_dispatch.py",
    "tests/net/test_nest.py",
    "tests/net/test_stream.py",
    "tests/net/test_ticker.py",
    "tests/net/tls/test_stream.py",
    "tests/upstream/test_connection.py",
    "tests/upstream/test_http.py",
    "tests/upstream/test_request.py",
    "tests/upstream/test_servers_at_random.py",
    "tests/test_audit.py",
    "tests/test_equipping.py",
    "tests/test_outgoing.py",
    "tests/test_pipeline.py",
    "tests/test_traffic.py",
    "tests/attacks/test_generated.py",
    "tests/attacks/test_table.py",
)
"""Tests that go through what is compiled, without a proxy of their own."""

CONFIG = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"

[[route]]
host = "localhost"
path = "/plain/"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:{port}"

[[route]]
host = "localhost"
path = "/toy/"
authenticate = ["anonymous"]
upgrade = ["toy"]
backend = "http://127.0.0.1:{port}"
"""


@pytest.fixture(scope="module")
def package() -> Path:
    return compiled.build()


# What can be compiled, and when it is


def problems(tree: ast.AST) -> Iterator[str]:
    """Say what of a module would be another thing when compiled."""
    for node in ast.walk(tree):
        match node:
            case ast.AsyncFunctionDef() | ast.Await():
                yield "its coroutines would be none that others take for one"
            case ast.Call(func=ast.Attribute(value=ast.Name("attrs"), attr="field")):
                yield "attrs finds the default of a field nowhere"
            case ast.ClassDef(decorator_list=marks):
                if any(ast.unparse(mark).startswith("implementer") for mark in marks):
                    yield "a class cannot be given what it implements"
            case ast.FunctionDef(body=body):
                inner = [n for each in body for n in ast.walk(each)]
                if any(getattr(each, "decorator_list", ()) for each in inner):
                    yield "a decorated function is not found by its neighbour"
            case ast.Constant(value="__weakref__"):
                yield "nothing can refer to it weakly"
            case _:
                pass


@pytest.mark.parametrize("name", compiled.modules())
def test_what_is_compiled_can_be(name: str) -> None:
    path = ROOT / f"{name.replace('.', '/')}.py"
    assert [*problems(ast.parse(path.read_text()))] == []


@pytest.mark.parametrize(
    "text",
    [
        "async def f(): pass",
        "class A:\n    b = attrs.field()",
        "@implementer(IA)\nclass A: pass",
        "def f():\n    @cache\n    def g(): pass",
        "class A:\n    __slots__ = ('__weakref__',)",
    ],
)
def test_what_cannot_be_is_found(text: str) -> None:
    assert len([*problems(ast.parse(text))]) == 1


def extensions(
    monkeypatch: pytest.MonkeyPatch, command: str, **variables: str
) -> list[Any]:
    """Have setup.py say what it would have compiled at *command*."""
    monkeypatch.delenv("SSO_PROXY_COMPILE", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["setup.py", command])
    found: list[Any] = runpy.run_path(str(ROOT / "setup.py"))["extensions"]()
    return found


@pytest.mark.parametrize("value", ["", "0"])
def test_nothing_is_compiled_unless_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    assert extensions(monkeypatch, "bdist_wheel") == []
    assert extensions(monkeypatch, "bdist_wheel", SSO_PROXY_COMPILE=value) == []


@pytest.mark.parametrize(
    ("command", "variables", "problem"),
    [
        ("bdist_wheel", {"SSO_PROXY_COMPILE": "yes"}, "neither 1 nor 0"),
        ("editable_wheel", {"SSO_PROXY_COMPILE": "1"}, "is for wheels"),
        ("build_ext", {"SSO_PROXY_COMPILE": "1"}, "is for wheels"),
        (
            "bdist_wheel",
            {"SSO_PROXY_COMPILE": "1", "CC": "no-such-compiler -x"},
            "there is no no-such-compiler",
        ),
    ],
)
def test_what_cannot_be_done_is_said(
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    variables: dict[str, str],
    problem: str,
) -> None:
    with pytest.raises(SystemExit, match=problem):
        extensions(monkeypatch, command, **variables)


def test_nothing_compiled_is_in_the_source_tree(package: Path) -> None:
    assert [*package.rglob("*.so")]
    found = [*ROOT.glob("*.so"), *(ROOT / "sso_proxy").rglob("*.so")]
    assert found == []


# That it does the same


def test_programs_say_which_package_they_are_of(package: Path) -> None:
    asking = "from sso_proxy.cli import main; main(['--version'])"
    command = [sys.executable, "-P", "-c", asking]
    said = [
        subprocess.run(  # noqa: S603
            command,
            env=compiled.environment(PYTHONPATH=str(path)),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.split()[1:]
        for path in (package, ROOT)
    ]
    assert said == [["compiled"], ["pure"]]


def test_its_modules_pass_their_tests(package: Path) -> None:
    options = ["-q", "-x", "--tb=short", "-p", "no:cacheprovider"]
    left_out = [f"--deselect={name}" for name in compiled.UNFIT]
    done = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-P", "-m", "pytest", *options),
            *("-p", "tests.support.compiled", *left_out, *UNITS),
        ],
        cwd=ROOT,
        env=compiled.environment(PYTHONPATH=str(package)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    assert f"{len(compiled.UNFIT)} deselected" in last
    assert int(last.split()[0]) > 3000


@attrs.frozen(kw_only=True)
class Scene:
    """A proxy out of the package, and what is behind it."""

    proxy: RealProxy
    backend: Recorder
    directory: Path

    def ask(
        self, *options: str | Path, path: str = "/plain/", body: bytes = b""
    ) -> CurlAnswer:
        ca = self.directory / "ca.crt"
        url = f"https://localhost:{self.proxy.port}{path}"
        return curl("--cacert", ca, *options, url, body=body)

    def speak(self, data: bytes, enough: Callable[[bytes], bool]) -> bytes:
        """Send *data*; give what comes until that is *enough*, or the end."""
        context = ssl.create_default_context(cafile=str(self.directory / "ca.crt"))
        sock = socket.create_connection(("127.0.0.1", self.proxy.port), 30)
        got = b""
        with context.wrap_socket(sock, server_hostname="localhost") as tls:
            tls.sendall(data)
            while not enough(got) and (more := tls.recv(65536)):
                got += more
        return got


SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: toy\r\n\r\n"
)


@pytest.fixture(scope="module")
def scene(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("compiled")
    pki = Pki.create("Our CA")
    pki.write(directory)
    pki.issue("localhost", dns=["localhost"], server=True).write(directory, "server")
    with Recorder() as backend:
        text = CONFIG.format(port=backend.port)
        with RealProxy(directory, text) as proxy:
            proxy.start(
                program=("-P", "-c", _PROGRAM),
                prelude=f"unset ${{!COVERAGE_*}}; export PYTHONPATH={package};",
            ).wait_until_serving()
            assert "compiled\n" in proxy.log()
            yield Scene(proxy=proxy, backend=backend, directory=directory)
            assert backend.garbage == []


_PROGRAM = """
from sso_proxy.edge import connection
from twisted.scripts.twistd import run
print("pure" if connection.__file__.endswith(".py") else "compiled", flush=True)
run()
"""


def test_it_answers_over_tls(scene: Scene) -> None:
    scene.backend.clear()
    paths = [f"/plain/{number}" for number in range(3)]
    assert [scene.ask(path=path).text for path in paths] == ["0", "1", "2"]
    assert [seen.target for seen in scene.backend.seen] == paths
    again = f"https://localhost:{scene.proxy.port}/plain/again"
    assert scene.ask(again, again).status == 200
    assert len(scene.backend.seen) == 6


@pytest.mark.parametrize("options", [[], ["-H", "Transfer-Encoding: chunked"]])
@pytest.mark.parametrize("size", [1, 10_000, 1_000_000])
def test_it_takes_bodies(scene: Scene, options: list[str], size: int) -> None:
    scene.backend.clear()
    body = os.urandom(size)
    got = scene.ask("--data-binary", "@-", *options, body=body)
    assert (got.code, got.status) == (0, 200)
    (seen,) = scene.backend.seen
    assert (seen.method, seen.body, seen.whole) == ("POST", body, True)


def test_it_passes_large_answers_on(scene: Scene) -> None:
    content = os.urandom(3_000_000)
    scene.backend.scripts["/plain/large"] = (answer(content),)
    assert scene.ask(path="/plain/large").body == content


def test_it_passes_other_protocols_on(scene: Scene) -> None:
    scene.backend.scripts["/toy/"] = (SWITCHED, RAW)
    request = (
        f"GET /toy/ HTTP/1.1\r\nHost: localhost:{scene.proxy.port}\r\n"
        "Connection: Upgrade\r\nUpgrade: toy\r\n\r\n"
    ).encode()
    got = scene.speak(request + b"what I say", lambda data: data.endswith(b"I say"))
    assert got.startswith(b"HTTP/1.1 101 ")


def test_it_refuses_what_has_two_ends(scene: Scene) -> None:
    scene.backend.clear()
    request = (
        f"POST /plain/ HTTP/1.1\r\nHost: localhost:{scene.proxy.port}\r\n"
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\nGET /plain/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    got = scene.speak(request.encode(), lambda _: False)
    assert got.startswith(b"HTTP/1.1 400 ")
    assert got.count(b"HTTP/1.1 ") == 1
    assert scene.backend.seen == []


def test_it_reloads(scene: Scene) -> None:
    scene.proxy.text += '[[route]]\nhost = "localhost"\npath = "/new/"\n'
    scene.proxy.text += 'authenticate = ["anonymous"]\nmethods = ["PUT"]\n'
    scene.proxy.text += 'backend = "http://127.0.0.1:9"\n'
    scene.proxy.write_config()
    scene.proxy.reload()
    assert scene.ask(path="/new/").status == 405
    assert scene.ask().status == 200


def test_nothing_went_wrong_meanwhile(scene: Scene) -> None:
    assert "Traceback" not in scene.proxy.log()
