"""The whole demo, as its reader starts it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import attrs
from twisted.trial.unittest import TestCase
from twisted.web.server import Site

from sso_proxy.testing.demo import run
from sso_proxy.testing.demo.authorization_server import tls_options
from sso_proxy.testing.demo.echo import Echo
from sso_proxy.testing.demo.scene import HOST, choose_ports, prepare
from sso_proxy.testing.demo.show import Paint

ROOT = Path(__file__).parents[3]


def make_demo(state: Path, *variables: str) -> "subprocess.Popen[str]":
    # A make above this one must not decide what is made here.
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.Popen(  # noqa: S603
        [  # noqa: S607
            "make",
            "--silent",
            "demo",
            f"VENV={sys.prefix}",
            f"--old-file={sys.prefix}/.runs",  # what runs the tests is not made anew
            f"STATE={state}",
            *variables,
        ],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_demo_ends_by_itself_if_asked(tmp_path: Path) -> None:
    """With a browser, tests/docs/test_start.py runs it."""
    demo = make_demo(tmp_path, "ONCE=1", "PORT=0", "ARGS=--browser=")
    output, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, output
    assert "19 of 19 checks went as they have to." in output
    assert "There is no Chromium here" in output
    assert "until Ctrl-C" not in output


def test_curl_lines_can_be_repeated_until_ctrl_c(tmp_path: Path) -> None:
    demo = make_demo(tmp_path, "PORT=0", "ARGS=--browser=")
    try:
        assert demo.stdout is not None
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if "until Ctrl-C" in line:
                break
        statuses = [
            subprocess.run(  # noqa: S602
                line.replace("curl -i", "curl -s -o /dev/null -w %{http_code}"),
                shell=True,
                check=True,
                capture_output=True,
                text=True,
                timeout=30,
            ).stdout
            for line in lines
            if line.startswith("  curl")
        ]
        assert statuses == ["200", "200", "401", "401", "401", "200"]
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        rest, _ = demo.communicate(timeout=30)
    assert "Traceback" not in rest


def test_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = make_demo(tmp_path, "ONCE=1", f"PORT={port}")
        output, _ = demo.communicate(timeout=60)
    assert demo.returncode != 0
    (line,) = [line for line in output.splitlines() if "port" in line.lower()]
    assert str(port) in line
    assert "PORT=" in line


class WithoutProxyTests(TestCase):
    async def test_api_that_nothing_guards_fails_the_checks(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        anything: Any = reactor
        directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        scene = prepare(directory, choose_ports(0))
        options = tls_options(scene.proxy, scene.authority)
        unguarded = anything.listenSSL(
            scene.ports.proxy, Site(Echo()), options, interface=HOST
        )
        for port in (*run.listen(anything, scene), unguarded):
            self.addCleanup(port.stopListening)
        # Without a proxy the self-signed certificate does not even get through.
        scene = attrs.evolve(scene, other=scene.client)
        results = await run.show_checks(anything, scene, Paint(on=False))
        assert not all(result.passed for result in results)
