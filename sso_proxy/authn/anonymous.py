"""The ``anonymous`` authenticator: everybody may come in, as nobody."""

from typing import ClassVar, Self

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import IAuthenticator, ITools
from sso_proxy.model import ANONYMOUS, Authenticated, Identity, Refusal, Request


@attrs.frozen(kw_only=True)
class AnonymousConfig:
    """The ``anonymous`` authenticator has no options."""


@implementer(IAuthenticator)
class AnonymousAuthenticator:
    """Says that it is nobody, whoever it is."""

    config_class: ClassVar = AnonymousConfig
    consumes: tuple[str, ...] = ()

    def __init__(self, name: str) -> None:
        self._outcome = Authenticated(
            Identity(issuer=ANONYMOUS, subject="anonymous", authenticator=name)
        )

    @classmethod
    def from_config(cls, _config: AnonymousConfig, tools: ITools) -> Self:
        """Make the authenticator, which there is one kind of."""
        return cls(tools.name)

    async def authenticate(self, request: Request) -> Authenticated:  # noqa: ARG002
        """Answer that it is nobody."""
        return self._outcome

    def challenge(self, request: Request) -> None:
        """Ask for nothing: everybody is in already."""

    def refusal(self, request: Request, refusal: Refusal) -> None:
        """Say nothing more than the status does."""
