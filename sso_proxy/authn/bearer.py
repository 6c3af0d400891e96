"""The ``bearer`` authenticator: signed JWT access tokens (RFC 6750, RFC 9068)."""

from collections import OrderedDict
from hashlib import sha256
from types import MappingProxyType
from typing import ClassVar, Final, Self

from zope.interface import implementer

from sso_proxy.authn.bearer_config import BearerConfig, read_keys
from sso_proxy.errors import TokenError
from sso_proxy.interfaces import IAuthenticator, IHealth, ITools
from sso_proxy.model import (
    Authenticated,
    HeaderChallenge,
    Identity,
    NotPresented,
    Outcome,
    Refusal,
    Rejected,
    Request,
)
from sso_proxy.net.jwks import FixedKeys, JwksSource
from sso_proxy.specs.jose.compact import CompactJws, split_compact
from sso_proxy.specs.jose.keys import KeySet, UnknownKeyError
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.jose.verify import check_signature
from sso_proxy.specs.oauth.bearer import STATUS, challenge, read_credential
from sso_proxy.specs.oauth.claims import (
    check_claims,
    check_type,
    expiry,
    read_scopes,
)
from sso_proxy.specs.oauth.confirmation import read_confirmation

_NOT_PRESENTED: Final = NotPresented()

_REMEMBER_BAD: Final = 10.0
"""Seconds that a token stays refused without another look."""

_MAY_BECOME_GOOD: Final = frozenset({"token-key-unknown", "token-early"})

_DESCRIPTIONS: Final = {
    "invalid_request": "the Authorization field must be: Bearer, one space, the token",
    "invalid_token": "the access token is not valid here",
}


@implementer(IAuthenticator, IHealth)
class BearerAuthenticator:
    """
    Believes access tokens that its issuer signed for its audience.

    What was verified is remembered under the hash of the Authorization field, inside
    this object: a token that another authenticator verified, with other rules, is
    unknown here.  It is forgotten when the token expires, or a key is withdrawn.

    A ``cnf`` claim becomes the identity's confirmation; the pipeline has it satisfied.
    """

    config_class: ClassVar = BearerConfig
    consumes: tuple[str, ...] = ("authorization",)

    def __init__(
        self, config: BearerConfig, tools: ITools, source: JwksSource | FixedKeys
    ) -> None:
        self._config = config
        self._name = tools.name
        self._clock = tools.clock
        self._source = source
        self._keys: KeySet | None = None
        self._good = _Memory(config.cache_entries)
        self._bad = _Memory(min(config.cache_entries, 1024))
        self._challenge = HeaderChallenge((challenge(realm=config.realm),))

    @classmethod
    def from_config(cls, config: BearerConfig, tools: ITools) -> Self:
        """
        Make the authenticator that *config* describes.

        Raises:
            ConfigError: A key cannot be used.
        """
        if config.jwks_uri is not None:
            url, client = config.jwks_uri, tools.http_client
            source = tools.shared(
                ("jwks", url, client), lambda: JwksSource(url, client, tools.clock)
            )
            return cls(config, tools, source)
        return cls(config, tools, FixedKeys(read_keys(config)))

    async def authenticate(self, request: Request) -> Outcome:
        """
        Say whose token *request* has.

        Raises:
            UnavailableError: The issuer's keys cannot be had.
        """
        values = request.head.values("authorization")
        if len(values) == 1:
            name = sha256(values[0].encode()).digest()
            now = self._clock.time()
            outcome = self._good.get(name, now) or self._bad.get(name, now)
            if outcome is not None and await self._source.key_set() is self._keys:
                return outcome
        else:
            name = b""
        try:
            credential = read_credential(values)
            if credential is None or credential.scheme != "Bearer":
                return _NOT_PRESENTED
            jws = split_compact(
                credential.token, max_bytes=self._config.max_token_bytes
            )
            return await self._verify(jws, name)
        except TokenError as e:
            return self._refuse(e, name)

    def challenge(self, request: Request) -> HeaderChallenge:  # noqa: ARG002
        """Ask for a token."""
        return self._challenge

    def refusal(self, request: Request, refusal: Refusal) -> HeaderChallenge | None:  # noqa: ARG002
        """Say what is wrong with a token that is good as such."""
        value = challenge(
            "Bearer",
            refusal.error,
            _DESCRIPTIONS.get(refusal.error),
            refusal.scope,
            realm=self._config.realm,
            acr_values=refusal.acr_values,
            max_age=refusal.max_age,
        )
        return HeaderChallenge((value,))

    async def warm(self) -> None:
        """Fetch the keys ahead of the first token; a failure is only logged."""
        await self._source.warm()

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing."""
        return await self._source.probe()

    async def _verify(self, jws: CompactJws, name: bytes) -> Authenticated:
        """Check *jws* and remember it under *name*."""
        keys = self._adopt(await self._source.key_set())
        allowed = self._config.algorithms
        try:
            check_signature(jws, keys, algorithms=allowed)
        except UnknownKeyError:
            keys = self._adopt(await self._source.key_set_for_unknown())
            check_signature(jws, keys, algorithms=allowed)
        identity = self._identify(jws)
        outcome = Authenticated(identity)
        self._good.put(name, outcome, identity.expires or 0.0)
        return outcome

    def _identify(self, jws: CompactJws) -> Identity:
        """Check what a token with a right signature says."""
        config = self._config
        check_type(jws.header.typ, config.typ)
        claims = read_json_object(jws.payload)
        check_claims(
            claims,
            issuer=config.issuer,
            audiences=config.audience,
            now=self._clock.time(),
            leeway=config.leeway,
            required=config.required_claims,
        )
        return Identity(
            issuer=config.issuer,
            subject=claims["sub"],
            authenticator=self._name,
            claims=MappingProxyType(claims),
            scopes=read_scopes(claims),
            confirmation=read_confirmation(claims),
            expires=expiry(claims),
        )

    def _refuse(self, error: TokenError, name: bytes) -> Rejected:
        """Make the answer to a bad credential."""
        description = _DESCRIPTIONS[error.error]
        if error.reason == "token-expired":
            description = "the access token has expired"
        rejected = Rejected(
            status=STATUS[error.error],
            reason=error.reason,
            detail=error.detail,
            challenge=HeaderChallenge(
                (
                    challenge(
                        "Bearer", error.error, description, realm=self._config.realm
                    ),
                )
            ),
        )
        if name and error.reason not in _MAY_BECOME_GOOD:
            self._bad.put(name, rejected, self._clock.time() + _REMEMBER_BAD)
        return rejected

    def _adopt(self, keys: KeySet) -> KeySet:
        """Use *keys*, and forget what others said that are not there any more."""
        if keys is not self._keys:
            if self._keys is not None and not keys.abilities >= self._keys.abilities:
                self._good.clear()
            self._bad.clear()
            self._keys = keys
        return keys


class _Memory:
    """Outcomes under hashes; the one not used for longest goes first."""

    __slots__ = ("_entries", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[bytes, tuple[float, Outcome]] = OrderedDict()

    def get(self, name: bytes, now: float) -> Outcome | None:
        """Give the outcome under *name*, unless its time is over."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        if now >= entry[0]:
            del self._entries[name]
            return None
        self._entries.move_to_end(name)
        return entry[1]

    def put(self, name: bytes, outcome: Outcome, until: float) -> None:
        """Keep *outcome* until the clock says *until*."""
        self._entries[name] = (until, outcome)
        self._entries.move_to_end(name)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
