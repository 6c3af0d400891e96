"""The ``mod_auth_openidc`` mapper: users keep the names that they had with Apache."""

from typing import ClassVar, Final, Self

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import ITools, IUserMapper
from sso_proxy.mappers.checks import claim_path
from sso_proxy.mappers.claim import one_string
from sso_proxy.model import REFUSED, Identity, MapperVerdict, UserName
from sso_proxy.specs.claims import read_claim_path
from sso_proxy.specs.user_name import is_safe_user_name

_SCHEME: Final = "https://"


def _remote_user_claim(
    instance: object, attribute: "attrs.Attribute[str]", value: str
) -> None:
    claim_path(instance, attribute, value.removesuffix("@"))


@attrs.frozen(kw_only=True)
class RemoteUserConfig:
    """
    The ``mod_auth_openidc`` mapper's part of the configuration file.

    Attributes:
        remote_user_claim: The claim that holds the user's name, as in
            ``OIDCRemoteUserClaim``; with ``@`` at its end, an ``@`` and the issuer
            without ``https://`` follow: ``alice@login.example.com``.
    """

    remote_user_claim: str = attrs.field(default="sub@", validator=_remote_user_claim)


@implementer(IUserMapper)
class RemoteUserMapper:
    """Takes the user's name from a claim, and puts the issuer behind it."""

    config_class: ClassVar = RemoteUserConfig

    def __init__(self, config: RemoteUserConfig) -> None:
        claim = config.remote_user_claim
        self._path = read_claim_path(claim.removesuffix("@"))
        self._with_issuer = claim.endswith("@")

    @classmethod
    def from_config(cls, config: RemoteUserConfig, _tools: ITools) -> Self:
        """Make the mapper that *config* describes."""
        return cls(config)

    async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
        """Give the name; DECLINED without the claim, REFUSED if it can be no name."""
        name = one_string(identity.claims, self._path)
        if isinstance(name, MapperVerdict):
            return name
        if self._with_issuer:
            # Whoever has an "@" in a claim would else be somebody of another issuer.
            issuer = identity.issuer.removeprefix(_SCHEME)
            if not name or "@" in issuer:
                return REFUSED
            name = f"{name}@{issuer}"
        return UserName(name) if is_safe_user_name(name) else REFUSED
