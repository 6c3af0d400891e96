"""
Build a Debian package out of the environment that this runs in, without a network.

The package is self-contained: all that the proxy imports is in its own directory, and
nothing that Debian's packages of Python modules bring is looked at.  It fits the
version of Python that this runs with, which Debian must have as ``python3.N``.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).absolute().parent.parent
HOME = Path("usr/lib/sso-proxy")
SERVICE = "sso-proxy.service"
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
LAUNCHER = """\
#!/usr/bin/{python} -IS
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))

from {module} import {function}

sys.exit({function}())
"""
FOR_DEVELOPERS = {"test", "docs"}
PROGRAMS = {
    "sso-proxy": ("sso_proxy.cli", "main"),
    "twistd": ("twisted.scripts.twistd", "run"),
}


def main() -> int:
    """Build the package into the directory that was named; print its path."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="where the package is put")
    parser.add_argument("--compression", default="xz", metavar="xz|zstd|gzip|none")
    parser.add_argument(
        "--compiled",
        type=Path,
        metavar="WHEEL",
        help="of ours, a wheel that was built with SSO_PROXY_COMPILE=1",
    )
    parser.add_argument("--maintainer", default="sso-proxy <root@localhost>")
    chosen = parser.parse_args()
    tree = chosen.directory / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    found = list(distributions("sso-proxy", extras_of("sso-proxy")))
    put_libraries(tree, found)
    put_ours(tree / HOME / "lib", chosen.compiled)
    put_programs(tree)
    put_service(tree)
    put_documents(tree)
    needs = libc(found, here=chosen.compiled is not None)
    put_control(tree, found, chosen.maintainer, needs)
    set_modes(tree)
    command = ["dpkg-deb", "--root-owner-group", f"-Z{chosen.compression}"]
    subprocess.run([*command, "--build", tree, chosen.directory], check=True)  # noqa: S603
    shutil.rmtree(tree)
    return 0


def extras_of(name: str) -> tuple[str, ...]:
    """Give the extras of the distribution *name* that are installed, ours apart."""
    found = []
    for extra in metadata.metadata(name).get_all("Provides-Extra") or ():
        if extra in FOR_DEVELOPERS:
            continue
        try:
            list(distributions(name, (extra,)))
        except metadata.PackageNotFoundError as e:
            sys.stderr.write(f"left out: {extra} ({e.name} is not installed)\n")
        else:
            found.append(extra)
    return tuple(found)


def distributions(
    name: str, extras: tuple[str, ...]
) -> Iterator[metadata.Distribution]:
    """Give the distribution *name* and all that it needs, each once."""
    todo, seen, given = [(name, extras)], set[tuple[str, tuple[str, ...]]](), set()
    while todo:
        wanted, of = todo.pop()
        found = metadata.distribution(wanted)
        if (found.name, of) in seen:
            continue
        seen.add((found.name, of))
        if found.name not in given:
            given.add(found.name)
            yield found
        for line in found.requires or ():
            need = Requirement(line)
            marks = [{"extra": extra} for extra in ("", *of)]
            if need.marker is None or any(map(need.marker.evaluate, marks)):
                todo.append((need.name, tuple(need.extras)))


def put_libraries(tree: Path, found: list[metadata.Distribution]) -> None:
    """Copy what is imported; of ours, what says which version it is."""
    lib = tree / HOME / "lib"
    for distribution in found:
        ours = distribution.name == "sso-proxy"
        for file in distribution.files or ():
            unwanted = {"..", "__pycache__", "test", "tests"} & set(file.parts)
            if ours and file.name not in {"METADATA", "entry_points.txt"}:
                continue  # an editable installation has its paths in the others
            source = Path(str(file.locate()))
            if not unwanted and source.is_file() and not file.is_absolute():
                copy(source, lib / file)


def put_ours(lib: Path, wheel: Path | None) -> None:
    """
    Copy what stands in this source tree, or unpack the *wheel*.

    Raises:
        SystemExit: The wheel is for another Python or processor, or was not compiled.
    """
    if wheel is not None:
        if not parse_wheel_filename(wheel.name)[3] & set(sys_tags()):
            raise SystemExit(f"{wheel.name} is not for this Python")
        with zipfile.ZipFile(wheel) as archive:
            files = [name for name in archive.namelist() if ".dist-info/" not in name]
            if not any(name.endswith(".so") for name in files):
                raise SystemExit(f"{wheel.name} was not compiled")
            archive.extractall(lib, files)
        return
    for source in (ROOT / "sso_proxy").rglob("*"):
        if source.is_file() and source.parent.name != "__pycache__":
            copy(source, lib / source.relative_to(ROOT))
    plugin = Path("twisted/plugins/sso_proxy_plugin.py")
    copy(ROOT / plugin, lib / plugin)


def put_programs(tree: Path) -> None:
    """Write what is called, and have Twisted look for plugins while it may write."""
    programs = tree / HOME / "bin"
    programs.mkdir(parents=True)
    for name, (module, function) in PROGRAMS.items():
        text = LAUNCHER.format(python=PYTHON, module=module, function=function)
        (programs / name).write_text(text)
    command = [sys.executable, "-ISB", str(programs / "twistd"), "--help"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/sso-proxy").symlink_to("../lib/sso-proxy/bin/sso-proxy")


def put_service(tree: Path) -> None:
    """Copy units, user, directories and the first configuration."""
    etc, lib = ROOT / "etc", tree / "usr/lib"
    text = (etc / SERVICE).read_text().replace("/opt/", "/usr/lib/")
    text = text[text.index("[Unit]") :]
    write(lib / "systemd/system" / SERVICE, text)
    for unit in etc.glob("*.socket"):
        copy(unit, lib / "systemd/system" / unit.name)
    for kind in ("sysusers.d", "tmpfiles.d"):
        copy(etc / kind / "sso-proxy.conf", lib / kind / "sso-proxy.conf")
    copy(ROOT / "packaging/sso-proxy.toml", tree / "etc/sso-proxy/sso-proxy.toml")


def put_documents(tree: Path) -> None:
    """Copy the licence and what to do first; others' licences are with their code."""
    documents = tree / "usr/share/doc/sso-proxy"
    copy(ROOT / "LICENSE", documents / "copyright")
    copy(ROOT / "packaging/debian/README.Debian", documents / "README.Debian")


def put_control(
    tree: Path, found: list[metadata.Distribution], maintainer: str, needs: str
) -> None:
    """Write what dpkg reads; *needs* is a version of GNU libc."""
    size = sum(f.stat().st_size for f in tree.rglob("*") if not f.is_symlink())
    about = next(each for each in found if each.name == "sso-proxy").metadata
    fields = {
        "Package": "sso-proxy",
        "Version": about["Version"],
        "Architecture": told("dpkg", "--print-architecture"),
        "Maintainer": maintainer,
        "Section": "net",
        "Priority": "optional",
        "Installed-Size": str(size // 1024),
        "Depends": f"{PYTHON}, libc6 (>= {needs}), systemd (>= 252)",
        "Recommends": "ca-certificates",
        "Description": f"{about['Summary'].rstrip('.')}\n"
        " It finds out who is calling, decides whether the call may pass, tells the\n"
        " application in a way that it understands, and forwards the request.",
    }
    control = tree / "DEBIAN"
    lines = (f"{name}: {value}\n" for name, value in fields.items())
    write(control / "control", "".join(lines))
    write(control / "conffiles", "/etc/sso-proxy/sso-proxy.toml\n")
    for script in ("postinst", "prerm", "postrm"):
        text = (ROOT / "packaging/debian" / script).read_text()
        write(control / script, text.replace("@PYTHON@", PYTHON))


_OLD_TAGS = {"1": 5, "2010": 12, "2014": 17}
"""What the names of before PEP 600 mean: the second number of GNU libc."""


def _libc_of(tag: str) -> tuple[int, int]:
    """Read what follows ``manylinux`` in a wheel's tag."""
    if tag in _OLD_TAGS:
        return 2, _OLD_TAGS[tag]
    return 2, int(tag.removeprefix("_2_"))


def libc(found: list[metadata.Distribution], *, here: bool = False) -> str:
    """
    Give the oldest GNU libc that every wheel runs with, and what was compiled *here*.

    Raises:
        SystemExit: One was compiled here, and nobody knows what it needs.
    """
    needed: list[tuple[int, ...]] = [(2, 34)]  # of Debian 12 and later any will do
    if here:
        needed.append(tuple(map(int, platform.libc_ver()[1].split("."))))
    for distribution in found:
        wheel = distribution.read_text("WHEEL") or ""
        tags = re.findall(r"^Tag: .*-manylinux(_2_\d+|\d+)_", wheel, re.MULTILINE)
        if tags:
            needed.append(min(map(_libc_of, tags)))
        elif "Root-Is-Purelib: false" in wheel:
            problem = "was compiled here; install a wheel that is for any Linux"
            raise SystemExit(f"{distribution.name} {problem}")
    return ".".join(map(str, max(needed)))


def set_modes(tree: Path) -> None:
    """Let everybody read, nobody but root write, and programs be run."""
    run = {tree / HOME / "bin" / name for name in PROGRAMS}
    run |= {tree / "DEBIAN" / name for name in ("postinst", "prerm", "postrm")}
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path in run else 0o644)
    (tree / "etc/sso-proxy/sso-proxy.toml").chmod(0o640)


def copy(source: Path, target: Path) -> None:
    """Copy a file, with its time: caches of plugins go by that."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def write(path: Path, text: str) -> None:
    """Write a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def told(*command: str) -> str:
    """Give the one line that a program prints."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return done.stdout.strip()


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
