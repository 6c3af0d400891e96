"""The ``saml2_bearer`` tokens: for a SAML assertion that says who they are for."""

from collections.abc import Iterator
from typing import Any, ClassVar, Final

import attrs
from zope.interface import implementer

from sso_proxy.config.checks import between
from sso_proxy.interfaces import IHealth, ITokenSource
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oauth.grants import build_saml2_bearer
from sso_proxy.tokens.granting import PlainConfig, PlainSource
from sso_proxy.tokens.remote import Wanted

_LONGEST: Final = 65536


@attrs.frozen(kw_only=True)
class Saml2BearerConfig(PlainConfig):
    """
    How access tokens are got for a SAML 2.0 assertion (RFC 7522).

    Attributes:
        subject: The assertion, as XML or in base64 or base64url: ``token:NAME``, what
            another source gives, such as ``wstrust``, or a place in the request.
        max_length: Characters that a client may present.
    """

    max_length: int = attrs.field(default=_LONGEST, validator=between(16, _LONGEST))

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        if self.subject in {"none", "access_token"}:
            yield "subject is missing: where the SAML assertion is"


@implementer(ITokenSource, IHealth)
class Saml2BearerSource(PlainSource):
    """Gets tokens for SAML assertions."""

    config_class: ClassVar[Any] = Saml2BearerConfig
    config: Saml2BearerConfig

    def form(self, wanted: Wanted) -> FormFields:
        """
        Say what is asked.

        Raises:
            UnfitError: What should be an assertion is none.
        """
        value = "" if wanted.subject is None else wanted.subject.value
        return build_saml2_bearer(value, self.config.target(wanted.audience))
