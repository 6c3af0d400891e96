"""
The ``chain`` mapper: others, asked in turn.

The list ``map_user`` of a route is asked in the same way; a chain is such a list with a
name, for routes that have it in common.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

import attrs
from zope.interface import implementer

from sso_proxy.config.checks import Attribute
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ITools, IUserMapper
from sso_proxy.model import DECLINED, Identity, MapperVerdict, UserName


async def ask_in_turn(
    mappers: Iterable[IUserMapper], identity: Identity
) -> UserName | MapperVerdict:
    """
    Give the answer of the first mapper that knows *identity*, a refusal, too.

    DECLINED: none does.  A mapper that fails decides as well, by its exception: the
    next one might name somebody else.
    """
    for mapper in mappers:
        answer: UserName | MapperVerdict = await mapper.map_user(identity)
        if answer is not DECLINED:
            return answer
    return DECLINED


def _names(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError("must not be empty: it would know nobody")
    for name in value:
        if value.count(name) > 1:
            raise ValueError(f"has {name!r} twice; it would say the same again")


@attrs.frozen(kw_only=True)
class ChainMapperConfig:
    """
    The ``chain`` mapper's part of the configuration file.

    Attributes:
        mappers: Names of mappers, asked in this order until one knows the caller: names
            them, or does not let them in.  If none does, the next mapper of the route
            is asked.
    """

    mappers: tuple[str, ...] = attrs.field(validator=_names)


@implementer(IUserMapper)
class ChainMapper:
    """
    Asks others.

    Args:
        mappers: Them.
    """

    config_class: ClassVar = ChainMapperConfig

    def __init__(self, mappers: Sequence[IUserMapper]) -> None:
        self._mappers = tuple(mappers)

    @classmethod
    def from_config(cls, config: ChainMapperConfig, tools: ITools) -> Self:
        """
        Make the mapper that *config* describes.

        Raises:
            ConfigError: A mapper is not there, cannot be made, or asks this one itself.
        """
        mappers, mistakes = [], []
        for number, name in enumerate(config.mappers):
            try:
                mappers.append(tools.mapper(name))
            except ConfigError as e:
                where = f"mappers[{number}]"
                mistakes += [Mistake(where, each.problem) for each in e.mistakes]
        if mistakes:
            raise ConfigError(*mistakes)
        return cls(mappers)

    async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
        """Give the answer of the first that knows *identity*; DECLINED if none does."""
        return await ask_in_turn(self._mappers, identity)
