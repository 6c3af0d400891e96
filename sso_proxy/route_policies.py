"""Which policies the routes of one configuration have."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from sso_proxy.authz.obligations import OURS, Obligations
from sso_proxy.authz.policies import (
    DIFFERENCES,
    Differences,
    Local,
    Named,
    Policies,
)
from sso_proxy.config.model import RouteConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ILocalPolicy, IObligation, IPolicy
from sso_proxy.specs.http.names import FRAMING, HOP_BY_HOP, SINGLE, fold

_SENT_ALWAYS: Final = frozenset(
    {
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-request-id",
    }
)
_NEVER_SET: Final = FRAMING | SINGLE | HOP_BY_HOP | _SENT_ALWAYS

Shared: TypeAlias = Callable[[tuple[Any, ...], Callable[[], Any]], Any]


@attrs.frozen
class Found:
    """
    What a route has.

    Attributes:
        asked: Its policies, or None.
        settable: Lower-case names of header fields that they may set.
    """

    asked: Policies | None
    settable: frozenset[str] = frozenset()


class RoutePolicies:
    """
    Gives routes their policies.

    Args:
        policies: All that could be made, by name.
        obligations: Those of plugins, by name.
        shared: Gives what is shared with other configurations, or makes it.

    Attributes:
        obligations: All that can be carried out.
        mistakes: Names that obligations of plugins, and fields that policies set,
            cannot have.
        differences: Counts where shadows differ from what was decided.
    """

    def __init__(
        self,
        policies: Mapping[str, IPolicy],
        obligations: Mapping[str, IObligation],
        shared: Shared = lambda _key, make: make(),
    ) -> None:
        self._policies = policies
        self.differences: Differences = shared(DIFFERENCES, Counter)
        self.obligations = Obligations(obligations)
        self.mistakes = [
            Mistake(f"obligation.{name}", "is the name of one of ours; take another")
            for name in obligations
            if name in OURS
        ]
        self.mistakes += _unfit(policies)

    @property
    def settable(self) -> frozenset[str]:
        """Lower-case names of header fields that any policy may set."""
        return frozenset(n for policy in self._policies.values() for n in policy.sets)

    def find(self, path: str, route: RouteConfig) -> Found:
        """
        Give the policies of *route*, which stands at *path*.

        Raises:
            ConfigError: One cannot be used, or not as a shadow.
        """
        names = (*route.policy, *route.shadow)
        if not names:
            return Found(None)
        if any(name not in self._policies for name in names):
            raise ConfigError  # said already
        decisive = [Named(name, self._policies[name]) for name in route.policy]
        shadows = []
        for number, name in enumerate(route.shadow):
            policy = self._policies[name]
            if not ILocalPolicy.providedBy(policy):
                problem = f"{name!r} asks somebody; only rules can be shadows"
                raise ConfigError(Mistake(f"{path}.shadow[{number}]", problem))
            shadows.append(Local(name, policy))
        settable = frozenset(n for each in decisive for n in each.policy.sets)
        for name in sorted(settable):
            _check_settable(path, route, name)
        return Found(Policies(decisive, shadows, self.differences), settable)


def _check_settable(path: str, route: RouteConfig, name: str) -> None:
    """
    Refuse a field that the backend would get twice: it may take either.

    Raises:
        ConfigError: The route gives it, too.
    """
    headers = route.headers
    ours = [headers.user, *headers.claim_names.values(), *headers.tokens.values()]
    ours += [headers.claim_prefix + claim for claim in headers.claims]
    ours += [token.field for token in route.token if token.to == "header"]
    if fold(name) in map(fold, filter(None, ours)):
        problem = f"one of them sets {name!r}, which the route gives the backend, too"
        raise ConfigError(Mistake(f"{path}.policy", problem))


def _unfit(policies: Mapping[str, IPolicy]) -> Iterator[Mistake]:
    """Find fields that no policy may set: HTTP's, and those that all requests have."""
    for name, policy in policies.items():
        for field in sorted(policy.sets):
            if fold(field) in _NEVER_SET:
                problem = f"cannot set {field!r}: it says how requests are read"
                yield Mistake(f"policy.{name}", problem)
