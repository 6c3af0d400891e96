"""``sso-proxy session``: which browser sessions a user has, and the end of some."""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from sso_proxy.config.load import load_config
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.revoking import admin_of, ask_proxy


def add_session_command(
    add_parser: Callable[..., argparse.ArgumentParser],
) -> None:
    """Add the command to those that *add_parser* adds to."""
    parser = add_parser("session", help="list or end browser sessions")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, run, text in (
        ("list", run_list, "list a user's sessions"),
        ("revoke", run_revoke, "end one session, or all of a user's"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--config", type=Path, required=True, metavar="FILE")
        action.add_argument("--issuer", help="the user's, as the audit record has it")
        action.add_argument("--subject", help="the user, as the audit record has it")
        action.set_defaults(run=run, id=None)
        if run is run_revoke:
            action.add_argument("--id", help="one session, as the list has it")


def run_list(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Give a line for each session of a user.

    Raises:
        ConfigError: It cannot be said.
    """
    config = load_config(chosen.config)
    document = {"do": "list", **_user(chosen)}
    told = ask_proxy(config, admin_of(config), "POST", "/sessions", document)
    yield from map(json.dumps, told["sessions"])
    for line in told["missing"]:
        yield f"note: {line}"


def run_revoke(chosen: argparse.Namespace) -> Iterator[str]:
    """
    End what was chosen.

    Raises:
        ConfigError: That was not done, or not all of it.
    """
    config = load_config(chosen.config)
    which = {"id": chosen.id} if chosen.id is not None else _user(chosen)
    document = {"do": "end", **which}
    told = ask_proxy(config, admin_of(config), "POST", "/sessions", document)
    yield f"ended: {', '.join(told['ended'])}"


def _user(chosen: argparse.Namespace) -> dict[str, str]:
    if chosen.issuer is None or chosen.subject is None:
        raise ConfigError(Mistake("command line", "name --issuer and --subject"))
    return {"issuer": chosen.issuer, "subject": chosen.subject}
