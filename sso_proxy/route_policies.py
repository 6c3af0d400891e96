"""Which policies the routes of one configuration have."""

from collections.abc import Mapping

import attrs

from sso_proxy.authz.obligations import OURS, Obligations
from sso_proxy.authz.policies import Local, Named, Policies
from sso_proxy.config.model import RouteConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ILocalPolicy, IObligation, IPolicy


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

    Attributes:
        obligations: All that can be carried out.
        mistakes: Names that obligations of plugins cannot have.
    """

    def __init__(
        self, policies: Mapping[str, IPolicy], obligations: Mapping[str, IObligation]
    ) -> None:
        self._policies = policies
        self.obligations = Obligations(obligations)
        self.mistakes = [
            Mistake(f"obligation.{name}", "is the name of one of ours; take another")
            for name in obligations
            if name in OURS
        ]

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
        return Found(Policies(decisive, shadows), settable)
