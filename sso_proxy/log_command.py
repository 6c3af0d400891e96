"""``sso-proxy log``: log more of a part of the proxy, or less, for a while."""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from sso_proxy.config.load import load_config
from sso_proxy.revoking import admin_of, ask_proxy


def add_log_command(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to those that *add_parser* adds to."""
    parser = add_parser("log", help="log more or less of a part for a while")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("namespace", nargs="?", help="such as sso_proxy.net")
    parser.add_argument("level", nargs="?", help="debug, info, warn, error or critical")
    parser.add_argument(
        "--seconds", type=float, default=600.0, help="how long (default: 600)"
    )
    parser.set_defaults(run=run_log)


def run_log(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Give a line for each namespace whose level is not the usual one.

    Raises:
        ConfigError: It cannot be set, or the proxy does not answer.
    """
    config = load_config(chosen.config)
    document = {}
    if chosen.namespace is not None:
        names = ("namespace", "level", "seconds")
        document = {name: getattr(chosen, name) for name in names}
    told = ask_proxy(config, admin_of(config), "POST", "/log", document)
    yield f"usual: {told['usual']}"
    yield from map(json.dumps, told["levels"])
