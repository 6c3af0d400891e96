"""Sets the demo up, makes the calls, and stays until Ctrl-C."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import react
from twisted.web.server import Site

from sso_proxy.errors import SsoProxyError
from sso_proxy.testing.demo import checks, show
from sso_proxy.testing.demo.authorization_server import (
    AuthorizationServerResource,
    tls_options,
)
from sso_proxy.testing.demo.echo import Echo
from sso_proxy.testing.demo.proxy import ProxyProcess
from sso_proxy.testing.demo.scene import (
    HOST,
    PortTakenError,
    Scene,
    choose_ports,
    keep_token,
    prepare,
)


def listen(reactor: Any, scene: Scene) -> list[Any]:  # noqa: ANN401
    """Start the authorization server and the API in this process; give their ports."""
    server = AuthorizationServerResource(scene.authorization_server())
    options = tls_options(scene.issuer, scene.authority)
    return [
        reactor.listenSSL(scene.ports.issuer, Site(server), options, interface=HOST),
        reactor.listenTCP(scene.ports.api, _api(), interface=HOST),
    ]


async def show_checks(reactor: Any, scene: Scene, paint: show.Paint) -> bool:  # noqa: ANN401
    """Make the calls, print what happened, and say whether all went as they have to."""
    token = await checks.fetch_token(reactor, scene)
    keep_token(scene, token)
    _say(show.token_lines(token, paint))
    results = []
    for number, check in enumerate(checks.CHECKS, 1):
        results.append(await checks.run_check(reactor, scene, token, check))
        _say(show.result_lines(number, results[-1], paint))
    _say("")
    _say(show.repeat_lines(scene, checks.CHECKS, paint))
    _say(show.closing(scene, results, paint))
    return all(result.passed for result in results)


async def demo(reactor: Any, scene: Scene, *, once: bool, paint: show.Paint) -> int:  # noqa: ANN401
    """Run everything; give the exit code.  The reactor's end is the proxy's, too."""
    proxy = ProxyProcess(reactor, scene.config, scene.log)
    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: ensureDeferred(proxy.stop())
    )
    listen(reactor, scene)
    _say(show.opening(scene, paint))
    proxy.start()
    await proxy.listening(scene.ports.proxy)
    good = await show_checks(reactor, scene, paint)
    if not once:
        _say("The proxy stays up until Ctrl-C.")
        await Deferred()
    return 0 if good else 1


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="sso_proxy.testing.demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".demo"))
    parser.add_argument("--port", type=int, default=8443, help="0: any free ones")
    parser.add_argument("--once", action="store_true", help="end after the checks")
    options = parser.parse_args(arguments)
    try:
        scene = prepare(options.state, choose_ports(options.port))
    except PortTakenError as e:
        sys.exit(f"make demo: {e}; choose others: make demo PORT=9443")
    paint = show.Paint(sys.stdout.isatty() and "NO_COLOR" not in os.environ)

    async def run(reactor: Any) -> None:  # noqa: ANN401
        try:
            code = await demo(reactor, scene, once=options.once, paint=paint)
        except (CannotListenError, SsoProxyError) as e:
            sys.exit(f"make demo: {e}")
        sys.exit(code)

    react(lambda reactor: ensureDeferred(run(reactor)))


def _api() -> Site:
    return Site(Echo())  # type: ignore[no-untyped-call]


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is what it is for
