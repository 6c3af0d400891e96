"""The reference of the configuration file is whole."""

import subprocess
import sys
from pathlib import Path

import pytest

from sso_proxy.config.documented import (
    classes_below,
    option_sentences,
    options,
    summary,
)
from sso_proxy.config.model import ComponentConfig, Config
from sso_proxy.config.reference import render_reference
from sso_proxy.config.secrets import Secret
from sso_proxy.registry import Registry

ROOT = Path(__file__).parent.parent.parent
COMPONENTS = Registry.load().config_classes(own=True)


def documented() -> list[type]:
    """List every class that reads a part of the file."""
    found = {Config: None} | dict.fromkeys(classes_below(Config))
    for kinds in COMPONENTS.values():
        for kind in kinds.values():
            found |= {kind: None} | dict.fromkeys(classes_below(kind))
    return [kind for kind in found if kind not in {ComponentConfig, Secret}]


@pytest.mark.parametrize("kind", documented(), ids=lambda kind: kind.__name__)
def test_every_option_has_a_sentence_and_no_sentence_is_left_over(kind: type) -> None:
    sentences = option_sentences(kind)
    assert list(sentences) == [field.name for field in options(kind)]
    assert all(sentence.endswith(".") for sentence in sentences.values())
    assert summary(kind).endswith(".")


def test_reference_shows_type_bounds_default_and_sentence() -> None:
    text = render_reference({})
    assert (
        "| `workers` | integer, 1 to 128 | `1` | Processes that serve; 1 serves in the"
        " main process. |" in text
    )
    assert '| `min_version` | `"TLSv1.2"` or `"TLSv1.3"` | `"TLSv1.2"` |' in text
    assert "| `authenticate` | list of strings, not empty | must be set |" in text
    assert "| `certificate` | file | unset |" in text
    assert "| `tls` | true or false | `true` |" in text


@pytest.mark.parametrize(
    "heading",
    [
        "## `[server.limits]`",
        "## `[[listener]]` (at least one)",
        "## `[[listener.name]]`",
        "## `[authenticator.NAME]`",
        '## `[authenticator.NAME]` with `type = "mtls"`',
        "## `[route.upstream]`",
        "## `[authenticator.NAME.introspection]`",
    ],
)
def test_every_table_has_its_heading(heading: str) -> None:
    assert f"{heading}\n" in render_reference(COMPONENTS)


def test_every_component_of_ours_is_described() -> None:
    text = render_reference(COMPONENTS)
    for family, kinds in COMPONENTS.items():
        assert kinds
        for name in kinds:
            title = f'`[{family}.NAME]` with `type = "{name}"`'
            assert (f"`[binding.{name}]`" if family == "binding" else title) in text


def test_docs_script_writes_it(tmp_path: Path) -> None:
    target = tmp_path / "generated" / "configuration.md"
    script = ROOT / "docs" / "generate_reference.py"
    subprocess.run([sys.executable, script, target], check=True, timeout=60)  # noqa: S603
    assert target.read_text() == render_reference(COMPONENTS)
