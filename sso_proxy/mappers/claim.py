"""The ``claim`` mapper: the user's name is a claim."""

import string
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import ITools, IUserMapper
from sso_proxy.mappers.checks import claim_path
from sso_proxy.model import DECLINED, REFUSED, Identity, MapperVerdict, UserName
from sso_proxy.specs.claims import ClaimPath, claim_at, read_claim_path
from sso_proxy.specs.user_name import is_safe_user_name

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def one_string(claims: Mapping[str, Any], path: ClaimPath) -> str | MapperVerdict:
    """
    Give the claim at *path*: a string, or the only element of a list.

    Nothing there is DECLINED; anything else, a list of two above all, is REFUSED
    rather than guessed at.
    """
    found = claim_at(claims, path)
    if found is None:
        return DECLINED
    if isinstance(found, list | tuple) and len(found) == 1:
        found = found[0]
    return found if isinstance(found, str) else REFUSED


@attrs.frozen(kw_only=True)
class ClaimMapperConfig:
    """
    The ``claim`` mapper's part of the configuration file.

    Attributes:
        claim: The claim that holds the user's name: ``email``,
            ``realm_access.user``, or in quotes ``'https://example.com/user'``.  It
            must be a string or a list of one string.
        lowercase: Turn the letters A to Z of the name into small ones.  Other
            letters stay as they are: some of them would become an ASCII letter,
            and their owner somebody else.
    """

    claim: str = attrs.field(validator=claim_path)
    lowercase: bool = False


@implementer(IUserMapper)
class ClaimMapper:
    """Takes the user's name from a claim."""

    config_class: ClassVar = ClaimMapperConfig

    def __init__(self, config: ClaimMapperConfig) -> None:
        self._path = read_claim_path(config.claim)
        self._lowercase = config.lowercase

    @classmethod
    def from_config(cls, config: ClaimMapperConfig, _tools: ITools) -> Self:
        """Make the mapper that *config* describes."""
        return cls(config)

    async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
        """Give the claim; DECLINED without one, REFUSED if it can be no name."""
        name = one_string(identity.claims, self._path)
        if isinstance(name, MapperVerdict):
            return name
        if self._lowercase:
            name = name.translate(_LOWER)
        return UserName(name) if is_safe_user_name(name) else REFUSED
