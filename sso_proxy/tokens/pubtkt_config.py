"""The options of ``type = "pubtkt"`` of tokens."""

from collections.abc import Iterator
from typing import Literal

import attrs

from sso_proxy.config.checks import between
from sso_proxy.config.model import FilePath
from sso_proxy.config.secrets import Secret
from sso_proxy.tokens.ticket_config import TicketConfig, claim_or_none


@attrs.frozen(kw_only=True)
class PubtktTokenConfig(TicketConfig):
    """
    The ``pubtkt`` token's part of the configuration file: tickets of mod_auth_pubtkt.

    Attributes:
        key: File with the private key, PEM: RSA or DSA for mod_auth_pubtkt, which has
            the public half as ``TKTAuthPublicKey``; our own ``pubtkt`` takes EC and
            Ed25519, too.
        key_password: What the file is encrypted with.
        digest: ``TKTAuthDigest`` of the sites; unset, SHA-1 for RSA and DSA as they
            have it.  Where you can set it, take ``sha256``.
        grace: Seconds before its end from when on sites have browsers fetch another.
        multifactor: A condition, as in ``require``: whether the user has logged in by
            more than a password, such as ``amr contains 'mfa'``; unset, tickets do not
            say.
        bauth_claim: The claim with the password that sites are to send to what is
            behind them.
        bauth_password: That password, the same for all users, instead.
        bauth_key: 16 characters, ``TKTAuthPassthruBasicKey`` of the sites: the password
            is encrypted with it.
        bauth_plain: Whether it may stand in tickets unencrypted, for their users and
            everybody who gets hold of one to read.
    """

    key: FilePath
    key_password: Secret | None = None
    digest: Literal["sha1", "sha224", "sha256", "sha384", "sha512"] | None = None
    grace: int = attrs.field(default=900, validator=between(0, 31 * 86400))
    multifactor: str = ""
    bauth_claim: str = attrs.field(default="", validator=claim_or_none)
    bauth_password: Secret | None = None
    bauth_key: Secret | None = None
    bauth_plain: bool = False

    def problems(self) -> Iterator[tuple[str, str]]:
        """Give options that contradict each other, each with the reason."""
        yield from super().problems()
        if self.grace >= self.lifetime:
            yield "grace", "must be less than lifetime: tickets would never be good"
        secret = bool(self.bauth_claim) or self.bauth_password is not None
        if self.bauth_claim and self.bauth_password is not None:
            yield "bauth_password", "has no effect with bauth_claim"
        if secret and self.bauth_key is None and not self.bauth_plain:
            problem = (
                "is missing: whoever has a ticket could read the password;"
                " write bauth_plain = true if that is meant"
            )
            yield "bauth_key", problem
        if self.bauth_plain and self.bauth_key is not None:
            yield "bauth_plain", "has no effect with bauth_key"
        if self.bauth_key is not None:
            if not secret:
                yield "bauth_key", "has no effect without a password"
            if len(self.bauth_key.reveal().encode()) != 16:
                yield "bauth_key", "must have 16 octets, as mod_auth_pubtkt wants"
