"""The ``static`` mapper: a table from subjects to user names."""

from collections.abc import Mapping
from typing import ClassVar, Self

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import ITools, IUserMapper
from sso_proxy.mappers.checks import user_name, user_names
from sso_proxy.model import DECLINED, Identity, MapperVerdict, UserName


@attrs.frozen(kw_only=True)
class StaticMapperConfig:
    """
    The ``static`` mapper's part of the configuration file.

    Attributes:
        users: User name for each subject.  A subject means the same whoever vouches
            for it: use a table of its own for each issuer that a route admits.
        default: User name for everybody else; unset, the next mapper is asked.
    """

    users: Mapping[str, str] = attrs.field(validator=user_names)
    default: str | None = attrs.field(default=None, validator=user_name)


@implementer(IUserMapper)
class StaticMapper:
    """Looks the subject up."""

    config_class: ClassVar = StaticMapperConfig

    def __init__(self, config: StaticMapperConfig) -> None:
        self._users = {
            subject: UserName(name) for subject, name in config.users.items()
        }
        self._default: UserName | MapperVerdict = (
            DECLINED if config.default is None else UserName(config.default)
        )

    @classmethod
    def from_config(cls, config: StaticMapperConfig, _tools: ITools) -> Self:
        """Make the mapper that *config* describes."""
        return cls(config)

    async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
        """Give the subject's name, the default, or DECLINED."""
        return self._users.get(identity.subject, self._default)
