"""Binding to the browser's device: a key that it proves again and again (DBSC)."""

from collections.abc import Mapping
from typing import ClassVar, Self

import attrs
from zope.interface import implementer

from sso_proxy.config.route_parts import BindingLevel
from sso_proxy.interfaces import IBinding, ITools
from sso_proxy.model import Bound, Identity, Request, Unbound
from sso_proxy.session import DEVICE_MISSING

_UNPROVED = Bound((), proved=False)
"""It may pass, and has proved nothing."""


@attrs.frozen(kw_only=True)
class DeviceBindingConfig:
    """The ``device`` binding has no options: they are those of the sessions."""


@implementer(IBinding)
class DeviceBinding:
    """
    Asks of one route's callers what the sessions need not ask of all.

    A session is proved by what comes with its request, or it is new.  What is no
    session has no device.

    Args:
        level: ``require`` refuses who proves none, ``prefer`` who comes with a session
            whose device is registered and proves nothing; ``observe`` logs that.
    """

    config_class: ClassVar = DeviceBindingConfig
    kind = "device"
    once = False
    members: frozenset[str] = frozenset()

    def __init__(self, level: BindingLevel = "require") -> None:
        self._level: BindingLevel = level

    @classmethod
    def from_config(cls, _config: DeviceBindingConfig, _tools: ITools) -> Self:
        """Make the binding, which there is one kind of."""
        return cls()

    async def check(
        self, request: Request, identity: Identity
    ) -> Unbound | Bound | None:
        """
        Say why *identity* may not pass without a device, or None if it has one.

        Raises:
            UnavailableError: It depends on a cache that cannot answer.
        """
        session = request.session
        by = "" if session is None else session.identity.authenticator
        if session is None or by != identity.authenticator:
            if self._level == "require":
                return Unbound(reason=DEVICE_MISSING, detail="this is no session")
            return _UNPROVED
        if session.device:
            return None
        devices = request.sessions.devices
        standing = await devices.check(
            request, session.id, session.created, self._level
        )
        if standing.refused:
            return Unbound(reason=standing.refused, detail=f"session {session.id}")
        return _UNPROVED


def demanded(
    bindings: Mapping[str, IBinding], levels: Mapping[str, BindingLevel]
) -> tuple[IBinding, ...]:
    """
    Give the bindings that a route demands.

    Args:
        bindings: All of the route, by kind.
        levels: What it says about some of them.
    """
    # Of the others, what need not be is looked at by who has a token that is bound.
    return tuple(
        DeviceBinding(level) if kind == DeviceBinding.kind else bindings[kind]
        for kind, level in levels.items()
        if level == "require" or kind == DeviceBinding.kind
    )
