"""Explanations in this process: without a reactor, or with one to ask others by."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from sso_proxy.checking import build_parts
from sso_proxy.config.model import Config
from sso_proxy.errors import ConfigError
from sso_proxy.explain.judging import at_once
from sso_proxy.explain.report import Explanation
from sso_proxy.explain.situation import Situation
from sso_proxy.explain.walk import explain
from sso_proxy.net.clock import SystemClock


def make_explainer(config: Config) -> Callable[[Situation], Explanation]:
    """
    Give what explains by *config* without asking anybody.

    Raises:
        ConfigError: The configuration is wrong.
    """
    parts = build_parts(config, SystemClock())
    return lambda situation: at_once(explain(config, parts, situation))


def explain_now(config: Config, situation: Situation) -> Explanation:
    """
    Explain one request, likewise.

    Raises:
        ConfigError: The configuration or the URL is wrong.
    """
    return make_explainer(config)(situation)


def explain_running(config: Config, situation: Situation) -> Explanation:
    """
    Explain, and ask decision points elsewhere; starts and ends the reactor.

    Raises:
        ConfigError: The configuration or the URL is wrong.
    """
    outcomes: list[Explanation | ConfigError] = []

    async def run(reactor: Any) -> None:  # noqa: ANN401
        try:
            parts = build_parts(config, SystemClock(), reactor)
            outcomes.append(await explain(config, parts, situation, ask=True))
        except ConfigError as e:
            outcomes.append(e)

    try:
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    except SystemExit:
        if not outcomes:  # interrupted, or a fault of ours, which was logged
            raise
    outcome = outcomes[0]
    if isinstance(outcome, ConfigError):
        raise outcome
    return outcome
