"""
The instructions for a container, read; to build one takes an engine and a network.

What is asserted is what the engine would do with them: what is copied from where,
who runs what.
"""

import json
import re
import shlex
from pathlib import Path

import pytest
from twisted.scripts._twistd_unix import ServerOptions

from sso_proxy.health import main as ask_health

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "packaging" / "Containerfile").read_text()
KNOWN = {
    *("FROM", "RUN", "COPY", "ENV", "WORKDIR", "VOLUME", "EXPOSE", "USER"),
    *("ARG", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"),
}


def read() -> list[tuple[str, str]]:
    """Give the instructions with their arguments, lines joined, comments left out."""
    lines = [line for line in TEXT.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, rest in pairs]


ALL = read()
LAST = max(i for i, (name, _) in enumerate(ALL) if name == "FROM")
BUILD, FINAL = ALL[:LAST], ALL[LAST:]


def only(instructions: list[tuple[str, str]], wanted: str) -> str:
    (found,) = [rest for name, rest in instructions if name == wanted]
    return found


def test_instructions_are_those_that_engines_know() -> None:
    assert {name for name, _ in ALL} <= KNOWN
    assert ALL[0][0] == "FROM"


def test_there_are_two_stages_of_one_system() -> None:
    build = only(BUILD, "FROM")
    assert build == f"{only(FINAL, 'FROM')} AS build"


def test_what_is_copied_from_the_sources_is_there() -> None:
    for name, rest in BUILD:
        if name == "COPY":
            *sources, _ = rest.split()
            assert [s for s in sources if not (ROOT / s).exists()] == []


def test_final_image_has_nothing_to_build_with() -> None:
    assert only(FINAL, "COPY") == "--from=build /opt/sso-proxy /opt/sso-proxy"
    commands = " ".join(rest for name, rest in FINAL if name == "RUN")
    for tool in ("pip", "python3-venv", "gcc", "git", "curl", "build-essential"):
        assert not re.search(rf"\b{re.escape(tool)}\b", commands), tool
    installed = re.search(r"--no-install-recommends ([\w -]+?) &&", commands)
    assert installed is not None
    assert installed[1].split() == ["ca-certificates", "python3"]


def test_environment_that_is_copied_has_no_installer() -> None:
    commands = " ".join(rest for name, rest in BUILD if name == "RUN")
    assert "python3 -m venv --without-pip /opt/sso-proxy" in commands
    assert "pip --python /opt/sso-proxy/bin/python install" in commands


def test_nobody_in_particular_runs_it() -> None:
    user = only(FINAL, "USER")
    assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", user)
    names = [name for name, _ in FINAL]
    assert "RUN" not in names[names.index("USER") :]
    uid, gid = user.split(":")
    directories = only(FINAL, "RUN")
    assert f"install -d -m 0700 -o {uid} -g {gid}" in directories
    for volume in json.loads(only(FINAL, "VOLUME")):
        assert volume in directories
    assert "--tmpfs /run/sso-proxy:mode=0700,U " in TEXT  # U: of who runs it


def test_process_is_the_first_one_and_gets_the_signals() -> None:
    command = json.loads(only(FINAL, "ENTRYPOINT")) + json.loads(only(FINAL, "CMD"))
    options = ServerOptions()
    options.parseOptions(command[1:])
    assert options["nodaemon"]
    assert options["pidfile"] == ""
    assert options.subCommand == "sso-proxy"
    assert options.subOptions["config"] == "/etc/sso-proxy/sso-proxy.toml"
    assert only(FINAL, "STOPSIGNAL") == "SIGTERM"


def test_health_is_asked_in_a_way_that_is_understood(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options, _, command = only(FINAL, "HEALTHCHECK").partition(" CMD ")
    assert "--start-period=60s" in shlex.split(options)
    python, _m, module, *arguments = json.loads(command)
    assert (python, module) == ("python3", "sso_proxy.health")
    assert ask_health(arguments) == 1  # 2 would be: not understood
    assert "does not answer" in capsys.readouterr().out
