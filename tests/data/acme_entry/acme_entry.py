"""A user mapper as somebody else would write it."""

from typing import ClassVar, Self

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import ITools, IUserMapper
from sso_proxy.model import DECLINED, Identity, MapperVerdict, UserName


@attrs.frozen(kw_only=True)
class AcmeConfig:
    """
    The ``acme`` mapper's part of the configuration file.

    Attributes:
        domain: What stands behind each user name.
    """

    domain: str


@implementer(IUserMapper)
@attrs.frozen
class AcmeMapper:
    """Appends a domain."""

    config_class: ClassVar = AcmeConfig
    _domain: str

    @classmethod
    def from_config(cls, config: AcmeConfig, _tools: ITools) -> Self:
        """Make the mapper."""
        return cls(config.domain)

    async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
        """Name the user after the subject."""
        if not identity.subject:
            return DECLINED
        return UserName(f"{identity.subject}@{self._domain}")
