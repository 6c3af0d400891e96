"""A mapper of somebody else's, with options that nobody here knows."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import attrs
from zope.interface import implementer

from sso_proxy.config.secrets import Secret
from sso_proxy.interfaces import ITools, IUserMapper
from sso_proxy.model import DECLINED, Identity, MapperVerdict, UserName


@attrs.frozen(kw_only=True)
class Service:
    """
    A server.

    Attributes:
        url: Where it is, and who we are there.
        header: What it wants to be sent.
    """

    url: str = ""
    header: str = ""


@attrs.frozen(kw_only=True)
class KeepingConfig:
    """
    Options of all types.

    Attributes:
        header: What a server wants to be sent.
        pin: A number.
        tokens: A list.
        people: Passwords by name.
        anything: Whatever else.
        service: A server.
        services: Several.
        password: What is marked as a secret.
        fast: No secret.
    """

    header: str = ""
    pin: int = 0
    tokens: tuple[str, ...] = ()
    people: Mapping[str, str] = attrs.field(factory=dict)
    anything: Any = None
    service: Service = attrs.field(factory=Service)
    services: tuple[Service, ...] = ()
    password: Secret | None = None
    fast: bool = False


@implementer(IUserMapper)
class KeepingMapper:
    """Maps nobody."""

    config_class: ClassVar[type] = KeepingConfig

    @classmethod
    def from_config(cls, config: KeepingConfig, tools: ITools) -> Self:  # noqa: ARG003
        """Make one."""
        return cls()

    async def map_user(
        self,
        identity: Identity,  # noqa: ARG002
    ) -> UserName | MapperVerdict:
        """Map nobody."""
        return DECLINED
