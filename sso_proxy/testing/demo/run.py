"""Sets the demo up, makes the calls, and stays until Ctrl-C."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Site

from sso_proxy.errors import SsoProxyError
from sso_proxy.testing.demo import checks, show
from sso_proxy.testing.demo.application import Application
from sso_proxy.testing.demo.authorization_server import (
    AuthorizationServerResource,
    tls_options,
)
from sso_proxy.testing.demo.checks import Result
from sso_proxy.testing.demo.chromium import BrowserError, Chromium, find_chromium
from sso_proxy.testing.demo.device_theft import DEVICE_THEFTS, DeviceThefts
from sso_proxy.testing.demo.echo import Echo
from sso_proxy.testing.demo.login_checks import VISITS, run_visit
from sso_proxy.testing.demo.provider_site import ProviderSite, server_tls
from sso_proxy.testing.demo.proxy import ProxyProcess
from sso_proxy.testing.demo.scene import (
    HOST,
    PortTakenError,
    Scene,
    choose_ports,
    keep_token,
    prepare,
)
from sso_proxy.testing.demo.thief import THEFTS, Thefts


def listen(reactor: Any, scene: Scene) -> list[Any]:  # noqa: ANN401
    """Start all servers but the proxy in this process; give their ports."""
    issuer = _site(AuthorizationServerResource, scene.authorization_server())
    provider = _site(ProviderSite, scene.openid_provider())
    ports, own = scene.ports, scene.issuer
    mutual = tls_options(own, scene.authority)
    return [
        reactor.listenSSL(ports.issuer, issuer, mutual, interface=HOST),
        reactor.listenTCP(ports.api, _site(Echo), interface=HOST),
        reactor.listenSSL(ports.provider, provider, server_tls(own), interface=HOST),
        reactor.listenTCP(ports.application, _site(Application), interface=HOST),
    ]


async def show_checks(
    reactor: Any,  # noqa: ANN401
    scene: Scene,
    paint: show.Paint,
) -> list[Result]:
    """Make the calls to the API and print what happened."""
    token = await checks.fetch_token(reactor, scene)
    keep_token(scene, token)
    _say(show.token_lines(token, paint))
    results = []
    for number, check in enumerate(checks.CHECKS, 1):
        results.append(await checks.run_check(reactor, scene, token, check))
        _say(show.result_lines(number, results[-1], paint))
    _say("")
    _say(show.repeat_lines(scene, checks.CHECKS, paint))
    return results


async def show_visits(
    reactor: Any,  # noqa: ANN401
    scene: Scene,
    paint: show.Paint,
) -> list[Result]:
    """Log in as people do and print what happened."""
    _say(show.web_opening(scene, paint))
    results = []
    for number, visit in enumerate(VISITS, len(checks.CHECKS) + 1):
        results.append(await run_visit(reactor, scene, visit))
        _say(show.result_lines(number, results[-1], paint))
    _say("")
    return results


async def show_thefts(
    reactor: Any,  # noqa: ANN401
    scene: Scene,
    paint: show.Paint,
) -> list[Result]:
    """Steal cookies and print what they are good for."""
    _say(show.thief_opening(scene, paint))
    thefts = Thefts(reactor, scene)
    await thefts.log_in()
    results = []
    for number, theft in enumerate(THEFTS, len(checks.CHECKS) + len(VISITS) + 1):
        results.append(await thefts.run(theft))
        _say(show.result_lines(number, results[-1], paint))
    _say("")
    return results


async def show_device_thefts(
    reactor: Any,  # noqa: ANN401
    scene: Scene,
    program: str,
    paint: show.Paint,
) -> list[Result]:
    """Steal from a browser, if there is a *program* for one, that has made a key."""
    _say(show.device_opening(scene, program, paint))
    results: list[Result] = []
    if not program:
        return results
    browser = Chromium(reactor, program, [scene.proxy, scene.issuer])
    thefts = DeviceThefts(reactor, scene, browser)
    first = len(checks.CHECKS) + len(VISITS) + len(THEFTS) + 1
    try:
        await browser.start()
        await thefts.log_in()
        for number, theft in enumerate(DEVICE_THEFTS, first):
            results.append(await thefts.run(theft))
            _say(show.result_lines(number, results[-1], paint))
    except BrowserError as e:
        _say(f"  This browser cannot show it: {e}")
    finally:
        await browser.stop()
    _say("")
    return results


async def demo(
    reactor: Any,  # noqa: ANN401
    scene: Scene,
    *,
    once: bool,
    browser: str,
    paint: show.Paint,
) -> int:
    """Run everything; give the exit code.  The reactor's end is the proxy's, too."""
    proxy = ProxyProcess(reactor, scene.config, scene.log)
    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: ensureDeferred(proxy.stop())
    )
    listen(reactor, scene)
    _say(show.opening(scene, paint))
    proxy.start()
    await proxy.listening(scene.ports.proxy)
    results = await show_checks(reactor, scene, paint)
    results += await show_visits(reactor, scene, paint)
    results += await show_thefts(reactor, scene, paint)
    results += await show_device_thefts(reactor, scene, browser, paint)
    _say(show.people_lines(scene, paint))
    _say(show.closing(scene, results, paint))
    if not once:
        _say("The proxy stays up until Ctrl-C.")
        await Deferred()
    return 0 if all(result.passed for result in results) else 1


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="sso_proxy.testing.demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".demo"))
    parser.add_argument("--port", type=int, default=8443, help="0: any free ones")
    parser.add_argument("--once", action="store_true", help="end after the checks")
    parser.add_argument("--browser", default=find_chromium(), help="a Chromium")
    options = parser.parse_args(arguments)
    try:
        scene = prepare(options.state, choose_ports(options.port))
    except PortTakenError as e:
        sys.exit(f"make demo: {e}; choose others: make demo PORT=9443")
    paint = show.Paint(sys.stdout.isatty() and "NO_COLOR" not in os.environ)

    async def run(reactor: Any) -> None:  # noqa: ANN401
        try:
            code = await demo(
                reactor,
                scene,
                once=options.once,
                browser=options.browser,
                paint=paint,
            )
        except (CannotListenError, SsoProxyError) as e:
            sys.exit(f"make demo: {e}")
        sys.exit(code)

    react(lambda reactor: ensureDeferred(run(reactor)))


def _site(resource: Callable[..., Resource], *arguments: object) -> Site:
    """Serve what *resource* makes; twisted.web is not annotated."""
    return Site(resource(*arguments))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is what it is for
