"""The ``bearer`` authenticator: OAuth 2.0 access tokens (RFC 6750, RFC 9449)."""

from hashlib import sha256
from types import MappingProxyType
from typing import ClassVar, Final, Self

import attrs
from zope.interface import implementer

from sso_proxy.authn.bearer_config import BearerConfig
from sso_proxy.authn.bearer_parts import Parts, build_jwt_verifier, build_parts
from sso_proxy.authn.memory import Memory
from sso_proxy.authn.verifiers import Verified
from sso_proxy.authn.verifiers.jwt import is_jwt
from sso_proxy.errors import TokenError
from sso_proxy.interfaces import IAuthenticator, IHealth, ITakesTokens, ITools
from sso_proxy.model import (
    Authenticated,
    HeaderChallenge,
    Headers,
    Identity,
    NotPresented,
    Outcome,
    Refusal,
    Rejected,
    Request,
)
from sso_proxy.specs.http.parameters import is_form
from sso_proxy.specs.jose.keys import KeySet
from sso_proxy.specs.oauth.bearer import (
    STATUS,
    Credential,
    Scheme,
    challenge,
    read_credential,
)
from sso_proxy.specs.oauth.claims import read_scopes, read_subject
from sso_proxy.specs.oauth.confirmation import check_scheme, read_confirmation
from sso_proxy.specs.oauth.presentation import (
    STANDARD,
    Place,
    Presented,
    find_token,
    names_parameter,
    read_place,
)

_NOT_PRESENTED: Final = NotPresented()

_REMEMBER_BAD: Final = 10.0
"""Seconds that a token stays refused without another look."""

_REMEMBER_INACTIVE: Final = 5.0
"""Seconds that a token stays refused without asking its issuer again."""

_METHODS: Final = {"header": "header", "form": "body", "query": "query"}
"""Kinds of places, and what resource metadata calls them (RFC 9728 section 2)."""

_MOST_FORM: Final = 65536
"""Octets of a form in which a token is looked for."""

_MAY_BECOME_GOOD: Final = frozenset({"token-key-unknown", "token-early"})

_NOT_OURS: Final = frozenset(
    {
        *(
            "token-issuer",
            "token-opaque",
            "token-inactive",
            "token-encrypted",
            "token-decryption",
        ),
        *("token-key-unknown", "token-alg", "token-signature", "token-audience"),
    }
)
"""Reasons that leave a token to the next authenticator of a route: it is another
issuer's, or the same issuer has other keys or names there."""

_PRIVATE: Final[Headers] = (("cache-control", "private"),)
"""Tells shared caches what a token outside of Authorization does not (RFC 6750 2.3)."""

_DESCRIPTIONS: Final = {
    "invalid_request": "one token, in one place, as RFC 6750 says",
    "invalid_token": "the access token is not valid here",
}


@implementer(IAuthenticator, IHealth, ITakesTokens)
class BearerAuthenticator:
    """
    Believes access tokens that its issuer made for its audience.

    What was found out is remembered under the hash of scheme and token, inside this
    object: a token that another authenticator verified, with other rules, is unknown
    here.  It is forgotten when the token expires, or a key is withdrawn.

    A ``cnf`` claim becomes the identity's confirmation; the pipeline has it satisfied.
    """

    config_class: ClassVar = BearerConfig

    def __init__(self, config: BearerConfig, tools: ITools, parts: Parts) -> None:
        self._config = config
        self._name = tools.name
        self._clock = tools.clock
        self._source = parts.source
        self._parts = parts
        self._jwt = build_jwt_verifier(config, tools, parts, self._adopt)
        self._opaque = parts.opaque
        self._keys: KeySet | None = None
        self._signed = Memory(config.cache_entries)
        self._told = Memory(config.cache_entries)
        self._places = tuple(read_place(text) for text in config.token_in)
        self._plain = self._places == (STANDARD,)
        self.consumes = () if config.forward_token else _consumed(self._places)
        self.reads_query = any(place.kind == "query" for place in self._places)
        self.reads_form = any(place.kind == "form" for place in self._places)
        self.issuers = (config.issuer,)
        kinds = {place.kind for place in self._places}
        bearer = challenge(realm=config.realm)
        basic = ("Basic" + bearer.removeprefix("Bearer"),) if "basic" in kinds else ()
        self._challenge = HeaderChallenge((bearer, *basic))
        self.bearer_methods = tuple(m for k, m in _METHODS.items() if k in kinds)

    @classmethod
    def from_config(cls, config: BearerConfig, tools: ITools) -> Self:
        """
        Make the authenticator that *config* describes.

        Raises:
            ConfigError: A key, or what the issuer is asked with, cannot be used.
        """
        return cls(config, tools, build_parts(config, tools))

    async def authenticate(self, request: Request) -> Outcome:
        """
        Say whose token *request* has.

        Raises:
            BadMessageError: There are two readings of where a token stands, or the
                form that it may stand in is longer than 65,536 octets.
            UnavailableError: Nobody can say now whether it is good.
        """
        head = request.head
        values = head.values("authorization")
        name = missed = None
        if (
            self._plain
            and len(values) == 1
            and (head.query is None or not names_parameter(head.query))
        ):
            name = sha256(values[0].encode()).digest()
            outcome = self._signed.get(name, self._clock.time())
            if outcome is not None and self._source.current() is self._keys:
                return outcome
            missed = name
        found: Credential | Presented | None
        try:
            if name is not None:  # no token can stand anywhere else
                found = read_credential(values)
            else:
                form = await self._form(request) if self.reads_form else None
                found = find_token(head, self._places, form)
        except TokenError as e:
            return self._refuse(e, "Bearer")
        if found is None:
            return _NOT_PRESENTED
        if name is None or not values[0].startswith(found.scheme):  # but "dpop"
            name = sha256(f"{found.scheme} {found.token}".encode()).digest()
        new = name is missed
        outcome = await self._judge(found.scheme, found.token, name, new=new)
        shielded = isinstance(found, Credential) or found.place.shielded
        if isinstance(outcome, Authenticated) and not shielded:
            return attrs.evolve(outcome, headers=_PRIVATE)
        return outcome

    def challenge(self, request: Request) -> HeaderChallenge:  # noqa: ARG002
        """Ask for a token."""
        return self._challenge

    def refusal(self, request: Request, refusal: Refusal) -> HeaderChallenge | None:
        """Say what is wrong with a token that is good as such."""
        value = challenge(
            _scheme_of(request),
            refusal.error,
            _DESCRIPTIONS.get(refusal.error),
            refusal.scope,
            realm=self._config.realm,
            acr_values=refusal.acr_values,
            max_age=refusal.max_age,
        )
        return HeaderChallenge((value,))

    async def warm(self) -> None:
        """Prepare for the first token; a failure is only logged."""
        for part in self._parts.healthy:
            await part.warm()

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing."""
        found = [await part.probe() for part in self._parts.healthy]
        return tuple(line for lines in found for line in lines)

    async def _form(self, request: Request) -> str | None:
        """Give the content of a form (RFC 6750 section 2.2)."""
        head = request.head
        if request.body is None or head.method != "POST" or not is_form(head):
            return None
        return (await request.body.read(_MOST_FORM)).decode("latin-1")

    async def _judge(
        self, scheme: Scheme, token: str, name: bytes, *, new: bool
    ) -> Outcome:
        """
        Find out about a token, unless that is remembered under *name*.

        Args:
            scheme: What it was presented with.
            token: The token.
            name: The hash of both.
            new: It was looked for among the signed ones.
        """
        now = self._clock.time()
        outcome = None if new else self._signed.get(name, now)
        if outcome is not None and self._source.current() is self._keys:
            return outcome
        by_signature = self._jwt is not None and is_jwt(token)
        verifier = self._jwt if by_signature else self._opaque
        memory = self._signed if by_signature else self._told
        if not by_signature:
            outcome = memory.get(name, now)
            if outcome is not None:
                return outcome
        if verifier is None:
            return self._refuse(TokenError("no JWT", reason="token-opaque"), scheme)
        try:
            verified = await verifier.verify(token)
            outcome = self._identify(scheme, token, verified)
        except TokenError as e:
            rejected = self._refuse(e, scheme)
            if e.reason not in _MAY_BECOME_GOOD:
                keep = _REMEMBER_INACTIVE if verifier is self._opaque else _REMEMBER_BAD
                memory.put(name, rejected, self._clock.time() + keep)
            return rejected
        memory.put(name, outcome, verified.until)
        return outcome

    def _identify(
        self, scheme: Scheme, token: str, verified: Verified
    ) -> Authenticated:
        """Make an identity of what was found out."""
        claims = MappingProxyType(dict(verified.claims))
        confirmation = read_confirmation(claims)
        check_scheme(scheme, confirmation)
        identity = Identity(
            issuer=self._config.issuer,
            subject=read_subject(claims, self._config.subject),
            authenticator=self._name,
            claims=claims,
            scopes=read_scopes(claims),
            confirmation=confirmation,
            expires=verified.expires,
            token=token,
            sources={"token": claims},
        )
        return Authenticated(identity, until=verified.until)

    def _refuse(self, error: TokenError, scheme: Scheme) -> Rejected:
        """Make the answer to a bad credential."""
        description = _DESCRIPTIONS[error.error]
        if error.reason == "token-expired":
            description = "the access token has expired"
        value = challenge(scheme, error.error, description, realm=self._config.realm)
        return Rejected(
            status=STATUS[error.error],
            reason=error.reason,
            detail=error.detail,
            challenge=HeaderChallenge((value,)),
            final=error.reason not in _NOT_OURS,
        )

    def _adopt(self, keys: KeySet) -> None:
        """Use *keys*, and forget what others said that are not there any more."""
        if keys is not self._keys:
            if self._keys is not None and not keys.abilities >= self._keys.abilities:
                self._signed.forget_good()
            self._signed.forget_bad()
            self._keys = keys


def _consumed(places: tuple[Place, ...]) -> tuple[str, ...]:
    """Give what holds tokens, and proofs that belong to them, as `consumes` has it."""
    begin = {"query": "?", "cookie": "cookie:", "form": "form:"}
    names = [begin.get(place.kind, "") + place.name for place in places]
    return (*dict.fromkeys(names), "dpop")


def _scheme_of(request: Request) -> Scheme:
    """Give the scheme that a token was presented with."""
    values = request.head.values("authorization")
    return "DPoP" if values and values[0][:5].lower() == "dpop " else "Bearer"
