"""Debian's Apache with mod_oauth2, as a resource server to compare ours with."""

import os
from pathlib import Path
from typing import Final

from tests.support.programs import Running, program

MODULES: Final = Path("/usr/lib/apache2/modules")
_LOADED: Final = (
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_host",
    "authz_user",
    "headers",
    "proxy",
    "proxy_http",
    "ssl",
    "oauth2",
)
_CONFIG: Final = """
ServerName localhost
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/apache.pid
ErrorLog {directory}/apache.error.log
LogLevel warn oauth2:debug
{user}
Listen 127.0.0.1:{port}
{modules}
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
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


def apache(directory: Path, port: int, backend: int, locations: str) -> Running:
    """
    Run Apache until it listens on *port*.

    Args:
        directory: Has ``server.crt``, ``server.key`` and ``ca.crt``.
        port: Where to listen.
        backend: The port of what is behind it.
        locations: What it protects, and how.
    """
    for name in _LOADED:
        assert (MODULES / f"mod_{name}.so").exists(), f"mod_{name} is not installed"
    modules = (f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in _LOADED)
    config = directory / "apache.conf"
    config.write_text(
        _CONFIG.format(
            directory=directory,
            port=port,
            backend=backend,
            locations=locations,
            modules="\n".join(modules),
            user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
        )
    )
    # Not -X: its child crashes of some requests, and then the parent makes another.
    command = (program("apache2"), "-D", "FOREGROUND", "-f", str(config))
    return Running(directory, *command).wait_for_port(port)
