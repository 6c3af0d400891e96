"""The tree keeps its promises."""

import ast
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sso_proxy"
SOURCES = sorted(p.relative_to(PACKAGE) for p in PACKAGE.rglob("*.py"))
MODULES = [source for source in SOURCES if source.name != "__init__.py"]

TESTED_ELSEWHERE = {
    "callers.py": "phases 4 to 6; test_pipeline.py goes through them in their order",
    "interfaces/__init__.py": "declarations; components' tests verify them",
    "interfaces/logins.py": "likewise",
    "interfaces/stores.py": "likewise",
    "interfaces/tokens.py": "likewise",
    "interfaces/policies.py": "likewise",
    "model.py": "values without behaviour, used by every test",
    "body.py": "a declaration; test_restoring.py and edge/test_body.py implement it",
    "net/http_bodies.py": "net/test_http_client.py sends and reads them",
    "parts.py": "values; test_building.py makes them",
    "token.py": "values without behaviour, used by the tests of tokens",
    "equipment.py": "test_equipping.py looks at every way to fill and read it",
    "config/token_parts.py": "options without behaviour; config/test_token_rules.py",
    "specs/expression_tree.py": "values without behaviour; specs/test_expression.py",
    "tls_facts.py": "values; net/tls/test_certificates.py makes them",
    "interfaces/passwords.py": "likewise",
    "session.py": "values without behaviour, used by the tests of sessions",
    "answered.py": "a value without behaviour; test_cli.py and the commands' tests",
    "errors.py": "values without behaviour, used by every test",
    "testing/demo/__main__.py": "one line; testing/demo/test_run.py runs it",
}
LONGEST = 450
PROMISED = [
    ".ci/run",
    "LICENSE",
    "MANIFEST.in",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "docs/architecture.md",
    "docs/changes/README.md",
    "docs/decisions/index.md",
    "docs/formats/index.md",
    "docs/operate.md",
    "docs/reference/index.md",
    "docs/standards.md",
    "docs/start.md",
    "docs/threat-model.md",
    "etc/certificate-bound.toml",
    "sso_proxy/assembly.py",
    "sso_proxy/cli.py",
    "sso_proxy/interfaces/__init__.py",
    "sso_proxy/interfaces/stores.py",
    "sso_proxy/model.py",
    "sso_proxy/pipeline.py",
    "sso_proxy/py.typed",
    "sso_proxy/registry.py",
    "sso_proxy/tap.py",
    "twisted/plugins/sso_proxy_plugin.py",
]


def test_modules_have_their_test_files() -> None:
    alone = [
        str(source.with_name(f"test_{source.name}"))
        for source in MODULES
        if str(source) not in TESTED_ELSEWHERE
        and not (ROOT / "tests" / source.with_name(f"test_{source.name}")).exists()
    ]
    assert alone == [], f"there is no {', '.join(alone)} in tests"


def test_no_exception_outlives_its_module() -> None:
    assert [name for name in TESTED_ELSEWHERE if not (PACKAGE / name).exists()] == []


def test_modules_fit_in_one_sitting() -> None:
    lines = {
        str(source): (PACKAGE / source).read_text().count("\n") for source in SOURCES
    }
    assert {source: n for source, n in lines.items() if n > LONGEST} == {}, "split them"


@pytest.mark.parametrize("package", ["twisted", "twisted/plugins"])
def test_twisted_is_not_shadowed(package: str) -> None:
    """An __init__.py here would hide Twisted itself, or our plugin."""
    assert not (ROOT / package / "__init__.py").exists()


def log_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Find ``_log.info(…)``, ``self._log.info(…)`` and the like."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Name(id="_log" | "log")
                    | ast.Attribute(attr="_log" | "log")
                )
            ):
                yield node
            case _:
                pass


def trees(word: str) -> Iterator[tuple[Path, ast.Module]]:
    """Give what those modules consist of whose text has *word*."""
    for source in SOURCES:
        text = (PACKAGE / source).read_text()
        if word in text:
            yield source, ast.parse(text)


def test_log_formats_are_literals() -> None:
    """A format from outside could read any attribute of what is logged."""
    for source, tree in trees("log."):
        for call in log_calls(tree):
            assert isinstance(call.func, ast.Attribute)
            place = 1 if call.func.attr == "emit" else 0
            for formatted in call.args[place : place + 1]:
                assert isinstance(formatted, ast.Constant), f"{source}:{call.lineno}"


def reactor_imports(tree: ast.AST) -> Iterator[int]:
    """Find the lines that import the reactor."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="twisted.internet", names=names):
                if "reactor" in {n.name for n in names}:
                    yield node.lineno
            case ast.Import(names=names):
                if "twisted.internet.reactor" in {n.name for n in names}:
                    yield node.lineno
            case _:
                pass


def test_only_the_entry_imports_the_reactor() -> None:
    """An import installs it, before twistd has read which one is wanted."""
    found = {source: list(reactor_imports(tree)) for source, tree in trees("reactor")}
    assert {str(source) for source, lines in found.items() if lines} == {"tap.py"}


def test_promised_files_exist() -> None:
    assert [name for name in PROMISED if not (ROOT / name).is_file()] == []


def test_what_guards_the_tree_can_be_run() -> None:
    for name in (".ci/run", "tests/prepare.sh", "tests/run.sh"):
        assert (ROOT / name).stat().st_mode & 0o111 == 0o111, name


def test_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the source distribution, and out of it the wheel."""
    directory = tmp_path_factory.mktemp("built")
    subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-m", "build", "--no-isolation", "-o", directory],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return directory


def test_wheel_has_the_files_of_pages(built: Path) -> None:
    (archive,) = built.glob("sso_proxy-*.whl")
    packed = set(zipfile.ZipFile(archive).namelist())
    wanted = {
        str(path.relative_to(ROOT))
        for path in (PACKAGE / "pages").glob("*/*")
        if path.parent.name in {"templates", "messages"}
    }
    assert len(wanted) > 5
    assert {*wanted, "sso_proxy/py.typed"} <= packed


def test_source_distribution_has_tests_examples_and_documents(built: Path) -> None:
    (archive,) = built.glob("sso_proxy-*.tar.gz")
    with tarfile.open(archive) as tar:
        packed = {name.partition("/")[2] for name in tar.getnames()}
    wanted = {name for name in PROMISED if not name.startswith(".")}
    for pattern in ("tests/**/*.py", "etc/*", "docs/**/*.md", "twisted/plugins/*.py"):
        wanted |= {
            str(path.relative_to(ROOT))
            for path in ROOT.glob(pattern)
            if path.is_file() and not {"_build", "generated"} & set(path.parts)
        }
    assert wanted <= packed
