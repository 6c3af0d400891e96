"""The ``client_credentials`` tokens: the proxy's own, whoever calls."""

from collections.abc import Iterator
from typing import Any, ClassVar

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import IHealth, ITokenSource
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oauth.grants import build_client_credentials
from sso_proxy.tokens.granting import PlainConfig, PlainSource
from sso_proxy.tokens.remote import Wanted


@attrs.frozen(kw_only=True)
class ClientCredentialsConfig(PlainConfig):
    """
    How the proxy gets access tokens in its own name (RFC 6749 section 4.4).

    All callers have the same token: it says nothing of them.

    Attributes:
        subject: ``none``; no token is made from anything of a caller.
    """

    subject: str = "none"

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        if self.subject != "none":
            yield "subject has no effect: the token is the proxy's own"


@implementer(ITokenSource, IHealth)
class ClientCredentialsSource(PlainSource):
    """Gets tokens of the proxy."""

    config_class: ClassVar[Any] = ClientCredentialsConfig
    config: ClientCredentialsConfig

    def form(self, wanted: Wanted) -> FormFields:
        """Say what is asked."""
        return build_client_credentials(self.config.target(wanted.audience))

    def key_of(self, wanted: Wanted) -> tuple[str | bytes, ...]:
        """Say nothing: it is one token for all."""
        del wanted
        return ()
