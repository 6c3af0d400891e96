"""``sso-proxy import-apache``: rules from what Apache requires."""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.specs.apache_config import ApacheConfigError
from sso_proxy.specs.apache_rules import Imported, import_rules

MOST_OCTETS = 1 << 22


def add_import_command(
    add_parser: Callable[..., argparse.ArgumentParser],
) -> None:
    """Add the command to those that *add_parser* adds to."""
    parser = add_parser(
        "import-apache", help="make a file of rules of Apache's Require lines"
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="Apache's configuration"
    )
    parser.add_argument(
        "--to", type=Path, metavar="RULES", help="a new file; else standard output"
    )
    parser.set_defaults(run=run_import)


def run_import(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Give the rules, or write them; and say on standard error what became of each line.

    Raises:
        ConfigError: There are none, or they cannot be written.
    """
    found = _import(chosen.file)
    if chosen.to is None:
        yield found.rules.rstrip("\n")
    else:
        try:
            with chosen.to.open("x", encoding="utf-8") as stream:
                stream.write(found.rules)
        except OSError as e:
            problem = f"cannot be written: {e.strerror}"
            raise ConfigError(Mistake(str(chosen.to), problem)) from e
    for each in found.findings:
        why = f": {each.why}" if each.why else ""
        sys.stderr.write(f"line {each.line}: {each.kind}: {each.text}{why}\n")
    counts = [
        f"{sum(each.kind == kind for each in found.findings)} {kind}"
        for kind in ("translated", "approximated", "unsupported")
    ]
    sys.stderr.write(f"{', '.join(counts)}\n")


def _import(file: Path) -> Imported:
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_OCTETS + 1)
        if len(content) > MOST_OCTETS:
            raise ConfigError(Mistake(str(file), f"more than {MOST_OCTETS} octets"))
        return import_rules(content.decode("utf-8"), file.name)
    except OSError as e:
        raise ConfigError(Mistake(str(file), f"cannot be read: {e.strerror}")) from e
    except (UnicodeDecodeError, ApacheConfigError) as e:
        raise ConfigError(Mistake(str(file), str(e))) from e
