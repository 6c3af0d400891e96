"""``sso-proxy status``: a link to the status page, good once and for a minute."""

import argparse
import webbrowser
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

from sso_proxy.config.load import load_config
from sso_proxy.config.operator_parts import AdminConfig
from sso_proxy.revoking import admin_of, ask_proxy


def add_status_command(
    add_parser: Callable[..., argparse.ArgumentParser],
) -> None:
    """Add the command to those that *add_parser* adds to."""
    parser = add_parser("status", help="let a browser see the status page")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--open", action="store_true", help="open it in the browser of this machine"
    )
    parser.set_defaults(run=run_status)


def run_status(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Give the link, and what else somebody far away has to do.

    Raises:
        ConfigError: There is none.
    """
    config = load_config(chosen.config)
    admin = admin_of(config)
    told = ask_proxy(config, admin, "POST", "/status/link", {})
    path, seconds = told["path"], round(told["seconds"])
    if admin.address.startswith("unix:"):
        socket = admin.address.removeprefix("unix:")
        yield f"ssh -L 127.0.0.1:9901:{socket} {config.server.name}"
        yield f"then, within {seconds} s: http://localhost:9901{path}"
        return
    url = origin_of(admin, config.server.name) + path
    if chosen.open and webbrowser.open(url):
        yield "opened the status page"
        return
    yield f"good once, within {seconds} s: {url}"


def origin_of(admin: AdminConfig, name: str) -> str:
    """
    Give where a browser reaches the listener on a TCP port.

    Args:
        admin: The listener.
        name: This machine's, for browsers elsewhere where it listens on all addresses.
    """
    address = ip_address(admin.address)
    host = str(address)
    if address.is_unspecified:  # what listens there is reached by another name
        host = name
    elif address.version == 6:
        host = f"[{address}]"
    scheme = "http" if admin.certificate is None else "https"
    return f"{scheme}://{host}:{admin.port}"
