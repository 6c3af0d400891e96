"""
The ``openid2`` authenticator: people log in with an OpenID (OpenID Authentication 2.0).

Whoever controls an identifier, a URL, names the provider at which they log in, and the
mappers of the configuration know whose it is here.  A provider's answer is looked at
where a login began, in the same browser: one that nobody asked for logs nobody in.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

from zope.interface import implementer

from sso_proxy.authn.openid2_begin import Beginner
from sso_proxy.authn.openid2_config import OpenId2Config
from sso_proxy.authn.openid2_finish import Finisher
from sso_proxy.authn.openid2_parts import Parts, build_parts
from sso_proxy.interfaces import (
    IAuthenticator,
    IHealth,
    ILogin,
    ILoginWishes,
    INoted,
    IOpenIdLogin,
    ITools,
)
from sso_proxy.login import Finished, FormAway, OpenIdShown, Question, Wanted, Wishes
from sso_proxy.model import (
    Authenticated,
    Headers,
    NotPresented,
    Outcome,
    Refusal,
    Request,
    Response,
)
from sso_proxy.session import Session

_NOT_PRESENTED: Final = NotPresented()
_NO_STORE: Final = ("cache-control", "no-store")


@implementer(IAuthenticator, IHealth, ILogin, ILoginWishes, INoted, IOpenIdLogin)
class OpenId2Authenticator:
    """
    Has people log in with an OpenID, and goes by their sessions.

    Args:
        parts: Its parts.
    """

    config_class: ClassVar = OpenId2Config
    reads_session: ClassVar = True
    public_keys: tuple[Mapping[str, Any], ...] = ()

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._config = parts.config
        self._beginner = Beginner(parts)
        self._finisher = Finisher(parts)
        self._issuers = frozenset(
            each
            for each in (parts.config.provider, *parts.config.choices.values())
            if each is not None
        )
        self.notes = tuple(
            f"authenticator.{parts.name}: {n}" for n in self._config.notes
        )
        self.title = parts.config.title or parts.name
        # The client's own must not reach a backend that believes this one.
        sends = parts.config.backend_password is not None
        self.consumes: tuple[str, ...] = ("authorization",) if sends else ()

    @classmethod
    def from_config(cls, config: OpenId2Config, tools: ITools) -> Self:
        """
        Make the authenticator that *config* describes.

        Raises:
            ConfigError: A mapper, a cache or a file cannot be used.
        """
        return cls(build_parts(config, tools))

    async def authenticate(self, request: Request) -> Outcome:
        """Say whose session it is."""
        session = request.session
        if session is None or session.identity.authenticator != self._parts.name:
            return _NOT_PRESENTED
        if self._config.backend_password is None:
            return Authenticated(session.identity)
        return Authenticated(session.identity, backend=await self._backend(session))

    def challenge(self, request: Request) -> None:
        """Say nothing: whoever looks at a page is sent to log in, and no program is."""

    def refusal(self, request: Request, refusal: Refusal) -> None:
        """Say nothing, likewise."""

    def takes_issuer(self, issuer: str) -> bool:
        """Say whether it is the identifier of a provider of the configuration."""
        return issuer in self._issuers

    def check_wishes(self, wishes: Wishes) -> None:
        """
        Check what a route asks for.

        Raises:
            ValueError: The protocol has no words for it.
        """
        if wishes.acr_values is not None or wishes.max_age is not None:
            raise ValueError("acr_values and max_age are nothing that OpenID 2.0 has")
        if wishes.claims is not None or wishes.resource is not None:
            raise ValueError("claims and resource are for OpenID Connect")
        if wishes.prompt not in (None, ("none",)):
            raise ValueError("prompt can only be 'none'")

    def lacks(self, session: Session, wishes: Wishes | None) -> None:
        """Say that nothing is: all logins are alike."""

    async def begin(
        self, request: Request, wanted: Wanted
    ) -> Response | Question | FormAway:
        """
        Send the browser to a provider, or ask for an identifier.

        Raises:
            UnavailableError: The provider of all is down, or the cache.
        """
        if wanted.acr_values or wanted.max_age is not None:
            # Another login would end like the one before, again and again.
            return Response(status=403, reason="login-context", headers=(_NO_STORE,))
        return await self._beginner.begin(request, wanted)

    async def finish(self, request: Request) -> Finished | Response | OpenIdShown:
        """
        Answer a browser that came back.

        Raises:
            UnavailableError: The provider is down, or the cache, or a mapper.
        """
        return await self._finisher.finish(request)

    async def probe(self) -> tuple[str, ...]:
        """Say that nothing is missing: whoever is asked is asked at a login."""
        return ()

    async def request_object(self, name: str) -> None:
        """Give none."""

    async def tell(
        self, request: Request, wanted: Wanted
    ) -> Response | Question | FormAway | None:
        """
        Have somebody prove which identifier is theirs, who is only told it.

        Raises:
            UnavailableError: The provider of all is down, or the cache.
        """
        if not self._config.shows_identifier:
            return None
        return await self._beginner.begin(request, wanted, tells=True)

    def return_to(self, origin: str, endpoints: str) -> str:
        """Say where answers come back on one host."""
        return f"{origin}{endpoints}callback/{self._parts.name}"

    async def _backend(self, session: Session) -> Headers:
        """Give what the backend takes for a login: a name, and everybody's password."""
        password = self._config.backend_password
        user = await self._parts.user_of(session.identity)
        if password is None or user is None or ":" in user:
            return ()
        pair = f"{user}:{password.reveal()}".encode()
        return (("Authorization", f"Basic {b64encode(pair).decode()}"),)
