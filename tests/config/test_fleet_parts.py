"""Options of several machines are read strictly."""

from pathlib import Path
from typing import Any

import pytest

from sso_proxy.config.fleet_parts import RevocationsConfig
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError


def read(directory: Path, table: dict[str, Any]) -> RevocationsConfig:
    return structure(
        table, RevocationsConfig, path="server.revocations", directory=directory
    )


def test_little_has_to_be_written(tmp_path: Path) -> None:
    assert read(tmp_path, {"cache": "shared"}).stale == 30.0


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"cache": ""},
        {"cache": "shared", "stale": 1},
        {"cache": "shared", "stale": 1e9},
        {"cache": "shared", "more": 1},
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, table: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, table)
