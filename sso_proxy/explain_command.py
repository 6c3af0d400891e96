"""``sso-proxy explain``: what becomes of a request, and why."""

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sso_proxy.answered import AnsweredError
from sso_proxy.config.load import load_config
from sso_proxy.config.model import Config
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.revoking import admin_of, ask_proxy

if TYPE_CHECKING:
    from sso_proxy.explain.report import Explanation
    from sso_proxy.explain.situation import Situation

STATUS: Final = {"permit": 0, "deny": 1, "step_up": 1, "unknown": 2}
"""Exit statuses."""

_is_id = re.compile(r"[0-9A-Za-z_-]{1,128}").fullmatch


def add_explain_command(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to those that *add_parser* adds to."""
    parser = add_parser(
        "explain",
        help="say what becomes of a request, and why",
        description="Say what becomes of a request, and why.",
        epilog="0: permitted; 1: denied; 2: cannot tell, or something is wrong.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--url", help="the request's URL")
    asked.add_argument(
        "--id", help="a request that was refused lately, by the id on its page"
    )
    parser.add_argument("--method", default="GET", help="its method (default: GET)")
    parser.add_argument(
        "--as",
        dest="who",
        metavar="CLAIMS",
        help="a JSON file with the caller's claims, or: nobody",
    )
    parser.add_argument("--scopes", help="the scopes of the access token")
    parser.add_argument(
        "--cert", metavar="PEM", help="the client's certificate, or: none"
    )
    parser.add_argument(
        "--from", dest="client", default="", metavar="ADDRESS", help="the client's"
    )
    parser.add_argument("--at", metavar="TIME", help="2026-01-31T13:45:00Z; else now")
    parser.add_argument(
        "--binding",
        action="append",
        default=[],
        metavar="KIND",
        help="a key that the caller proves to hold, such as dpop",
    )
    parser.add_argument(
        "--sni", default="", metavar="NAME", help="the name in the handshake"
    )
    parser.add_argument(
        "--ask", action="store_true", help="really ask decision points elsewhere"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run_explain, mistaken=2)


def run_explain(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Explain what was chosen.

    Raises:
        ConfigError: That cannot be done.
        AnsweredError: The request is not permitted.
    """
    config = load_config(chosen.file)
    if chosen.id is not None:
        yield from _explain_id(config, chosen)
        return
    # The whole proxy; other commands do not need it, and are quick without it.
    from sso_proxy.explain.report import to_json, write_text  # noqa: PLC0415

    explanation = _explain(config, _situation(chosen), ask=chosen.ask)
    if chosen.json:
        yield json.dumps(to_json(explanation), indent=2, ensure_ascii=False)
    else:
        yield from write_text(explanation)
    if status := STATUS[explanation.verdict]:
        raise AnsweredError(status)


def _explain(config: Config, situation: "Situation", *, ask: bool) -> "Explanation":
    from sso_proxy.explain.running import explain_now, explain_running  # noqa: PLC0415

    return (explain_running if ask else explain_now)(config, situation)


def _situation(chosen: argparse.Namespace) -> "Situation":
    """Read what is given."""
    from sso_proxy.explain.situation import (  # noqa: PLC0415
        NO_CERTIFICATE,
        NOBODY,
        Situation,
        Who,
        read_client_certificate,
        read_time,
        read_who,
        read_who_file,
        with_scopes,
    )

    who = Who()
    if chosen.who == NOBODY:
        who = read_who(NOBODY, "--as")
    elif chosen.who is not None:
        who = read_who_file(Path(chosen.who))
    if chosen.scopes is not None:
        who = with_scopes(who, chosen.scopes)
    certificate = None
    if chosen.cert not in {None, NO_CERTIFICATE}:
        certificate = read_client_certificate(Path(chosen.cert))
    at = time.time() if chosen.at is None else read_time(chosen.at, "--at")
    return Situation(
        url=chosen.url,
        method=chosen.method,
        who=who,
        certificate=certificate,
        certificate_known=chosen.cert is not None,
        client=chosen.client,
        at=at,
        bindings=tuple(chosen.binding),
        server_name=chosen.sni.lower(),
    )


def _explain_id(config: Config, chosen: argparse.Namespace) -> Iterator[str]:
    """Ask the running proxy about a request that it has refused."""
    if not _is_id(chosen.id):
        raise ConfigError(Mistake("--id", f"{chosen.id!r} is no request id"))
    told = ask_proxy(config, admin_of(config), "GET", f"/explain/{chosen.id}")
    if chosen.json:
        yield json.dumps(told, indent=2, ensure_ascii=False)
    else:
        yield from _refusal_lines(told)
    raise AnsweredError(STATUS["deny"])


def _refusal_lines(told: dict[str, Any]) -> Iterator[str]:
    from sso_proxy.explain.report import Step, lines_of, plain  # noqa: PLC0415

    first = (told[name] for name in ("id", "time", "status", "reason"))
    yield plain("  ".join(map(str, first)))
    yield plain(f"  route             {told['route']}")
    for step in told["steps"]:
        yield from lines_of(Step.from_json(step))
    if told["note"]:
        yield plain(f"  note              {told['note']}")
