"""Binding to a key that each request proves: the ``cnf`` member ``jkt`` (RFC 9449)."""

from collections.abc import Mapping
from typing import ClassVar, Final, Literal, Self

import attrs
from zope.interface import implementer

from sso_proxy.config.checks import Attribute, between, non_empty
from sso_proxy.config.protocol_checks import one_of
from sso_proxy.errors import TokenError
from sso_proxy.interfaces import IBinding, ICache, IClock, ISealer, ITools
from sso_proxy.model import Bound, HeaderChallenge, Headers, Identity, Request, Unbound
from sso_proxy.specs.http.authority import DEFAULT_PORTS
from sso_proxy.specs.http.uri import build_origin, read_origin
from sso_proxy.specs.jose.strict import decode_base64url, encode_base64url
from sso_proxy.specs.oauth.bearer import challenge
from sso_proxy.specs.oauth.confirmation import KEY_MEMBER
from sso_proxy.specs.oauth.dpop import (
    PROOF_ALGORITHMS,
    Accepted,
    ProofError,
    ProofRules,
    check_proof,
    read_proof,
)

PURPOSE: Final = "dpop"
"""Of the marks of used proofs in a cache."""

_MAX_NONCE: Final = 512
"""Characters of a nonce of ours at most, and more than there ever are."""

_DESCRIPTIONS: Final = {
    "invalid_dpop_proof": "the DPoP proof is not good for this request",
    "use_dpop_nonce": "the DPoP proof needs the nonce in DPoP-Nonce",
    "invalid_token": "the access token is not bound to a key",
}


def _origins(
    _instance: object, _attribute: Attribute, value: Mapping[str, str]
) -> None:
    """Refuse what is no origin."""
    for text in value.values():
        try:
            read_origin(text)
        except ValueError as e:
            raise ValueError(
                f"{text!r} cannot be used: {e}; write 'https://api.example.com', with"
                " the port if clients name one"
            ) from e


@attrs.frozen(kw_only=True)
class DpopBindingConfig:
    """
    How proofs are checked where tokens are bound to keys by DPoP (RFC 9449).

    Attributes:
        algorithms: Signature algorithms of proofs.
        max_age: Seconds after it was made that a proof is good for.
        leeway: Seconds that clients' clocks may differ from ours.
        nonce: ``required`` has clients put a nonce of ours into their proofs, so that
            none can be made ahead, and the client's clock does not matter; ``off``
            goes by the proof's own time.  Nonces need a key ring.
        nonce_lifetime: Seconds that a nonce is good for; past half of it, clients get
            a new one with the answer.
        cache: The cache in which used proofs are marked; unset, the default one.
        origins: What clients call this server (``https://api.example.com:8443``) by
            the host that their requests name when they get here, or ``*`` for any:
            only where that is another, or another port, behind a load balancer.
    """

    algorithms: tuple[str, ...] = attrs.field(
        default=("ES256", "ES384", "PS256", "RS256", "EdDSA"),
        validator=[non_empty, one_of(PROOF_ALGORITHMS)],
    )
    max_age: float = attrs.field(default=60.0, validator=between(1, 3600))
    leeway: float = attrs.field(default=10.0, validator=between(0, 300))
    nonce: Literal["off", "required"] = "off"
    nonce_lifetime: float = attrs.field(default=300.0, validator=between(10, 86400))
    cache: str | None = None
    origins: Mapping[str, str] = attrs.field(factory=dict, validator=_origins)


class Nonces:
    """
    Sealed points in time (RFC 9449 section 9): there is nothing to remember.

    Every worker, and every machine with the same key ring, knows the others' nonces.
    """

    def __init__(self, sealer: ISealer) -> None:
        self._sealer = sealer

    def make(self, now: float) -> str:
        """Make the nonce of the time *now*, in seconds since the epoch."""
        sealed = self._sealer.seal(int(now * 1000).to_bytes(8, "big"))
        return encode_base64url(sealed)

    def time(self, nonce: str) -> float | None:
        """Give when *nonce* was made; None if it is none of ours."""
        if len(nonce) > _MAX_NONCE or not nonce.isascii():
            return None
        try:
            sealed = decode_base64url(nonce.encode("ascii"))
        except TokenError:
            return None
        opened = self._sealer.open(sealed)
        return None if opened is None else int.from_bytes(opened, "big") / 1000


@implementer(IBinding)
class DpopBinding:
    """
    Believes that a caller holds the key in the token who signed this very request.

    A proof is good once: those that were used are marked in a cache that all workers
    share, until their time is over.  If it is down, nothing is let through.

    Attributes:
        algorithms: For challenges and metadata.
    """

    config_class: ClassVar = DpopBindingConfig
    kind = "dpop"
    once = True
    members = frozenset({KEY_MEMBER})

    def __init__(
        self,
        config: DpopBindingConfig,
        *,
        clock: IClock,
        cache: ICache,
        nonces: Nonces | None,
    ) -> None:
        self.algorithms = config.algorithms
        self._rules = ProofRules(
            algorithms=frozenset(config.algorithms),
            max_age=config.max_age,
            leeway=config.leeway,
            nonce_lifetime=config.nonce_lifetime,
        )
        self._origins = {
            host: read_origin(text) for host, text in config.origins.items()
        }
        self._clock = clock
        self._cache = cache
        self._nonces = nonces

    @classmethod
    def from_config(cls, config: DpopBindingConfig, tools: ITools) -> Self:
        """
        Make the binding that *config* describes.

        Raises:
            ConfigError: There is no such cache, it cannot mark used proofs, or there
                is no key ring for nonces.
        """
        nonces = None
        if config.nonce == "required":
            nonces = Nonces(tools.sealer("dpop-nonce"))
        cache = tools.cache(config.cache, frozenset({"mark"}))
        return cls(config, clock=tools.clock, cache=cache, nonces=nonces)

    async def check(
        self, request: Request, identity: Identity
    ) -> Unbound | Bound | None:
        """
        Say why *identity* may not be used for this request, or None.

        Raises:
            UnavailableError: Whether the proof was used before cannot be found out.
        """
        now = self._clock.time()
        try:
            accepted = self._accept(request, identity, now)
        except TokenError as e:
            return self._unbound(e.error, e.reason, e.detail, now)
        # A machine whose clock is behind would still take the proof for a while.
        ttl = accepted.until - now + self._rules.leeway
        if not await self._cache.mark(PURPOSE, accepted.mark, ttl):
            reason, detail = "dpop-replayed", "the proof was used before"
            return self._unbound("invalid_dpop_proof", reason, detail, now)
        age = accepted.nonce_age
        if age is not None and age > self._rules.nonce_lifetime / 2:
            # A stored answer would hand out old nonces (section 8.2).
            return Bound((*self._nonce_fields(now), ("cache-control", "no-store")))
        return None

    def origin_of(self, request: Request) -> str | None:
        """
        Give the origin that the client of *request* addresses.

        Never what ``Host`` says alone: whoever gets hold of a proof that was made for
        another server could name that one here.

        Returns:
            None if the port that the request names is none of ours.
        """
        head = request.head
        origin = self._origins.get(head.host) or self._origins.get("*")
        if origin is None and head.port in (
            DEFAULT_PORTS[head.scheme],
            request.listener_port,
        ):
            origin = build_origin(head.scheme, head.host, head.port)
        return origin

    def _accept(self, request: Request, identity: Identity, now: float) -> Accepted:
        """Check all but whether the proof was used before."""
        if KEY_MEMBER not in identity.confirmation:
            raise TokenError("bound to no key", reason="not-dpop-bound")
        if not identity.token:
            raise TokenError("there is no token to prove", reason="dpop-no-token")
        proof = read_proof(request.head.values("dpop"))
        origin = self.origin_of(request)
        if origin is None:
            raise ProofError(
                "the request names a port that is none of ours; if clients do reach us"
                " there, say so in binding.dpop.origins",
                reason="dpop-origin",
            )
        return check_proof(
            proof,
            method=request.head.method,
            uri=origin + (request.path_asked or request.head.path),
            token=identity.token,
            jkt=identity.confirmation[KEY_MEMBER],
            now=now,
            rules=self._rules,
            nonce_time=None if self._nonces is None else self._nonces.time,
        )

    def _unbound(self, error: str, reason: str, detail: str, now: float) -> Unbound:
        """Make the answer to a bad proof (section 7.1), with a nonce if wanted."""
        value = challenge("DPoP", error, _DESCRIPTIONS[error], algs=self.algorithms)
        return Unbound(
            reason=reason,
            detail=detail,
            challenge=HeaderChallenge((value,), self._nonce_fields(now)),
        )

    def _nonce_fields(self, now: float) -> Headers:
        if self._nonces is None:
            return ()
        return (("dpop-nonce", self._nonces.make(now)),)
