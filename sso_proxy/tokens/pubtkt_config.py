"""The options of ``type = "pubtkt"`` of tokens."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import attrs

from sso_proxy.config.checks import Attribute, between
from sso_proxy.config.model import FilePath
from sso_proxy.config.secrets import Secret
from sso_proxy.specs.claims import read_claim_path


def _path(_instance: object, _attribute: Attribute, value: str) -> None:
    if value:
        read_claim_path(value)


def _paths(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    for text in value:
        read_claim_path(text)


def _tokens(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    for token in value:
        if not token.isprintable() or token != token.strip() or not token:
            raise ValueError(f"{token!r} is no token")
        if {*token} & {*",;!"}:
            raise ValueError(f"{token!r} is no token: it would be taken for several")


def _table(instance: object, attribute: Attribute, value: Mapping[str, Any]) -> None:
    for tokens in value.values():
        _tokens(instance, attribute, tokens)


@attrs.frozen(kw_only=True)
class PubtktTokenConfig:
    """
    The ``pubtkt`` token's part of the configuration file: tickets of mod_auth_pubtkt.

    Attributes:
        key: File with the private key, PEM: RSA or DSA for mod_auth_pubtkt, which has
            the public half as ``TKTAuthPublicKey``; our own ``pubtkt`` takes EC and
            Ed25519, too.
        key_password: What the file is encrypted with.
        digest: ``TKTAuthDigest`` of the sites; unset, SHA-1 for RSA and DSA as they
            have it.  Where you can set it, take ``sha256``.
        uid: The caller's claim that is the user's name; unset, the name that
            ``map_user`` gives.
        lifetime: Seconds that a ticket is good.  Nobody can take one back.  It never
            lasts longer than the session.
        grace: Seconds before its end from when on sites have browsers fetch another.
        cip: Whether a ticket is good for the client's address only.  Not for
            ``[[route.token]]``: the backend sees our address.  A client that reaches
            the sites by another address than us, such as IPv6, does not get in.
        tokens: Claims whose texts, or lists of texts, are the user's tokens:
            ``groups``, ``realm_access.roles``.
        token_table: What of these means which tokens; what is not in it means none.
            Empty: they are tokens themselves, but for those with a comma, semicolon
            or exclamation mark.
        tokens_always: Tokens that everybody has.
        udata: The claim that is the ticket's user data; unset, there is none.
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
    uid: str = attrs.field(default="", validator=_path)
    lifetime: int = attrs.field(default=3600, validator=between(60, 31 * 86400))
    grace: int = attrs.field(default=900, validator=between(0, 31 * 86400))
    cip: bool = False
    tokens: tuple[str, ...] = attrs.field(default=(), validator=_paths)
    token_table: Mapping[str, tuple[str, ...]] = attrs.field(
        factory=dict, validator=_table
    )
    tokens_always: tuple[str, ...] = attrs.field(default=(), validator=_tokens)
    udata: str = attrs.field(default="", validator=_path)
    multifactor: str = ""
    bauth_claim: str = attrs.field(default="", validator=_path)
    bauth_password: Secret | None = None
    bauth_key: Secret | None = None
    bauth_plain: bool = False

    def problems(self) -> Iterator[tuple[str, str]]:
        """Give options that contradict each other, each with the reason."""
        if self.grace >= self.lifetime:
            yield "grace", "must be less than lifetime: tickets would never be good"
        if self.token_table and not self.tokens:
            yield "token_table", "has no effect without tokens"
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
