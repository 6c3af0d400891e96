"""
Device-bound sessions that share a key: a provider's and those of its relying parties.

Who is at a user's device for a moment can log in at a relying party without a
password, as the provider knows the browser; with a new key, made elsewhere, that
session would go on elsewhere.  So a relying party takes no key but the one that the
provider's session has had since before (W3C DBSC, "Federated sessions").

One proxy may be both sides, for different hosts.  The provider's side tells what stands
behind it, as claims, which session and key there are; an identity provider puts them
into its tokens, or a token of ours has them; the relying party's side reads them from
the login.
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs
from twisted.logger import Logger

from sso_proxy.config.checks import Attribute, between
from sso_proxy.errors import TokenError
from sso_proxy.model import Identity, RequestHead
from sso_proxy.specs.dbsc.federation import build_document, check_origin, read_provider
from sso_proxy.specs.dbsc.fields import Provider
from sso_proxy.specs.http.accept import is_navigation

_log = Logger()


def _origins(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    """Refuse what browsers do not take for origins."""
    build_document(relying=value)


def _origin(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse what browsers do not take for an origin."""
    if value:
        check_origin(value)


_TAKEN: Final = frozenset(
    {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "azp", "cnf", "act", "sid"}
)
"""Claims that mean something else, to whoever reads a token."""


def _claim(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse an empty name, and those that are taken."""
    if not value:
        raise ValueError("must not be empty")
    if value in _TAKEN:
        raise ValueError(f"{value!r} is the name of another claim")


@attrs.frozen(kw_only=True)
class FederationConfig:
    """
    With whom the keys of sessions are shared: as a provider, or as a relying party.

    Browsers believe that only if both sides say so, at
    ``/.well-known/device-bound-sessions``, which is answered for them.

    Attributes:
        relying: Origins whose sessions may have the keys of these:
            ``https://app.example.org``.  Makes these sessions a provider's.
        provider: The origin whose sessions have the keys that these take:
            ``https://login.example.com``.  Makes them a relying party's, where no other
            key is ever registered.
        session_claim: The claim that names the provider's session; a provider's side
            tells it to what stands behind it, a relying party's reads it from logins.
        key_claim: The claim that names its key by its thumbprint, likewise.
        wait: Seconds after a login at the provider for which its first page waits until
            the browser has registered its key: people come from a site, log in, and go
            back at once.  Only who may have such a key waits, and only then.
    """

    relying: tuple[str, ...] = attrs.field(default=(), validator=_origins)
    provider: str = attrs.field(default="", validator=_origin)
    session_claim: str = attrs.field(default="provider_session_id", validator=_claim)
    key_claim: str = attrs.field(default="provider_key", validator=_claim)

    wait: float = attrs.field(default=1.0, validator=between(0, 10))

    def __attrs_post_init__(self) -> None:
        """Refuse to be both, or neither."""
        if bool(self.relying) == bool(self.provider):
            raise ValueError(
                "names either relying, the origins that share keys of these sessions,"
                " or provider, the one whose keys these take"
            )
        if self.session_claim == self.key_claim:
            raise ValueError("session_claim and key_claim have to differ")

    @property
    def document(self) -> bytes:
        """Give what browsers read of it at the well-known place."""
        return build_document(relying=self.relying, provider=self.provider)

    def provider_of(self, claims: Mapping[str, Any]) -> Provider | None:
        """
        Give the provider's session that a login names, as far as it names one.

        None means that there is no key to share: its browser has none, or its provider
        does not tell; then these sessions cannot be bound.
        """
        session_id, key = claims.get(self.session_claim), claims.get(self.key_claim)
        if not self.provider or (session_id is None and key is None):
            return None
        try:
            return read_provider(session_id, self.provider, key)
        except TokenError as e:
            _log.warn(
                "A login names no key of the provider's device in {session} and {key}:"
                " {why}",
                session=self.session_claim,
                key=self.key_claim,
                why=e.detail,
            )
            return None

    def waits_for(self, head: RequestHead) -> float:
        """
        Give the seconds after a login for which the answer to a request may wait.

        Browsers that have device-bound sessions say their brands.
        """
        may_have_keys = bool(head.values("sec-ch-ua")) and is_navigation(head)
        return self.wait if may_have_keys else 0.0

    def tell(self, identity: Identity, session_id: str, thumbprint: str) -> Identity:
        """
        Give *identity* with what is told about the device of its session.

        Claims of these names that somebody else has made are never told: whoever reads
        them takes them for ours.

        Args:
            identity: Whose session it is.
            session_id: What its browser calls the session.
            thumbprint: Names the key; empty if there is none.
        """
        names = {self.session_claim, self.key_claim}
        if not thumbprint and names.isdisjoint(identity.claims):
            return identity
        claims = {k: v for k, v in identity.claims.items() if k not in names}
        if thumbprint:
            claims |= {self.session_claim: session_id, self.key_claim: thumbprint}
        return attrs.evolve(identity, claims=claims)
