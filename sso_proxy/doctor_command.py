"""``sso-proxy doctor``: what is wrong around the proxy, and what to do."""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sso_proxy.answered import AnsweredError
from sso_proxy.config.load import load_config

if TYPE_CHECKING:
    from sso_proxy.doctor.finding import Finding


def add_doctor_command(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to those that *add_parser* adds to."""
    parser = add_parser(
        "doctor",
        help="look at all that a configuration needs, and say what to do",
        epilog="0: nothing is broken; 1: something is; 2: the configuration is wrong.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration")
    parser.set_defaults(run=run_doctor, mistaken=2)


def run_doctor(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Look at everything, and say each thing as it is found out.

    Raises:
        ConfigError: The configuration is wrong.
        AnsweredError: Something is broken.
    """
    from sso_proxy.doctor.running import examine  # noqa: PLC0415 - the whole proxy

    def say(finding: "Finding") -> None:
        sys.stdout.write(f"{finding}\n")
        sys.stdout.flush()

    if not examine(load_config(chosen.file), say):
        raise AnsweredError(1)
    yield from ()
