"""A configuration, built without a socket, to see that it can be built."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from sso_proxy.building import Builder
from sso_proxy.config.model import Config
from sso_proxy.interfaces import IClock
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.http_client import HttpClient
from sso_proxy.notes import notes_of, notes_of_routes
from sso_proxy.parts import Parts
from sso_proxy.specs.jose.public_jwk import PublicKey
from sso_proxy.storage import Needs
from sso_proxy.tools import Tools


@attrs.frozen(kw_only=True)
class Findings:
    """
    What a check has found out about a configuration without mistakes.

    Attributes:
        notes: For the operator, such as certificates that expire soon, or options
            that make something less safe.
        needs: What has to be there before it can be served.
        public_keys: Of what signs tokens for backends, by the name of the tokens.
    """

    notes: tuple[str, ...]
    needs: Needs
    public_keys: Mapping[str, Sequence[PublicKey]]


def build_parts(config: Config, clock: IClock, reactor: Any = None) -> Parts:  # noqa: ANN401
    """
    Build everything that needs no socket.

    Nothing is made anywhere: what the start would make is not missed.

    Args:
        config: The configuration.
        clock: The time that holds for what is built.
        reactor: For asking others by HTTP; nobody can be asked without.

    Raises:
        ConfigError: With every mistake.
    """
    tools = Tools(
        name="",
        clock=clock,
        http_client=HttpClient(reactor, config.server.outbound),
        reactor=None,
        spawn=lambda coroutine: coroutine.close(),
        shared=lambda _key, make: make(),
    )
    return Builder(config, tools, lambda target, _: target).build()


def check(config: Config) -> Findings:
    """
    See whether *config* can be served.

    Raises:
        ConfigError: With every mistake.
    """
    clock = SystemClock()
    parts = build_parts(config, clock)
    notes = (
        *notes_of(config.listener, parts.tls, parts.healthy, clock.time()),
        *notes_of_routes(config),
    )
    return Findings(notes=notes, needs=parts.needs, public_keys=parts.public_keys)
