"""A directory of wheels in place of a package index, out of what is installed here."""

import runpy
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
OF_INSTALLING = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def put_wheels(directory: Path, *extras: str) -> None:
    """Put all into *directory* that it takes to build and install the source tree."""
    script: dict[str, Any] = runpy.run_path(str(ROOT / "packaging" / "build_deb.py"))
    for name, of in (("sso-proxy", extras), ("setuptools", ())):
        for distribution in script["distributions"](name, of):
            if distribution.name != "sso-proxy":
                _put(distribution, directory)


def environment(wheels: Path) -> dict[str, str]:
    """Give the variables that have pip install from *wheels*, as from an index."""
    return {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_NO_COMPILE": "1",
        "PIP_NO_INDEX": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
    }


def _put(distribution: metadata.Distribution, directory: Path) -> None:
    """Write a wheel, which says that it fits everywhere: it is used here alone."""
    name = distribution.name.lower().replace("-", "_").replace(".", "_")
    wheel = directory / f"{name}-{distribution.version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        found = dict(_files(distribution))
        for path, source in found.items():
            archive.write(source, path)
        tops = {path.partition("/")[0] for path in found}
        (record,) = (f"{top}/RECORD" for top in tops if top.endswith(".dist-info"))
        archive.writestr(record, "".join(f"{path},,\n" for path in (*found, record)))


def _files(distribution: metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """Give what is imported; pip makes commands, and the rest is of the installing."""
    for file in distribution.files or ():
        source = Path(str(file.locate()))
        unwanted = {"..", "__pycache__", "test", "tests"} & set(file.parts)
        of_installing = ".dist-info/" in str(file) and file.name in OF_INSTALLING
        if not unwanted and not of_installing and source.is_file():
            yield str(file), source
