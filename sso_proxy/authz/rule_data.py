"""Reading what stands in other files than rules: groups and tables."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sso_proxy.authz.facts import Table
from sso_proxy.authz.rules_config import GroupFileConfig, TableConfig
from sso_proxy.net.watched_file import WatchedFile

MOST_TABLE_OCTETS: Final = 1 << 24
"""Of one file with a group or table."""


class Files:
    """Reads files, and can tell which of them have changed since."""

    def __init__(self) -> None:
        self._read: dict[str, WatchedFile] = {}

    def read_text(self, file: str, most: int = MOST_TABLE_OCTETS) -> str:
        """
        Read a file of at most *most* octets, as UTF-8.

        Raises:
            OSError: It cannot be read.
            ValueError: It is too large, or no text, or being written.
        """
        watched = WatchedFile(file, most)
        text = watched.read()
        self._read[file] = watched
        return text

    def changed(self) -> Iterator[str]:
        """Give those that are others now than they were when they were read."""
        for file, watched in self._read.items():
            try:
                if watched.changed():
                    yield file
            except OSError:
                yield file


def read_group(files: Files, config: GroupFileConfig) -> Sequence[str]:
    """
    Read the members of a group; an empty text is nobody.

    Raises:
        OSError: The file cannot be read.
        ValueError: It says no members.
    """
    file, column = config.file, config.column
    if file.endswith(".csv"):
        head, rows = _read_csv(file, files.read_text(file))
        column = column or _only_column(file, head)
        if column not in head:
            raise _no_column(file, column, head)
        number = head.index(column)
        return [row[number] for row in rows if row[number]]
    found = _read_json(file, files)
    if found and all(isinstance(each, str) for each in found):
        if column is not None:
            raise ValueError(f"{file} has no columns")
        return [each for each in found if each]
    tables = [_row(file, each) for each in found]
    column = column or _only_column(file, {c for row in tables for c in row})
    return [cell for row in tables if (cell := _cell(file, row, column))]


def read_table(files: Files, config: TableConfig) -> Table:
    """
    Read a table.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is none, or two rows have the same key.
    """
    file = config.file
    table: dict[str, Mapping[str, str]] = {}
    for cells in _read_rows(file, files):
        key = _cell(file, cells, config.key)
        if key in table:
            raise ValueError(f"{file} has two rows with {config.key} {key!r}")
        table[key] = cells
    return table


def _read_rows(file: str, files: Files) -> Iterator[Mapping[str, str]]:
    """Read rows of a CSV or JSON file."""
    if file.endswith(".csv"):
        head, rows = _read_csv(file, files.read_text(file))
        for row in rows:
            yield dict(zip(head, row, strict=True))
    else:
        for each in _read_json(file, files):
            yield _row(file, each)


def _read_csv(file: str, text: str) -> tuple[list[str], list[list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [line for line in reader if line]
    except csv.Error as e:
        raise ValueError(f"{file} is not CSV: {e}") from None
    if not lines:
        raise ValueError(f"{file} has no line that names the columns")
    head, *rows = lines
    if len(set(head)) < len(head) or not all(head):
        raise ValueError(f"{file}: each column needs a name of its own")
    for number, row in enumerate(rows, 2):
        if len(row) != len(head):
            problem = f"{len(row)} values for {len(head)} columns"
            raise ValueError(f"{file}: row {number} has {problem}")
    return head, rows


def _read_json(file: str, files: Files) -> list[Any]:
    if not file.endswith(".json"):
        raise ValueError(f"{file}: the name has to end with .csv or .json")
    text = files.read_text(file)
    try:
        found = json.loads(text, object_pairs_hook=_members)
    except (ValueError, RecursionError) as e:
        raise ValueError(f"{file} is not JSON: {e}") from None
    if not isinstance(found, list):
        raise ValueError(f"{file} is no list")  # noqa: TRY004 - of what is read
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse two members of one name: readers differ in which of them counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has two members of one name")
    return found


def _row(file: str, row: object) -> Mapping[str, str]:
    if not isinstance(row, dict) or not all(isinstance(v, str) for v in row.values()):
        raise ValueError(f"{file}: each row has to be an object whose values are texts")
    return row


def _cell(file: str, row: Mapping[str, str], column: str) -> str:
    if column not in row:
        raise _no_column(file, column, list(row))
    return row[column]


def _no_column(file: str, column: str, known: Sequence[str]) -> ValueError:
    return ValueError(f"{file} has no column {column!r}; it has: {', '.join(known)}")


def _only_column(file: str, columns: Sequence[str] | set[str]) -> str:
    if len(columns) > 1:
        raise ValueError(f"{file} has several columns; column says which")
    return next(iter(columns), "")
