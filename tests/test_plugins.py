"""Plugins of other people's distributions, and our own in every kind of install."""

import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
DEADLINE = 60

CONFIG = """
[[listener]]
address = "127.0.0.1"
port = 8080
tls = false
allow_plaintext = true
[mapper.names]
type = "{type}"
{option}
[[route]]
host = "*"
authenticate = ["anonymous"]
map_user = ["names"]
backend = "http://127.0.0.1:9000"
"""

MAP = """
import sys
from sso_proxy.config.model import ComponentConfig
from sso_proxy.model import Identity
from sso_proxy.registry import Registry
component = ComponentConfig(type=sys.argv[1], options={"domain": "acme.example"})
mapper = Registry.load().build("IUserMapper", component, None, "mapper.names")
alice = Identity(issuer="i", subject="alice", authenticator="a")
try:
    mapper.map_user(alice).send(None)
except StopIteration as e:
    print(e.value)
"""


def run(
    *command: object, path: Path | None = None, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a command with *path* as its PYTHONPATH, and expect its *status*."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    if path is not None:
        environ["PYTHONPATH"] = str(path)
    done = subprocess.run(  # noqa: S603
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        env=environ | {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        cwd="/",
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def pip(*arguments: object, python: Path | str = sys.executable) -> None:
    """Run pip, which finds everything it needs here."""
    run(python, "-m", "pip", "--quiet", *arguments)


def build_wheel(source: Path, directory: Path) -> Path:
    """Build a wheel of *source*, of a copy, so that nothing is left there."""
    copy = directory / "source"
    shutil.copytree(source, copy)
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", directory, copy)
    return next(directory.glob("*.whl"))


def install(name: str, tmp: Path) -> Path:
    """Build and install a distribution of the test data into a directory of its own."""
    wheel = build_wheel(DATA / name, tmp)
    target = tmp / "site"
    pip("install", "--no-deps", "--target", target, wheel)
    return target


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Be the directory where the distribution with a twisted.plugins module is."""
    return install("acme_mapper", tmp_path_factory.mktemp("acme"))


@pytest.fixture(scope="module")
def acme_entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Be the directory where the distribution with an entry point is."""
    return install("acme_entry", tmp_path_factory.mktemp("acme-entry"))


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Check a file whose mapper has this type and option."""

    def command(
        kind: str, option: str, site: Path | None, status: int = 0
    ) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "sso-proxy.toml"
        path.write_text(CONFIG.format(type=kind, option=option))
        program = (sys.executable, "-c", "import sys; from sso_proxy.cli import main;")
        program = (*program[:2], f"{program[2]} sys.exit(main())")
        return run(*program, "check", path, path=site, status=status)

    return command


Check = Callable[..., subprocess.CompletedProcess[str]]
GOOD = 'domain = "acme.example"'


def test_distribution_with_a_twisted_plugin_is_found(check: Check, acme: Path) -> None:
    assert "no mistakes" in check("acme", GOOD, acme).stdout


def test_its_options_are_its_own(check: Check, acme: Path) -> None:
    done = check("acme", 'domian = "x"', acme, status=1)
    assert done.stderr.splitlines() == [
        "mapper.names.domain: is missing; it must be a string",
        "mapper.names.domian: there is no option 'domian'; did you mean 'domain'?",
        "2 mistakes",
    ]


def test_without_the_distribution_its_type_is_unknown(check: Check) -> None:
    done = check("acme", GOOD, None, status=1)
    assert done.stderr.startswith("mapper.names.type: there is no user mapper 'acme'")


def test_distribution_with_an_entry_point_is_found(
    check: Check, acme_entry: Path
) -> None:
    assert "no mistakes" in check("acme-entry", GOOD, acme_entry).stdout


def test_class_of_a_distribution_is_found_by_its_name(check: Check, acme: Path) -> None:
    assert "no mistakes" in check("acme_mapper:AcmeMapper", GOOD, acme).stdout


@pytest.mark.parametrize("door", ["acme", "acme_entry"])
def test_mapper_of_a_distribution_maps(
    door: str, request: pytest.FixtureRequest
) -> None:
    site = request.getfixturevalue(door)
    kind = door.replace("_", "-")
    done = run(sys.executable, "-c", MAP, kind, path=site)
    assert done.stdout == "alice@acme.example\n"


def test_single_file_in_plugin_path_is_found(check: Check, tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir(mode=0o755)
    source = (DATA / "acme_mapper" / "acme_mapper.py").read_text()
    announcement = (
        "from sso_proxy.plugin import PluginFactory\n"
        'acme = PluginFactory(name="single", makes="IUserMapper",'
        ' target=f"{__name__}:AcmeMapper")\n'
    )
    (plugins / "single.py").write_text(source + announcement)
    (plugins / "single.py").chmod(0o644)
    option = f'{GOOD}\n[server]\nplugin_path = ["plugins"]'
    assert "no mistakes" in check("single", option, None).stdout


@pytest.fixture
def environment(tmp_path: Path) -> Callable[[], Path]:
    """Make virtual environments that see our dependencies, but not ourselves."""

    def make() -> Path:
        venv = tmp_path / "venv"
        run(sys.executable, "-m", "venv", "--without-pip", venv)
        site = next((venv / "lib").glob("python*")) / "site-packages"
        # Not as a .pth file: those of that directory are not followed, and it holds
        # the editable install of the tree under test.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        return venv

    return make


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Be a copy of what a distribution of ours is made of."""
    copy = tmp_path / "tree"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("sso_proxy", "twisted"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, copy)
    return copy


@pytest.fixture
def writable_again(tmp_path: Path) -> Iterator[None]:
    """Let pytest remove what a test made read-only."""
    yield
    for path in [tmp_path, *tmp_path.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


def install_tree(tree: Path, venv: Path, *how: str) -> None:
    """Install *tree* into *venv* with the pip of these tests."""
    python = venv / "bin" / "python"
    options = ("--no-deps", "--no-build-isolation", "--ignore-installed")
    pip("install", *options, *how, tree, python=python)


def assert_twistd_has_it(
    venv: Path, tree: Path | None, *, bound: Sequence[str] = ()
) -> None:
    """Check that twistd lists the plugin, and that it is the one just installed."""
    python = venv / "bin" / "python"
    twistd = "from twisted.scripts.twistd import run; run()"
    done = run(*bound, python, "-W", "ignore", "-c", twistd, "--help")
    assert re.search(r"^ +sso-proxy +A reverse proxy", done.stdout, re.MULTILINE)
    where = run(python, "-c", "import sso_proxy; print(sso_proxy.__file__)").stdout
    assert where.startswith(str(tree or venv)), where
    names = run(
        *bound,
        python,
        "-c",
        "from sso_proxy.registry import Registry;"
        "print(Registry.load().names('IUserMapper'))",
    ).stdout
    assert "'static'" in names


def test_install_of_a_wheel(tree: Path, environment: Callable[[], Path]) -> None:
    venv = environment()
    install_tree(tree, venv)
    assert_twistd_has_it(venv, None)


def test_editable_install(tree: Path, environment: Callable[[], Path]) -> None:
    venv = environment()
    install_tree(tree, venv, "--editable")
    assert_twistd_has_it(venv, tree)


@pytest.mark.usefixtures("writable_again")
def test_install_that_nobody_can_write_to(
    tree: Path, environment: Callable[[], Path]
) -> None:
    """Neither a cache of plugins nor compiled code can be written there."""
    venv = environment()
    install_tree(tree, venv)
    for path in [venv, *venv.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP))
    # Root may write everywhere, unless it gives that up.
    powerless = ("setpriv", "--bounding-set", "-dac_override")
    assert_twistd_has_it(venv, None, bound=() if os.geteuid() else powerless)
    assert not list(venv.rglob("dropin.cache"))
