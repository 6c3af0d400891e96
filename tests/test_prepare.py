"""Where programs are missing and nothing can be installed, one line says which."""

import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parent / "prepare.sh"


def prepare(
    programs: Path, *arguments: str, unpacked: str = "/usr/local/lib"
) -> "subprocess.CompletedProcess[str]":
    """Run the script as if *programs* had all that is installed."""
    text = SCRIPT.read_text().replace(
        "PATH=$PATH:/usr/sbin:/sbin", f"PATH={programs}", 1
    )
    assert "unpacked=/usr/local/lib/" in text
    text = text.replace("unpacked=/usr/local/lib/", f"unpacked={unpacked}/", 1)
    return subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", text, "prepare.sh", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


PROGRAMS = (
    "nginx",
    "haproxy",
    "caddy",
    "slowhttptest",
    "curl",
    "openssl",
    "git",
    "systemd-analyze",
    "apache2",
    "memcached",
    "slapd",
    "redis-server",
    "glewlwyd",
    "chromium",
    "soapcpp2",
    "cc",
)


def install(programs: Path, *names: str) -> None:
    for name in names:
        path = programs / name
        path.write_text("#!/bin/sh\necho 1000\n")
        path.chmod(0o755)


def test_nothing_is_said_if_nothing_is_missing(tmp_path: Path) -> None:
    install(tmp_path, *PROGRAMS)
    done = prepare(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_missing_packages_are_named_in_one_line(tmp_path: Path) -> None:
    missing = ("slowhttptest", "openssl")
    install(tmp_path, "id", *(name for name in PROGRAMS if name not in missing))
    done = prepare(tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("apt-get install slowhttptest openssl\n")


def test_a_package_that_is_only_unpacked_is_named_in_another(tmp_path: Path) -> None:
    install(tmp_path, "id", *PROGRAMS)
    done = prepare(tmp_path, unpacked=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("dpkg -x gives of Debian's libapache2-mod-auth-tkt\n")


def test_measurements_need_more(tmp_path: Path) -> None:
    install(tmp_path, "id", *PROGRAMS)
    assert "wrk" in prepare(tmp_path, "bench").stderr


def test_the_container_image_needs_more(tmp_path: Path) -> None:
    install(tmp_path, "id", *PROGRAMS)
    assert prepare(tmp_path, "image").stderr.endswith(" podman crun mmdebstrap\n")


def test_a_shell_can_read_the_scripts() -> None:
    for name in ("prepare.sh", "run.sh"):
        shell = shutil.which("bash") or "/bin/bash"
        subprocess.run(  # noqa: S603
            [shell, "-n", SCRIPT.with_name(name)], check=True, timeout=30
        )
