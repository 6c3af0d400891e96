"""The Debian package: built here, looked at, and run from where it is unpacked."""

import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.tags import sys_tags

from sso_proxy import __version__
from sso_proxy.testing.pki import Pki
from tests.support.running import PATIENCE, eventually, need_root

ROOT = Path(__file__).parent.parent.parent
HOME = "usr/lib/sso-proxy"
ISOLATED = (sys.executable, "-IS")
"""As the programs' first lines have it: no module of the tests' environment is seen."""


def told(*command: str | Path) -> str:
    """Run a program; gives what it prints."""
    done = subprocess.run(  # noqa: S603
        list(map(str, command)), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package."""
    directory = tmp_path_factory.mktemp("package")
    script = ROOT / "packaging" / "build_deb.py"
    told(sys.executable, "-B", script, directory, "--compression", "none")
    (found,) = directory.iterdir()
    return found


@pytest.fixture(scope="module")
def root(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the package; put in a certificate."""
    directory = tmp_path_factory.mktemp("root")
    told("dpkg-deb", "--extract", package, directory)
    tls = directory / "etc" / "sso-proxy" / "tls"
    tls.mkdir()
    pair = Pki.create().issue("app", dns=["app.example.com"]).write(tls, "proxy")
    for path, name in zip(pair, ("proxy.crt", "proxy.key"), strict=True):
        shutil.move(path, tls / name)
    return directory


@pytest.fixture(scope="module")
def script() -> Any:  # noqa: ANN401
    """Give the script's functions."""
    path = ROOT / "packaging" / "build_deb.py"
    spec = importlib.util.spec_from_file_location("build_deb", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Installed:
    """A distribution that is installed, of which only one file is looked at."""

    name = "lxml"

    def __init__(self, wheel: str) -> None:
        self._wheel = wheel

    def read_text(self, name: str) -> str:
        assert name == "WHEEL"
        return self._wheel


def test_libc_must_be_new_enough_for_all(script: Any) -> None:  # noqa: ANN401
    old = "Tag: cp311-cp311-manylinux_2_17_x86_64\nTag: cp311-cp311-manylinux_2_40_x86"
    new = "Root-Is-Purelib: false\nTag: cp311-abi3-manylinux_2_38_x86_64\n"
    assert script.libc([Installed("Root-Is-Purelib: true"), Installed(old)]) == "2.34"
    assert script.libc([Installed(new), Installed(old)]) == "2.38"


def test_what_was_compiled_here_is_not_packed(script: Any) -> None:  # noqa: ANN401
    here = "Root-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64\n"
    with pytest.raises(SystemExit, match="lxml was compiled here"):
        script.libc([Installed(here)])


def test_what_was_compiled_here_of_ours_needs_what_is_here(script: Any) -> None:  # noqa: ANN401
    here = ".".join(platform.libc_ver()[1].split(".")[:2])
    assert script.libc([Installed("Root-Is-Purelib: true")], here=True) == here


def wheel_of(directory: Path, tag: str, *files: str) -> Path:
    wheel = directory / f"sso_proxy-0.1.0-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in files:
            archive.writestr(file, "")
    return wheel


THIS = next(str(tag) for tag in sys_tags() if "manylinux" not in str(tag))


def test_a_compiled_wheel_stands_for_the_source_tree(
    script: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    files = ("sso_proxy/a.py", "sso_proxy/a.so", "twisted/plugins/sso_proxy_plugin.py")
    wheel = wheel_of(tmp_path, THIS, *files, "sso_proxy-0.1.0.dist-info/RECORD")
    lib = tmp_path / "lib"
    script.put_ours(lib, wheel)
    found = {str(path.relative_to(lib)) for path in lib.rglob("*") if path.is_file()}
    assert found == set(files)


@pytest.mark.parametrize(
    ("tag", "problem"),
    [("py3-none-any", "was not compiled"), ("cp39-cp39-linux_x86_64", "not for this")],
)
def test_another_wheel_does_not(
    script: Any,  # noqa: ANN401
    tmp_path: Path,
    tag: str,
    problem: str,
) -> None:
    wheel = wheel_of(tmp_path, tag, "sso_proxy/a.py")
    with pytest.raises(SystemExit, match=problem):
        script.put_ours(tmp_path / "lib", wheel)


def test_extras_that_are_not_installed_are_left_out(
    script: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "ldap" in script.extras_of("sso-proxy")
    real = script.metadata.distribution

    def without(name: str) -> object:
        if name == "ldaptor":
            raise script.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(script.metadata, "distribution", without)
    assert "ldap" not in script.extras_of("sso-proxy")
    assert "left out: ldap (ldaptor is not installed)" in capsys.readouterr().err


def program(root: Path, name: str, *arguments: str | Path) -> list[str | Path]:
    return [*ISOLATED, root / HOME / "bin" / name, *arguments]


def test_dpkg_knows_what_it_is(package: Path) -> None:
    assert package.name.startswith(f"sso-proxy_{__version__}_")
    fields = dict(
        line.split(": ", 1)
        for line in told("dpkg-deb", "--field", package).splitlines()
        if not line.startswith(" ")
    )
    assert fields["Version"] == __version__
    assert fields["Architecture"] == told("dpkg", "--print-architecture").strip()
    needed = re.sub(r" \(.*?\)", "", fields["Depends"]).split(", ")
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert needed == [python, "libc6", "systemd"]


def test_dpkg_lists_what_administrators_look_for(package: Path) -> None:
    listed = {
        line.split()[5]: line.split()
        for line in told("dpkg-deb", "--contents", package).splitlines()
    }
    for name in (
        "./usr/bin/sso-proxy",
        f"./{HOME}/bin/twistd",
        f"./{HOME}/lib/sso_proxy/tap.py",
        f"./{HOME}/lib/sso_proxy/pages/templates/error.html",
        f"./{HOME}/lib/twisted/plugins/dropin.cache",
        "./usr/lib/systemd/system/sso-proxy.service",
        "./usr/lib/systemd/system/sso-proxy-https.socket",
        "./usr/lib/sysusers.d/sso-proxy.conf",
        "./usr/lib/tmpfiles.d/sso-proxy.conf",
        "./usr/share/doc/sso-proxy/copyright",
    ):
        assert name in listed, name
    assert listed["./etc/sso-proxy/sso-proxy.toml"][0] == "-rw-r-----"
    for line in listed.values():
        assert line[1] == "root/root"
        assert line[0][0] == "l" or "w" not in line[0][4:], line


def test_nothing_of_the_builder_is_in_it(package: Path, root: Path) -> None:
    assert "__pycache__" not in told("dpkg-deb", "--contents", package)
    lib = root / HOME / "lib"
    for name in ("pytest", "pip", "mypy", "ansible", "setuptools"):
        assert not (lib / name).exists(), name
    for path in (*lib.glob("sso_proxy*/*"), *(root / HOME / "bin").iterdir()):
        if path.is_file():
            assert str(ROOT).encode() not in path.read_bytes(), path


def test_configuration_survives_upgrades(package: Path) -> None:
    names = told("dpkg-deb", "--info", package, "conffiles").split()
    assert names == ["/etc/sso-proxy/sso-proxy.toml"]


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_a_shell_can_read_the_scripts(package: Path, script: str) -> None:
    text = told("dpkg-deb", "--info", package, script)
    assert text.startswith("#!/bin/sh\nset -e\n")
    assert "@" not in text
    subprocess.run(["/bin/sh", "-n"], input=text, text=True, check=True, timeout=30)


ELSEWHERE = """
set -e
mount -t tmpfs none "$1"
mkdir "$1/changes" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/changes,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
rm -rf "$1/root/var/lib/sso-proxy" "$1/root/etc/sso-proxy"
cp "$2" "$1/root/tmp/sso-proxy.deb"
chroot "$1/root" /bin/sh -ec '
dpkg --install /tmp/sso-proxy.deb >/dev/null
stat --format="%a %U %G %n" /etc/sso-proxy/*
find /usr/lib/sso-proxy/lib/sso_proxy -maxdepth 2 -name "tap.*.pyc" | wc -l
echo "# ours" >>/etc/sso-proxy/sso-proxy.toml
dpkg --install /tmp/sso-proxy.deb >/dev/null
tail -1 /etc/sso-proxy/sso-proxy.toml
dpkg --remove sso-proxy >/dev/null
mkdir /var/lib/sso-proxy
ls -d /usr/lib/sso-proxy /etc/sso-proxy/sso-proxy.toml 2>/dev/null || true
dpkg --purge sso-proxy >/dev/null
ls -d /etc/sso-proxy /var/lib/sso-proxy 2>/dev/null || true
'
"""
"""Installs over what this system has, in memory, where nobody else sees it."""


def test_dpkg_installs_upgrades_removes_and_purges_it(
    package: Path, tmp_path: Path
) -> None:
    need_root()
    done = told(
        "unshare", "--mount", "/bin/sh", "-c", ELSEWHERE, "sh", tmp_path, package
    )
    assert done.splitlines() == [
        "750 root sso-proxy /etc/sso-proxy/secrets",
        "640 root sso-proxy /etc/sso-proxy/sso-proxy.toml",
        "750 root sso-proxy /etc/sso-proxy/tls",
        "1",
        "# ours",
        "/etc/sso-proxy/sso-proxy.toml",
    ]


def test_unit_is_where_the_program_is(root: Path) -> None:
    unit = root / "usr/lib/systemd/system/sso-proxy.service"
    started = re.search(r"^ExecStart=/(\S+)", unit.read_text(), re.MULTILINE)
    assert started is not None
    assert os.access(root / started[1], os.X_OK)
    first = (root / started[1]).read_text().partition("\n")[0]
    assert re.fullmatch(r"#!/usr/bin/python3\.\d+ -IS", first)


def test_user_and_directories_are_made(root: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    lib = root / "usr/lib"
    told("systemd-sysusers", f"--root={tmp_path}", lib / "sysusers.d/sso-proxy.conf")
    user = (tmp_path / "etc/passwd").read_text().strip().split(":")
    assert (user[0], user[5], user[6]) == (
        "sso-proxy",
        "/var/lib/sso-proxy",
        "/usr/sbin/nologin",
    )
    told(
        *("systemd-tmpfiles", "--create", f"--root={tmp_path}"),
        lib / "tmpfiles.d/sso-proxy.conf",
    )
    secrets = (tmp_path / "etc/sso-proxy/secrets").stat()
    assert secrets.st_mode & 0o7777 == 0o750
    assert secrets.st_gid == int(user[3])


def test_configuration_that_comes_with_it_is_right(root: Path) -> None:
    file = root / "etc" / "sso-proxy" / "sso-proxy.toml"
    told_ = told(*program(root, "sso-proxy", "check", file)).splitlines()
    assert told_[0] == f"{file}: no mistakes"
    assert told_[1].startswith("listener[0]  https systemd:https")


def test_what_is_missing_is_said(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "sso-proxy.toml"
    shutil.copy(root / "etc/sso-proxy/sso-proxy.toml", file)
    done = subprocess.run(  # noqa: S603
        program(root, "sso-proxy", "check", file),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "tls/proxy.crt" in done.stderr


def test_it_serves_with_its_own_modules_alone(root: Path, tmp_path: Path) -> None:
    """One worker more: it has to find the modules, too."""
    file = tmp_path / "sso-proxy.toml"
    text = (root / "etc/sso-proxy/sso-proxy.toml").read_text()
    for old, new in (
        ("[server]", f'[server]\nworkers = 2\nstate_dir = "{tmp_path}/state"'),
        ("/run/sso-proxy/admin.sock", f"{tmp_path}/admin.sock"),
        ("/var/log/sso-proxy/", f"{tmp_path}/"),
        ('"systemd:https"', '"127.0.0.1"\nport = 0'),
        ('"systemd:http"', '"127.0.0.1"\nport = 0'),
        ("tls/proxy", f"{root}/etc/sso-proxy/tls/proxy"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)
    log = tmp_path / "log"
    command = program(root, "twistd", "--nodaemon", "--pidfile=", "sso-proxy")
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [*command, "--config", file],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(
            lambda: "serving on" in log.read_text() or process.poll() is not None,
            "the start",
        )
        assert process.poll() is None, log.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE)
    assert "Traceback" not in log.read_text()
