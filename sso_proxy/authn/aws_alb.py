"""The ``aws_alb`` authenticator: users that an AWS load balancer has logged in."""

from types import MappingProxyType
from typing import ClassVar, Final, Self

import attrs
from zope.interface import implementer

from sso_proxy.config.checks import Attribute, between, non_empty
from sso_proxy.config.protocol_checks import secure_url
from sso_proxy.errors import TokenError
from sso_proxy.interfaces import IAuthenticator, ITools
from sso_proxy.model import (
    Authenticated,
    Identity,
    NotPresented,
    Outcome,
    Refusal,
    Rejected,
    Request,
)
from sso_proxy.net.named_keys import NamedKeys
from sso_proxy.specs.jose.alb import (
    AlbRules,
    AlbToken,
    check_alb_header,
    public_keys_url,
    read_alb_claims,
    read_alb_token,
    read_expiry,
)
from sso_proxy.specs.jose.keys import VerificationKey
from sso_proxy.specs.oauth.claims import read_subject
from sso_proxy.specs.oauth.confirmation import read_confirmation

HEADER: Final = "x-amzn-oidc-data"

_NOT_PRESENTED: Final = NotPresented()


def _arn(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse what is no load balancer's ARN."""
    public_keys_url(value)


def _base(instance: object, attribute: Attribute, value: str | None) -> None:
    """Refuse URLs whose answers anybody on the way could write."""
    if value is None:
        return
    secure_url(instance, attribute, value)
    if "?" in value or not value.endswith("/"):
        raise ValueError("must end with a slash: the key's name is put after it")


@attrs.frozen(kw_only=True)
class AwsAlbConfig:
    """
    The ``aws_alb`` authenticator's part of the configuration file.

    Attributes:
        signer: The ARN of the one application load balancer whose tokens are good.
        issuer: The ``iss`` that its tokens must have, octet by octet; unset, any of the
            identity providers that it is set up with.
        client: The ``client`` that its tokens must have; unset, any.
        keys: Where the keys of the region's load balancers are, up to the key's name,
            with a slash at the end; unset, what AWS says for the region of ``signer``.
            Has to be set for GovCloud and China.
        trusted_peers_only: Refuse the header from peers that are not among
            ``server.trusted_proxies``.  Without this, whoever gets hold of a header
            is its user until it expires.
        leeway: Seconds that the load balancer's clock may differ from ours.
        max_token_bytes: Octets of a token.
    """

    signer: str = attrs.field(validator=[non_empty, _arn])
    issuer: str | None = None
    client: str | None = None
    keys: str | None = attrs.field(default=None, validator=_base)
    trusted_peers_only: bool = True
    leeway: float = attrs.field(default=10.0, validator=between(0, 300))
    max_token_bytes: int = attrs.field(default=16384, validator=between(256, 65536))

    def __attrs_post_init__(self) -> None:
        """Refuse regions whose keys are at a place of their own."""
        if self.keys is None and public_keys_url(self.signer) is None:
            raise ValueError("needs keys: this region's are not where others have them")

    @property
    def keys_url(self) -> str:
        """Give where the keys are."""
        return self.keys or public_keys_url(self.signer) or ""


@implementer(IAuthenticator)
class AwsAlbAuthenticator:
    """
    Believes what one load balancer says about the user that it has logged in.

    The load balancer takes the fields from what clients send, and puts in its own; so
    they count only from peers that are trusted to be it.  The signature says that it
    was a load balancer of the region, ``signer`` which one.

    What it says about the user is the issuer's word: the identity has this issuer.
    """

    config_class: ClassVar = AwsAlbConfig
    consumes: tuple[str, ...] = (
        HEADER,
        "x-amzn-oidc-identity",
        "x-amzn-oidc-accesstoken",
    )

    def __init__(self, config: AwsAlbConfig, tools: ITools, keys: NamedKeys) -> None:
        self._config = config
        self._name = tools.name
        self._clock = tools.clock
        self._keys = keys
        self._rules = AlbRules(
            signer=config.signer,
            issuer=config.issuer,
            client=config.client,
            leeway=config.leeway,
        )

    @classmethod
    def from_config(cls, config: AwsAlbConfig, tools: ITools) -> Self:
        """Make the authenticator that *config* describes."""
        url, client = config.keys_url, tools.http_client
        keys = tools.shared(
            ("named-keys", url, client), lambda: NamedKeys(url, client, tools.clock)
        )
        return cls(config, tools, keys)

    async def authenticate(self, request: Request) -> Outcome:
        """
        Say whom the load balancer has logged in.

        Raises:
            UnavailableError: Its key cannot be had.
        """
        values = request.head.values(HEADER)
        if not values:
            return _NOT_PRESENTED
        if self._config.trusted_peers_only and not request.client.trusted:
            return Rejected(
                reason="alb-untrusted-peer",
                detail=f"{HEADER} from a peer that is none of server.trusted_proxies",
            )
        if len(values) != 1:
            return Rejected(status=400, reason="alb-repeated", detail=f"two {HEADER}")
        try:
            token = read_alb_token(values[0], max_bytes=self._config.max_token_bytes)
            check_alb_header(token, self._rules, self._clock.time())
            return self._identify(token, await self._keys.key(token.kid))
        except TokenError as e:
            # Another load balancer's may be another authenticator's.
            final = e.reason not in {"token-signer", "token-issuer", "token-client"}
            return Rejected(reason=e.reason, detail=e.detail, final=final)

    def challenge(self, request: Request) -> None:
        """Ask for nothing: to log in is between the browser and the load balancer."""

    def refusal(self, request: Request, refusal: Refusal) -> None:
        """Say nothing more than the status does."""

    def _identify(self, token: AlbToken, key: VerificationKey) -> Outcome:
        """Check the signature of *token*, and say who it is about."""
        claims = read_alb_claims(token, key)
        expires = token.expires
        if "exp" in claims:
            expires = min(expires, read_expiry(claims))
        if self._clock.time() >= expires + self._config.leeway:
            raise TokenError("exp is over", reason="token-expired")
        return Authenticated(
            Identity(
                issuer=token.issuer,
                subject=read_subject(claims),
                authenticator=self._name,
                claims=MappingProxyType(claims),
                confirmation=read_confirmation(claims),
                expires=expires,
            )
        )
