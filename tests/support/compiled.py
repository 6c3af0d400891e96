"""
The package with compiled modules, in ``build/compiled``: ``make compiled`` makes it.

It is made anew if anything has changed that it consists of, and beside the source tree:
nothing of it gets in there.
"""

import hashlib
import importlib
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DIRECTORY = ROOT / "build" / "compiled"
_PARTS = ("LICENSE", "README.md", "pyproject.toml", "setup.py", "sso_proxy", "twisted")
_MADE_OF = "made-of"
_UNWANTED = shutil.ignore_patterns("__pycache__", "dropin.cache", "*.so")


_HEADS = "tests/edge/test_known_heads.py::test_"
UNFIT = (
    # They change constants, and these are compiled in.
    f"{_HEADS}of_too_many_those_go_that_were_decided_on_first",
    f"{_HEADS}so_they_do_if_they_are_too_long_together",
    f"{_HEADS}what_was_decided_for_them_counts_too",
    f"{_HEADS}nobody_in_particular_takes_no_room_from_somebody",
)
"""Tests that cannot hold for compiled modules, and why."""


class CompileError(Exception):
    """It could not be made; says why."""


def modules() -> list[str]:
    """Give the names of the modules that are compiled."""
    paths: list[str] = runpy.run_path(str(ROOT / "setup.py"))["COMPILED"]
    return [path.removesuffix(".py").replace("/", ".") for path in paths]


def environment(**variables: str) -> dict[str, str]:
    """Give the environment with *variables*, in which no coverage is measured."""
    kept = {k: v for k, v in os.environ.items() if "COVERAGE" not in k}
    return {**kept, **variables}


def pytest_configure() -> None:
    """Import them, so that nothing else can be tested; for ``pytest -p``."""
    for name in modules():
        file = importlib.import_module(name).__file__
        if file is None or not file.startswith(str(DIRECTORY)) or file.endswith(".py"):
            message = f"{name} would not be compiled, but {file}"
            raise CompileError(message)


def _files() -> Iterator[Path]:
    for part in _PARTS:
        path = ROOT / part
        yield from sorted(path.rglob("*")) if path.is_dir() else [path]


def made_of() -> str:
    """Give the digest of everything that it is made of, the translator too."""
    digest = hashlib.sha256(f"{sys.version} {metadata.version('mypy')}".encode())
    for path in _files():
        if path.is_file() and not {"__pycache__", "dropin.cache"} & set(path.parts):
            data = path.read_bytes()
            name = path.relative_to(ROOT)
            digest.update(f"{name} {len(data)} ".encode() + data)
    return digest.hexdigest()


def is_current() -> bool:
    """Say whether it is there, and made of what is there now."""
    try:
        return (DIRECTORY / _MADE_OF).read_text() == made_of()
    except FileNotFoundError:
        return False


def build() -> Path:
    """
    Make it unless it is current, and give its directory.

    Raises:
        CompileError: It cannot be made.
    """
    digest = made_of()
    if is_current():
        return DIRECTORY
    DIRECTORY.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DIRECTORY.parent) as name:
        place = Path(name)
        unpacked = place / "unpacked"
        with zipfile.ZipFile(_make_wheel(place)) as wheel:
            wheel.extractall(unpacked)
        (unpacked / _MADE_OF).write_text(digest)
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        unpacked.rename(DIRECTORY)
    return DIRECTORY


def _make_wheel(place: Path) -> Path:
    """Build the wheel in *place*, out of a copy of the source tree."""
    source = place / "source"
    source.mkdir()
    for part in _PARTS:
        path = ROOT / part
        if path.is_dir():
            shutil.copytree(path, source / part, ignore=_UNWANTED)
        else:
            shutil.copy2(path, source / part)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel"]
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run(  # noqa: S603
        [*command, *options, "--wheel-dir", place, source],
        env=environment(SSO_PROXY_COMPILE="1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise CompileError(done.stdout + done.stderr)
    (wheel,) = place.glob("*.whl")
    return wheel


if __name__ == "__main__":
    try:
        print(build())  # noqa: T201
    except CompileError as error:
        sys.exit(f"{error}\nIt could not be compiled; see setup.py.")
