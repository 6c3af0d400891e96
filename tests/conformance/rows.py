"""The table of what a provider can do, and what a login has to make of it."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Rows:
    """
    What rows.toml has.

    Attributes:
        refused: By group and name, what the log says.
        accepted: What a login has to bear.
        later: Names, by group, of rows about what is not built yet.
    """

    refused: Mapping[str, Mapping[str, str]]
    accepted: tuple[str, ...]
    later: Mapping[str, tuple[str, ...]]


def read_rows() -> Rows:
    """Read the table."""
    with Path(__file__).with_name("rows.toml").open("rb") as file:
        table = tomllib.load(file)
    return Rows(
        refused=table["refused"],
        accepted=tuple(table["accepted"]["rows"]),
        later={group: tuple(names) for group, names in table["later"].items()},
    )


ROWS: Final = read_rows()
