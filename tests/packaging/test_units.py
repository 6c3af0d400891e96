"""The units for systemd, as systemd itself reads them."""

import re
import subprocess
from pathlib import Path

import pytest

from sso_proxy.accepting import PATIENCE
from sso_proxy.config.model import ServerConfig
from sso_proxy.process.notify import Notifier
from sso_proxy.process.pool import START_TIMEOUT

ETC = Path(__file__).parent.parent.parent / "etc"
SERVICE = (ETC / "sso-proxy.service").read_text()
SOCKETS = sorted(ETC.glob("*.socket"))
MOST_EXPOSED = 1.2


def run(*command: str | Path) -> str:
    """Run a program that must find nothing to say on standard error."""
    done = subprocess.run(  # noqa: S603
        list(map(str, command)), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def options(text: str) -> dict[str, str]:
    """Give the last value of each option."""
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the units with a program that is there."""
    directory = tmp_path_factory.mktemp("units")
    text = SERVICE.replace("/opt/sso-proxy/bin/twistd", "/bin/true")
    (directory / "sso-proxy.service").write_text(text)
    for path in SOCKETS:
        (directory / path.name).write_text(path.read_text())
    return directory


def test_systemd_has_nothing_to_say_about_them(units: Path) -> None:
    run("systemd-analyze", "verify", *sorted(units.iterdir()))


def test_systemd_would_have_said_something(units: Path) -> None:
    wrong = units / "wrong.service"
    wrong.write_text(SERVICE.replace("ProtectHome", "ProtectHouse"))
    done = subprocess.run(  # noqa: S603
        ["systemd-analyze", "verify", wrong],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    wrong.unlink()
    assert "ProtectHouse" in done.stderr


def test_service_is_hardly_exposed(units: Path) -> None:
    """Left are the network, unix sockets, the host's files to read, and cffi's code."""
    told = run(
        *("systemd-analyze", "security", "--offline=true", "--no-pager"),
        *(f"--threshold={round(MOST_EXPOSED * 10)}", units / "sso-proxy.service"),
    )
    found = re.search(r"Overall exposure level .*: ([\d.]+) ", told)
    assert found is not None
    assert float(found[1]) <= MOST_EXPOSED


def test_service_has_no_privileges_at_all() -> None:
    said = options(SERVICE)
    assert said["CapabilityBoundingSet"] == said["AmbientCapabilities"] == ""
    assert said["NoNewPrivileges"] == said["PrivateUsers"] == "yes"
    assert said["User"] == "sso-proxy"


def test_local_cache_can_tell_one_boot_from_another() -> None:
    """Else it would read what was written only in part when the machine crashed."""
    assert "ProcSubset" not in options(SERVICE)


def test_systemd_waits_as_long_as_we_take() -> None:
    said = options(SERVICE)
    assert int(said["TimeoutStopSec"]) > ServerConfig().drain_timeout + 1
    assert int(said["TimeoutStartSec"]) > START_TIMEOUT + PATIENCE
    watchdog = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": said["WatchdogSec"] + "0" * 6}
    assert Notifier(watchdog).patience == 30


def test_sockets_have_the_names_that_the_service_and_the_example_use() -> None:
    names = set()
    for path in SOCKETS:
        said = options(path.read_text())
        assert said["Service"] == "sso-proxy.service"
        assert said["Backlog"] == str(ServerConfig().backlog)
        names.add(f"systemd:{said['FileDescriptorName']}")
    assert options(SERVICE)["Sockets"].split() == [
        "sso-proxy-https.socket",
        "sso-proxy-http.socket",
    ]
    assert names == {"systemd:https", "systemd:http"}


def test_user_can_be_made() -> None:
    """Checked on nothing but the file: `--root` would need the directories, too."""
    text = (ETC / "sysusers.d" / "sso-proxy.conf").read_text()
    assert re.fullmatch(r'u sso-proxy - "[^"]+" /var/lib/sso-proxy\n', text)
