"""
``sso-proxy revoke``: what an operator says to the running proxy.

It speaks to the operators' listener that the configuration names, on this machine.
"""

import argparse
import http.client
import json
import os
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from sso_proxy.config.load import load_config
from sso_proxy.config.model import Config
from sso_proxy.config.operator_parts import AdminConfig
from sso_proxy.config.private_file import read_private
from sso_proxy.config.state import OPERATORS_FILE, state_directory
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.specs.revocations import token_digests

_PATH: Final = "/revocations"
_TIMEOUT: Final = 150.0
"""Seconds; a worker that is just starting is waited for."""
_MEMBERS: Final = ("issuer", "jti", "subject", "client_id", "issued_before", "until")
_MOST_TOKEN: Final = 65536


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(self._path)


def add_revoke_command(
    add_parser: Callable[..., argparse.ArgumentParser],
) -> None:
    """Add the command to those that *add_parser* adds to."""
    parser = add_parser(
        "revoke",
        help="refuse tokens, or whoever they speak for, from now on",
        description="Refuse tokens, or whoever they speak for, from now on.",
    )
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="what the proxy runs"
    )
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--list", action="store_true", help="show what is revoked")
    act.add_argument("--lift", metavar="ID", help="let a revocation go")
    act.add_argument(
        "--token", action="store_true", help="the token on standard input, alone"
    )
    for name, text in zip(
        _MEMBERS,
        (
            "the issuer, as the audit record has it",
            "one token of the issuer, by this claim",
            "this user of the issuer",
            "this client of the issuer",
            "only what was issued before: now, 2026-01-31T13:45:00Z, or seconds",
            "when this ends; in 30 days if not given",
        ),
        strict=True,
    ):
        parser.add_argument(f"--{name.replace('_', '-')}", help=text)
    parser.set_defaults(run=run_revoke)


def run_revoke(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Do what was chosen; gives a line for each revocation that it is about.

    Raises:
        ConfigError: It was not done, or not everywhere.
    """
    config = load_config(chosen.config)
    if chosen.list:
        told = ask_proxy(config, admin_of(config), "GET", _PATH)
        yield from map(json.dumps, told["revocations"])
    elif chosen.lift is not None:
        path = f"{_PATH}/{chosen.lift}"
        yield _told(ask_proxy(config, admin_of(config), "DELETE", path))
    else:
        document = _document(chosen)
        yield _told(ask_proxy(config, admin_of(config), "POST", _PATH, document))


def admin_of(config: Config) -> AdminConfig:
    """
    Give where operators are listened to.

    Raises:
        ConfigError: Nowhere.
    """
    if config.server.admin is None:
        problem = "there is no listener for operators; configure it and restart"
        raise ConfigError(Mistake("server.admin", problem))
    return config.server.admin


def _document(chosen: argparse.Namespace) -> dict[str, Any]:
    """Give what is to be revoked; a token stays here, its digest goes."""
    found: dict[str, Any] = {name: getattr(chosen, name) for name in _MEMBERS}
    for name in ("issued_before", "until"):
        if found[name] is not None and found[name].isdecimal():
            found[name] = int(found[name])
    if chosen.token:
        token = sys.stdin.read(_MOST_TOKEN).strip()
        if not token or not token.isascii() or len(token.split()) > 1:
            raise ConfigError(Mistake("standard input", "must have one token"))
        found["token_sha256"] = token_digests(token)[-1]
    return {name: value for name, value in found.items() if value is not None}


def _told(told: dict[str, Any]) -> str:
    return f"{told['status']}: {json.dumps(told['revocation'])}"


def ask_proxy(
    config: Config,
    admin: AdminConfig,
    method: str,
    path: str,
    document: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Ask the proxy; gives what it told.

    Raises:
        ConfigError: It does not answer, or not what was hoped for.
    """
    headers = {"Content-Type": "application/json"} if document is not None else {}
    connection: http.client.HTTPConnection
    if admin.address.startswith("unix:"):
        connection = _UnixConnection(admin.address.removeprefix("unix:"))
    elif admin.certificate is not None:
        connection = http.client.HTTPSConnection(
            admin.address, admin.port, timeout=_TIMEOUT, context=_operators_tls(admin)
        )
    else:
        host, port = admin.address, admin.port
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        headers["Authorization"] = f"Bearer {_read_secret(config)}"
    content = json.dumps(document) if document is not None else None
    try:
        with closing(connection):
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
    except (OSError, http.client.HTTPException) as e:
        problem = f"does not answer: {e}; does the proxy run?"
        raise ConfigError(Mistake(admin.address, problem)) from e
    return _understand(admin, answer.status, text)


def _operators_tls(admin: AdminConfig) -> ssl.SSLContext:
    """
    Give what shows an operator's certificate to our own listener, and to no other.

    Raises:
        ConfigError: There is none to show, or it cannot be read.
    """
    place = "server.admin.operator_certificate"
    if admin.operator_certificate is None or admin.operator_key is None:
        problem = "is missing: commands have no certificate to show to the listener"
        raise ConfigError(Mistake(place, problem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # It has the one certificate that stands in the file, whatever names are in it.
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        pem = Path(admin.certificate or "").read_text("ascii")
        leaf, end, _ = pem.partition("-----END CERTIFICATE-----")
        context.load_verify_locations(cadata=leaf + end)
        context.load_cert_chain(admin.operator_certificate, admin.operator_key)
    except OSError as e:
        raise ConfigError(Mistake(place, f"cannot be used: {e}")) from e
    return context


def _understand(admin: AdminConfig, status: int, text: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if text.startswith("{"):
        told = json.loads(text)
    if status == 200:
        return told
    if told.get("missing") and "revocation" in told:
        kept = f"{json.dumps(told['revocation'])} is not in force everywhere yet"
        raise ConfigError(
            Mistake("revocation", kept),
            *(Mistake("revocation", line) for line in told["missing"]),
        )
    if told.get("missing"):
        raise ConfigError(*(Mistake("not done", line) for line in told["missing"]))
    raise ConfigError(Mistake(admin.address, f"{text.strip()} ({status})"))


def _read_secret(config: Config) -> str:
    configured, uid = config.server.state_dir, os.geteuid()
    path = state_directory(configured, uid=uid, environ=os.environ) / OPERATORS_FILE
    try:
        return read_private(path, 1024).decode("ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError) as e:
        problem = "is not there; run this as the user that the proxy runs as, or root"
        raise ConfigError(Mistake(str(path), problem)) from e
