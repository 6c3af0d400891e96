"""The options of exchanging tokens."""

from collections.abc import Iterator
from typing import ClassVar, Final

import attrs

from sso_proxy.config.checks import Attribute
from sso_proxy.specs.oauth.client_auth import CLIENT_FIELDS
from sso_proxy.specs.oauth.token_exchange import FIELDS, read_token_type
from sso_proxy.tokens.remote_config import GrantConfig
from sso_proxy.tokens.subject import read_subject_option

_UNSAID: Final = frozenset({"cookie", "header", "query", "certificate", "ticket"})
"""Places of which nobody knows what is there."""


def _type(_instance: object, _attribute: Attribute, value: str) -> None:
    if value:
        read_token_type(value)


def _types(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    for each in value:
        read_token_type(each)


@attrs.frozen(kw_only=True)
class ExchangeConfig(GrantConfig):
    """
    How tokens are exchanged for others (RFC 8693).

    Types of tokens are ``access_token``, ``refresh_token``, ``id_token``, ``saml1``,
    ``saml2``, ``jwt``, or URIs.

    Attributes:
        subject_type: What ``subject`` is; unset, what its place says.
        actor_type: What ``actor`` is, likewise.
        requested_type: What is asked for; unset, the server decides.
        accept_types: What is taken besides that.  Unset, and if nothing is asked for,
            all but ``refresh_token``.
        require_scope: Refuse tokens that lack a scope of ``scope``.
    """

    ours: ClassVar[frozenset[str]] = FIELDS | CLIENT_FIELDS

    subject_type: str = attrs.field(default="", validator=_type)
    actor_type: str = attrs.field(default="", validator=_type)
    requested_type: str = attrs.field(default="", validator=_type)
    accept_types: tuple[str, ...] = attrs.field(default=(), validator=_types)
    require_scope: bool = False

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        if self.subject == "none":
            yield "subject = 'none' leaves nothing to exchange"
        for option in ("subject", "actor"):
            kind = read_subject_option(getattr(self, option)).kind
            said = getattr(self, f"{option}_type")
            if kind in _UNSAID and not said:
                yield f"{option}_type is missing: nobody knows what {option} is"
            if kind == "none" and said:
                yield f"{option}_type has no effect without {option}"
        if self.require_scope and not self.scope:
            yield "require_scope has no effect without scope"

    @property
    def requested(self) -> str:
        """Give the identifier of what is asked for; empty if that is nothing."""
        return read_token_type(self.requested_type) if self.requested_type else ""

    @property
    def accepted(self) -> frozenset[str]:
        """Give the identifiers of what is taken besides."""
        return frozenset(map(read_token_type, self.accept_types))
