"""What the documents say is so."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import attrs
import pytest

from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.config.load import load_config

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    *(
        page
        for page in sorted((ROOT / "docs").rglob("*.md"))
        if not {"_build", "generated"} & set(page.relative_to(ROOT).parts)
    ),
]
SOURCES = [path.read_text() for path in (ROOT / "sso_proxy").rglob("*.py")]
METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text())

NOT_OURS = {"api", "tls", "text", "application", "http", "RTSP"}

named = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL
    )


@named
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@named
def test_files_that_are_named_exist(page: Path) -> None:
    for name in re.findall(r"`((?:\w+/)+\w*(?:\.\w+)?)`", page.read_text()):
        if name.partition("/")[0] not in NOT_OURS:
            assert (ROOT / name).exists() or (ROOT / "sso_proxy" / name).exists(), name


@named
def test_whole_configurations_have_no_mistakes(page: Path, tmp_path: Path) -> None:
    for text in blocks(page, "toml"):
        if "[[listener]]" in text and "[[route]]" in text:
            file = tmp_path / "sso-proxy.toml"
            file.write_text(text)
            load_config(file)


@named
def test_parts_of_configurations_are_toml(page: Path) -> None:
    for text in blocks(page, "toml"):
        tomllib.loads(text)


def test_configurations_in_the_readme_are_short() -> None:
    for text in blocks(ROOT / "README.md", "toml"):
        assert len(list(filter(None, text.splitlines()))) <= 17


def test_login_in_the_readme_is_one() -> None:
    _, login = blocks(ROOT / "README.md", "toml")
    table = tomllib.loads(login)["authenticator"]["login"]
    assert table.pop("type") == "oidc"
    options = {n.removesuffix("_file"): value for n, value in table.items()}
    assert options.keys() <= attrs.fields_dict(OidcConfig).keys()


def test_reasons_that_operators_look_up_exist() -> None:
    text = (ROOT / "docs" / "operate.md").read_text()
    _, _, table = text.partition("## At 3 am")
    cells = re.findall(r"^\| \d{3} \| ([^|]+) \|", table, re.MULTILINE)
    reasons = [reason for cell in cells for reason in re.findall(r"`([a-z-]+)`", cell)]
    assert len(reasons) > 10
    for reason in reasons:
        assert any(f'"{reason}"' in source for source in SOURCES), reason


def test_every_rfc_that_the_code_follows_is_in_the_list() -> None:
    listed = (ROOT / "docs" / "standards.md").read_text()
    followed = {n for source in SOURCES for n in re.findall(r"RFC (\d{4})", source)}
    named_in_passing = {"8414", "6749"}  # the demo's authorization server
    assert {n for n in followed if n not in listed} <= named_in_passing


def test_fragments_of_changes_have_a_known_kind() -> None:
    kinds = {kind["directory"] for kind in METADATA["tool"]["towncrier"]["type"]}
    for path in (ROOT / "docs" / "changes").glob("*.md"):
        if path.name != "README.md":
            assert path.name.split(".")[1] in kinds, path.name


def test_changes_can_be_put_together() -> None:
    draft = subprocess.run(  # noqa: S603
        [
            f"{sys.prefix}/bin/towncrier",
            *("build", "--draft", "--version", "1", "--date", "2026-01-01"),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    assert "certificate-bound" in draft


@pytest.mark.parametrize(
    "target", ["demo", "test", "bench", "soak", "memory", "format", "docs", "clean"]
)
def test_make_help_lists_every_command(target: str) -> None:
    listed = subprocess.run(
        ["make", "help"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout
    assert f"make {target} " in listed
