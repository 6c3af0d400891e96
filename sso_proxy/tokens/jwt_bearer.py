"""The ``jwt_bearer`` tokens: for a JWT that says who they are for."""

from collections.abc import Iterator
from typing import Any, ClassVar

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import IHealth, ITokenSource
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oauth.grants import build_jwt_bearer
from sso_proxy.tokens.granting import PlainConfig, PlainSource
from sso_proxy.tokens.remote import Wanted


@attrs.frozen(kw_only=True)
class JwtBearerConfig(PlainConfig):
    """
    How access tokens are got for a JWT that says who they are for (RFC 7523).

    Attributes:
        subject: The JWT: above all ``token:NAME``, one that the proxy makes itself,
            for *subject_audience*, the server's issuer identifier or the URL of its
            token endpoint; or an access token that the server takes, too.
    """

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        if self.subject == "none":
            yield "subject is missing: the JWT that says who the token is for"


@implementer(ITokenSource, IHealth)
class JwtBearerSource(PlainSource):
    """Gets tokens for JWTs."""

    config_class: ClassVar[Any] = JwtBearerConfig
    config: JwtBearerConfig

    def form(self, wanted: Wanted) -> FormFields:
        """
        Say what is asked.

        Raises:
            UnfitError: What should be a JWT is none.
        """
        value = "" if wanted.subject is None else wanted.subject.value
        return build_jwt_bearer(value, self.config.target(wanted.audience))
