"""The ``sso-proxy`` command: what an operator does besides running the proxy."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sso_proxy import __version__
from sso_proxy.answered import AnsweredError
from sso_proxy.config.key_ring import (
    KeyRing,
    make_key,
    read_key_ring,
    rotate,
    write_key_ring,
)
from sso_proxy.config.load import load_config
from sso_proxy.config.model import Config, ListenerConfig
from sso_proxy.config.schema import build_schema
from sso_proxy.config.state import state_directory
from sso_proxy.doctor_command import add_doctor_command
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.explain_command import add_explain_command
from sso_proxy.import_command import add_import_command
from sso_proxy.log_command import add_log_command
from sso_proxy.policy_commands import add_diff_command, add_test_command
from sso_proxy.registry import Registry
from sso_proxy.revoking import add_revoke_command
from sso_proxy.session_command import add_session_command
from sso_proxy.specs.jose import public_jwk
from sso_proxy.status_command import add_status_command
from sso_proxy.user_command import add_user_command

Command = Callable[[argparse.Namespace], Iterator[str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    Returns:
        0, or 1 if something is wrong with what was named; of ``explain``, ``test`` and
        ``diff``, 1 if that is the answer, and 2 if something is wrong.

    Raises:
        SystemExit: With 2, if the command line cannot be understood.
    """
    chosen = _parser().parse_args(arguments)
    run: Command = chosen.run
    try:
        for line in run(chosen):
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except ConfigError as e:
        for mistake in e.mistakes:
            sys.stderr.write(f"{mistake}\n")
        count = len(e.mistakes)
        sys.stderr.write(f"{count} mistake{'s' if count != 1 else ''}\n")
        return int(chosen.mistaken)
    except AnsweredError as e:
        sys.stdout.flush()
        return e.status
    except BrokenPipeError:
        # The reader (head, less) has seen enough.  Nothing may be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _version() -> str:
    """Name the version, and whether what each request goes through is compiled."""
    pure = public_jwk.__file__.endswith(".py")
    return f"{__version__} {'pure' if pure else 'compiled'}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sso-proxy",
        description="Check and describe configurations, and keep the key ring.",
        epilog="The proxy itself is run by: twistd -n sso-proxy --config FILE",
    )
    parser.set_defaults(mistaken=1)
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    check = commands.add_parser("check", help="list every mistake in a configuration")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(run=_check)
    schema = commands.add_parser("schema", help="print the configuration's JSON Schema")
    schema.set_defaults(run=_schema)
    keys = commands.add_parser(
        "jwks", help="print the public keys that backends check our tokens with"
    )
    keys.add_argument("--config", type=Path, required=True, metavar="FILE")
    keys.add_argument("name", nargs="*", metavar="NAME", help="those of [token.NAME]")
    keys.set_defaults(run=_jwks)
    add_revoke_command(commands.add_parser)
    add_session_command(commands.add_parser)
    add_status_command(commands.add_parser)
    add_log_command(commands.add_parser)
    add_user_command(commands.add_parser)
    add_import_command(commands.add_parser)
    add_doctor_command(commands.add_parser)
    add_explain_command(commands.add_parser)
    add_test_command(commands.add_parser)
    add_diff_command(commands.add_parser)
    key = commands.add_parser("key", help="make, renew or list our own keys")
    actions = key.add_subparsers(metavar="ACTION", required=True)
    for name, run, text in (
        ("new", _key_new, "make a key ring with one key"),
        ("rotate", _key_rotate, "add a key, which seals a minute later"),
        ("list", _key_list, "list the keys, without what is secret"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument(
            "--file",
            type=Path,
            help="the key ring; else keys.json in the state directory",
        )
        action.set_defaults(run=run)
        if run is _key_rotate:
            action.add_argument(
                "--keep",
                type=_count,
                default=2,
                metavar="N",
                help="older keys that still open what they sealed (default: 2)",
            )
            action.add_argument(
                "--after",
                type=_seconds,
                default=60,
                metavar="SECONDS",
                help="when it begins to seal: each machine must have it by then"
                " (default: 60)",
            )
    cache = commands.add_parser("cache", help="see whether caches work")
    actions = cache.add_subparsers(metavar="ACTION", required=True)
    probe = actions.add_parser("probe", help="try and time each operation")
    probe.add_argument("--config", type=Path, required=True, metavar="FILE")
    probe.add_argument("name", nargs="?", metavar="NAME", help="this one alone")
    probe.set_defaults(run=_cache_probe)
    return parser


def _count(text: str) -> int:
    """Read a number that is not negative."""
    if not text.isdecimal() or int(text) > 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 100")
    return int(text)


def _seconds(text: str) -> int:
    """Read a time of a week at most."""
    if not text.isdecimal() or int(text) > 604800:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 604800")
    return int(text)


def _check(chosen: argparse.Namespace) -> Iterator[str]:
    """Check a configuration as the start does, and say what it sets up."""
    # The whole proxy; the other commands do not need it, and are quick without it.
    from sso_proxy import checking  # noqa: PLC0415

    config = load_config(chosen.file)
    notes = checking.check(config).notes
    yield f"{chosen.file}: no mistakes"
    yield from _summary(config)
    for note in notes:
        yield f"note: {note}"


def _summary(config: Config) -> Iterator[str]:
    """Say in one line each what listens and what is routed where."""
    for number, listener in enumerate(config.listener):
        yield f"listener[{number}]  {_listener(listener)}"
    for number, route in enumerate(config.route):
        who = ", ".join(route.authenticate)
        more = "".join(
            f"  {name}: {', '.join(names)}"
            for name, names in (
                ("policy", route.policy),
                ("shadow", route.shadow),
                ("token", tuple(token.name for token in route.token)),
            )
            if names
        )
        where = f"route[{number}]  {route.host}{route.path}"
        yield f"{where}  {who}  -> {route.backend}{more}"


def _listener(listener: ListenerConfig) -> str:
    address = listener.address
    if not address.startswith(("unix:", "systemd:")):
        host = f"[{address}]" if ":" in address else address
        address = f"{host}:{listener.port}"
    if listener.tls:
        more = "  Token Binding" if listener.token_binding else ""
        asked = f"client certificates: {listener.client_certificate}"
        return f"https {address}  {asked}{more}"
    if listener.allow_plaintext:
        return f"http {address}  without TLS"
    return f"http {address}  redirects to https port {listener.redirect_port}"


def _cache_probe(chosen: argparse.Namespace) -> Iterator[str]:
    """Try the caches of a configuration."""
    from sso_proxy.cache_probe import probe_caches  # noqa: PLC0415 - as for _check

    lines: list[str] = []
    good = probe_caches(load_config(chosen.config), chosen.name, lines.append)
    yield from lines
    if not good:
        raise AnsweredError(1)


def _jwks(chosen: argparse.Namespace) -> Iterator[str]:
    """Print public keys as a JWK Set, for backends that cannot fetch it from us."""
    from sso_proxy import checking  # noqa: PLC0415 - as for _check

    keys = checking.check(load_config(chosen.config)).public_keys
    for name in chosen.name:
        if name not in keys:
            raise ConfigError(Mistake(f"token.{name}", "does not sign tokens here"))
    wanted = (key for name in chosen.name or keys for key in keys[name])
    try:
        yield public_jwk.jwks_document(wanted).decode("ascii")
    except ValueError as e:
        raise ConfigError(Mistake("token", str(e))) from None


def _schema(_: argparse.Namespace) -> Iterator[str]:
    """Print the JSON Schema, with the components that are installed here."""
    schema = build_schema(Registry.load().config_classes())
    yield json.dumps(schema, indent=2, ensure_ascii=False)


def _key_file(chosen: argparse.Namespace) -> Path:
    if chosen.file is not None:
        return Path(chosen.file)
    directory = state_directory(None, uid=os.geteuid(), environ=os.environ)
    return directory / "keys.json"


def _key_new(chosen: argparse.Namespace) -> Iterator[str]:
    path = _key_file(chosen)
    ring = KeyRing((make_key(time.time(), os.urandom),))
    write_key_ring(path, ring, replace=False)
    yield f"{path}: key {ring.keys[0].kid}"


def _key_rotate(chosen: argparse.Namespace) -> Iterator[str]:
    path = _key_file(chosen)
    after = chosen.after if chosen.keep else 0
    key = make_key(time.time(), os.urandom, seals_after=after)
    ring = rotate(read_key_ring(path), key, keep=chosen.keep)
    write_key_ring(path, ring, replace=True)
    when = f"seals from {_time(key.seals_from)}" if key.seals_from else "seals"
    yield f"{path}: key {key.kid} {when}, {len(ring.keys) - 1} older ones open"


def _key_list(chosen: argparse.Namespace) -> Iterator[str]:
    now, ring = time.time(), read_key_ring(_key_file(chosen))
    for key in ring.keys:
        use = "opens"
        if key == ring.sealing(now):
            use = "seals and opens"
        elif key.seals_from > now:
            use = f"opens, seals from {_time(key.seals_from)}"
        yield f"{key.kid}  {_time(key.created)}  {use}"


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
