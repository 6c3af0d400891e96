"""Debian's Apache: as a resource server with mod_oauth2, and with other modules."""

import os
from pathlib import Path
from typing import Final

from tests.support.programs import Running, program

MODULES: Final = Path("/usr/lib/apache2/modules")
_ALWAYS: Final = (
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "headers",
    "proxy",
    "proxy_http",
)
_HEAD: Final = """
ServerName localhost
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/apache.pid
ErrorLog {directory}/apache.error.log
LogLevel warn
{user}
Listen 127.0.0.1:{port}
{modules}
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
"""
_OAUTH2: Final = """
LogLevel warn oauth2:debug
KeepAlive Off
SSLSessionCache none
ProxyPass / http://127.0.0.1:{backend}/
<VirtualHost 127.0.0.1:{port}>
    SSLEngine on
    SSLCertificateFile {directory}/server.crt
    SSLCertificateKeyFile {directory}/server.key
    SSLCACertificateFile {directory}/ca.crt
    SSLVerifyClient optional_no_ca
    SSLSessionTickets off
    SSLOptions +StdEnvVars +ExportCertData
</VirtualHost>
{locations}
"""


def start_apache(
    directory: Path, port: int, config: str, *modules: str | Path
) -> Running:
    """
    Run Apache until it listens on *port*.

    Args:
        directory: Its own; the error log is there as ``apache.error.log``.
        port: Where to listen.
        config: What it does.
        modules: What it needs for that beside proxying: Debian's by name, others by
            their file, ``mod_NAME.so``.
    """
    files = [each if isinstance(each, Path) else _find(each) for each in modules]
    files = [*map(_find, _ALWAYS), *files]
    for file in files:
        assert file.exists(), f"{file} is not installed"
    head = _HEAD.format(
        directory=directory,
        port=port,
        modules="\n".join(f"LoadModule {_name(file)}_module {file}" for file in files),
        user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
    )
    written = directory / "apache.conf"
    written.write_text(head + config)
    # Not -X: its child crashes of some requests, and then the parent makes another.
    command = (program("apache2"), "-D", "FOREGROUND", "-f", str(written))
    return Running(directory, *command).wait_for_port(port)


def _find(name: str) -> Path:
    return MODULES / f"mod_{name}.so"


def _name(file: Path) -> str:
    return file.stem.removeprefix("mod_")


def apache(directory: Path, port: int, backend: int, locations: str) -> Running:
    """
    Run Apache with mod_oauth2 until it listens on *port*.

    Args:
        directory: Has ``server.crt``, ``server.key`` and ``ca.crt``.
        port: Where to listen.
        backend: The port of what is behind it.
        locations: What it protects, and how.
    """
    config = _OAUTH2.format(
        directory=directory, port=port, backend=backend, locations=locations
    )
    return start_apache(directory, port, config, "authz_host", "ssl", "oauth2")
