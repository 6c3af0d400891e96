"""The proxies that are measured, and the backend behind them: start and stop."""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs

from tests.bench import material, procs, provider
from tests.bench.material import Material
from tests.bench.procs import LOAD_CORE, PROXY_CORE, ROOT, BenchError, Running

TEMPLATES = Path(__file__).parent / "templates"
APACHE_MODULES = "/usr/lib/apache2/modules"

NGINX = "nginx"
APACHE = "apache"
OPENIDC = "mod_auth_openidc"
OPENIDC_COOKIE = "mod_auth_openidc with cookies"
OAUTH2 = "mod_oauth2"
PUBTKT = "mod_auth_pubtkt"
OURS = "sso-proxy"
OURS_2 = "sso-proxy with 2 workers"
TARGETS = (NGINX, APACHE, OPENIDC, OPENIDC_COOKIE, OAUTH2, PUBTKT, OURS, OURS_2)
SERVER_PATH, COOKIE_PATH, DEVICE_PATH = "/server/1k", "/cookie/1k", "/device/1k"
SESSIONS = {
    OPENIDC: (SERVER_PATH,),
    OPENIDC_COOKIE: (COOKIE_PATH,),
    OURS: (SERVER_PATH, COOKIE_PATH, DEVICE_PATH),
    OURS_2: (SERVER_PATH, COOKIE_PATH, DEVICE_PATH),
}
"""Who asks for a session of which kind where."""

_LOAD_OPENIDC = f"LoadModule auth_openidc_module {APACHE_MODULES}/mod_auth_openidc.so"
_APACHE_LOAD = {
    APACHE: "",
    OPENIDC: _LOAD_OPENIDC,
    OPENIDC_COOKIE: _LOAD_OPENIDC,
    OAUTH2: f"LoadModule oauth2_module {APACHE_MODULES}/mod_oauth2.so",
    PUBTKT: f"LoadModule auth_pubtkt_module {APACHE_MODULES}/mod_auth_pubtkt.so",
}
_APACHE_AUTH = {
    APACHE: None,
    OPENIDC: "openidc.conf",
    OPENIDC_COOKIE: "openidc.conf",
    OAUTH2: "oauth2.conf",
    PUBTKT: "pubtkt.conf",
}


@attrs.frozen(kw_only=True)
class Target:
    """
    One running proxy.

    Attributes:
        name: One of `TARGETS`.
        port: Its TLS port that asks for no client certificate.
        mtls_port: Its TLS port that requires one.
        running: Its processes.
        config: Its configuration file.
    """

    name: str
    port: int
    mtls_port: int
    running: Running
    config: Path


@attrs.define(kw_only=True)
class Backend:
    """
    What stands behind every proxy, on the core of the load.

    Attributes:
        port: Of nginx, which serves the files.
        sink_port: Of the sink, which reads uploads and drops them.
        nginx: Its process.
        sink: Its process.
        provider_port: Of the provider that browsers log in with.
        provider: Its process.
    """

    port: int
    sink_port: int
    nginx: Running
    sink: Running
    provider_port: int
    provider: Running

    def stop(self) -> None:
        """Stop nginx, the first or the one after a restart."""
        self.nginx.stop()

    def restart(self, directory: Path, *, away: float) -> None:
        """Stop nginx, and start it again on the same port *away* seconds later."""
        self.nginx.stop()
        time.sleep(away)
        self.nginx = _start_backend_nginx(self.port, directory)


def find(program: str) -> str:
    """
    Give the path of a program of the system.

    Raises:
        BenchError: It is not installed.
    """
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        raise BenchError(f"{program} is not installed; see tests/bench/README.md")
    return path


@contextlib.contextmanager
def backend(things: Material) -> Iterator[Backend]:
    """Run the backend as long as the block lasts."""
    directory = things.directory
    port, sink_port, provider_port = (procs.free_port() for _ in range(3))
    values = _values(things) | {"BACKEND": str(port)}
    _fill("backend.conf", directory / "backend.conf", values)
    with contextlib.ExitStack() as stack:
        sink = _start_beside("sink", things, sink_port)
        stack.callback(sink.stop)
        tls = (things.server_certificate, things.server_key)
        people = _start_beside("provider", things, provider_port, *tls)
        stack.callback(people.stop)
        started = Backend(
            port=port,
            sink_port=sink_port,
            nginx=_start_backend_nginx(port, directory),
            sink=sink,
            provider_port=provider_port,
            provider=people,
        )
        stack.callback(started.stop)
        sink.wait_for_port(sink_port)
        people.wait_for_port(provider_port)
        yield started


def _start_beside(name: str, things: Material, *options: int | Path) -> Running:
    """Start a program of this directory on the core of the load."""
    command = [sys.executable, "-m", f"tests.bench.{name}", *map(str, options)]
    return Running.start(
        name, command, core=LOAD_CORE, directory=things.directory, cwd=ROOT
    )


@contextlib.contextmanager
def targets(
    names: Iterable[str],
    things: Material,
    behind: Backend,
    *,
    more: str = "",
    packages: Path | None = None,
) -> Iterator[dict[str, Target]]:
    """
    Run the proxies called *names* as long as the block lasts.

    Args:
        names: Some of `TARGETS`.
        things: What they are configured with.
        behind: Their backend.
        more: Further TOML for our own configuration files.
        packages: Where our own proxies are; None: in this source tree.
    """
    with contextlib.ExitStack() as stack:
        found: dict[str, Target] = {}
        for name in names:
            target = start(name, things, behind, more=more, packages=packages)
            stack.callback(target.running.stop)
            target.running.wait_for_port(target.port)
            target.running.wait_for_port(target.mtls_port)
            found[name] = target
        yield found


def start(
    name: str,
    things: Material,
    behind: Backend,
    *,
    more: str = "",
    packages: Path | None = None,
) -> Target:
    """
    Start one proxy and do not wait for it.

    Raises:
        BenchError: What it needs is not installed.
    """
    port, mtls_port = procs.free_port(), procs.free_port()
    stem = name.replace(" ", "-")
    values = _values(things) | {
        "NAME": stem,
        "PORT": str(port),
        "MTLS": str(mtls_port),
        "BACKEND": str(behind.port),
        "SINK": str(behind.sink_port),
        "PROVIDER": str(behind.provider_port),
        "SESSIONS": "client-cookie" if name == OPENIDC_COOKIE else "server-cache",
        "WORKERS": "2" if name == OURS_2 else "1",
        "MORE": more,
    }
    config, command = _prepare(name, stem, things.directory, values)
    running = Running.start(
        stem,
        command,
        core=PROXY_CORE,
        directory=things.directory,
        cwd=ROOT,
        packages=packages if name in {OURS, OURS_2} else None,
    )
    return Target(
        name=name, port=port, mtls_port=mtls_port, running=running, config=config
    )


def _prepare(
    name: str, stem: str, directory: Path, values: Mapping[str, str]
) -> tuple[Path, list[str]]:
    """Write the configuration of *name*; give its path and the command to run."""
    if name == NGINX:
        config = _fill("nginx.conf", directory / "nginx.conf", values)
        return config, [
            find("nginx"),
            "-e",
            "stderr",
            "-p",
            str(directory),
            "-c",
            str(config),
        ]
    if name in _APACHE_LOAD:
        auth = _APACHE_AUTH[name]
        own = {
            "LOAD": _APACHE_LOAD[name],
            "AUTH": _filled(auth, values) if auth else "",
            "MODULES": APACHE_MODULES,
        }
        config = _fill("apache.conf", directory / f"{stem}.conf", {**values, **own})
        return config, [find("apache2"), "-D", "FOREGROUND", "-f", str(config)]
    config = _fill("sso-proxy.toml", directory / f"{stem}.toml", values)
    twistd = Path(sys.executable).with_name("twistd")
    pid_file = str(directory / f"{stem}.pid")
    options = ["-n", f"--pidfile={pid_file}", "sso-proxy", "--config", str(config)]
    return config, [str(twistd), *options]


def _values(things: Material) -> dict[str, str]:
    """Give what stands for the placeholders of every template."""
    root = os.geteuid() == 0
    return {
        "DIR": str(things.directory),
        "FILES": str(things.files),
        "CERTIFICATE": str(things.server_certificate),
        "KEY": str(things.server_key),
        "CA": str(things.ca),
        "KEY_ID": material.KEY_ID,
        "TOKEN_CERTIFICATE": str(things.token_certificate),
        "TOKEN_PUBLIC_KEY": str(things.token_public_key),
        "TOKEN_JWK": things.token_jwk.replace('"', '\\"'),
        "BOUND_JWK": things.proving.jwk.replace('"', '\\"'),
        "EXPIRES": str(int(time.time()) + 86400),
        "ISSUER": material.ISSUER,
        "PEOPLE": provider.ISSUER,
        "CLIENT_ID": provider.CLIENT_ID,
        "CLIENT_SECRET": provider.CLIENT_SECRET,
        "AUDIENCE": material.AUDIENCE,
        "SCOPE": material.SCOPE,
        "EXCHANGED": material.EXCHANGED,
        "NGINX_USER": "user root;" if root else "",
        "APACHE_USER": "User www-data\nGroup www-data" if root else "",
    }


def _filled(template: str, values: Mapping[str, str]) -> str:
    text = (TEMPLATES / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _fill(template: str, path: Path, values: Mapping[str, str]) -> Path:
    path.write_text(_filled(template, values))
    return path


def _start_backend_nginx(port: int, directory: Path) -> Running:
    config = str(directory / "backend.conf")
    command = [find("nginx"), "-e", "stderr", "-p", str(directory), "-c", config]
    running = Running.start("backend", command, core=LOAD_CORE, directory=directory)
    running.wait_for_port(port)
    return running
