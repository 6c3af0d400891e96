"""
The ``oidc`` authenticator: people log in with their browser at an OpenID Provider.

OpenID Connect Core 1.0, by the code flow, as `OidcConfig` describes it.  A login begins
in `sso_proxy.authn.oidc_begin` and ends in `sso_proxy.authn.oidc_finish`; from then on
the session says who it is, and nobody is asked but for new tokens, before they expire
(`sso_proxy.authn.oidc_refresh`).
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

from zope.interface import implementer

from sso_proxy.authn.oidc_backchannel import BackChannel
from sso_proxy.authn.oidc_begin import Beginner
from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.authn.oidc_finish import Finisher
from sso_proxy.authn.oidc_frontchannel import FrontChannel
from sso_proxy.authn.oidc_identity import Identifier
from sso_proxy.authn.oidc_logout import Leaver
from sso_proxy.authn.oidc_parts import Parts, build_parts
from sso_proxy.authn.oidc_refresh import REFUSED, Refresher
from sso_proxy.authn.oidc_watch import Watcher
from sso_proxy.authn.oidc_wishes import Asked, check_wishes, lacks, refusal_of
from sso_proxy.interfaces import (
    IAuthenticator,
    IHealth,
    ILogin,
    ILoginWishes,
    ILogout,
    INoted,
    IRefreshes,
    ITools,
    IWatched,
)
from sso_proxy.login import (
    Ended,
    Finished,
    InFragment,
    LogoutNotice,
    Wanted,
    Watch,
    Wishes,
)
from sso_proxy.model import (
    WARNING,
    Authenticated,
    HeaderChallenge,
    NotPresented,
    Outcome,
    Refusal,
    Request,
    Response,
)
from sso_proxy.session import Opened, Session
from sso_proxy.specs.oidc.issuers import is_issuer

_NOT_PRESENTED: Final = NotPresented()


@implementer(
    IAuthenticator,
    ILogin,
    ILoginWishes,
    ILogout,
    IHealth,
    INoted,
    IRefreshes,
    IWatched,
)
class OidcAuthenticator:
    """
    Has people log in at one provider, and goes by their sessions.

    Args:
        parts: What it is made of.
    """

    config_class: ClassVar = OidcConfig
    consumes: ClassVar[tuple[str, ...]] = ()
    reads_session: ClassVar = True

    def __init__(self, parts: Parts) -> None:
        config = parts.config
        identifier = Identifier(parts)
        self._name = parts.name
        self._provider = parts.provider
        self._config = config
        self._defaults = Asked.by(config)
        self._beginner = Beginner(parts)
        self._finisher = Finisher(parts, identifier)
        self._leaver = Leaver(parts)
        self._refresher = Refresher(
            identifier.of_refresh, config.refresh_failed, parts.clock
        )
        self._back_channel = BackChannel(parts, identifier)
        self._front_channel = FrontChannel(parts)
        self._watcher = Watcher(parts)
        self.relies_on_notices = config.backchannel_logout == "on"
        self.title = config.title or parts.name
        self.notes = tuple(f"authenticator.{parts.name}: {n}" for n in config.notes)
        self.public_keys: tuple[Mapping[str, Any], ...] = parts.keys.public

    @classmethod
    def from_config(cls, config: OidcConfig, tools: ITools) -> Self:
        """
        Make the authenticator that *config* describes.

        Raises:
            ConfigError: A key, a secret or a URL cannot be used.
        """
        return cls(build_parts(config, tools))

    async def authenticate(self, request: Request) -> Outcome:
        """
        Say whose session it is.

        Raises:
            UnavailableError: Its tokens have expired, and no new ones can be had.
        """
        session = request.session
        if session is None or session.identity.authenticator != self._name:
            return _NOT_PRESENTED
        if self._refresher.is_due(session) or REFUSED in session.data:
            return await self._refresher.authenticate(request, session)
        until = session.data.get("refresh_at")
        if until is None or "refresh_token" not in session.data:
            return Authenticated(session.identity)
        return Authenticated(session.identity, until=until)

    def challenge(self, request: Request) -> HeaderChallenge | None:
        """Say nothing: whoever looks at a page is sent to log in, and no program is."""
        del request
        return None

    def refusal(self, request: Request, refusal: Refusal) -> HeaderChallenge | None:
        """Say nothing, likewise."""
        del request, refusal
        return None

    async def refresh(
        self, request: Request, session: Session, min_age: float
    ) -> Opened:
        """
        Get new tokens if those of *session* are older.

        Raises:
            UnavailableError: There are none, and it goes on with those that it has.
        """
        return await self._refresher.refresh(request, session, min_age)

    def takes_issuer(self, issuer: str) -> bool:
        """Say whether *issuer* is our provider, or a tenant of it that is let in."""
        return is_issuer(issuer, self._config.issuer, self._config.tenants)

    def check_wishes(self, wishes: Wishes) -> None:
        """
        Check what a route asks for.

        Raises:
            ValueError: No provider can be asked that.
        """
        check_wishes(wishes)

    def lacks(self, session: Session, wishes: Wishes | None) -> Refusal | None:
        """Say which other login is needed if that of *session* is not enough."""
        asked = Asked.by(self._config, wishes)
        leeway = self._config.leeway
        return (
            refusal_of(asked) if lacks(session, asked, self._defaults, leeway) else None
        )

    async def begin(self, request: Request, wanted: Wanted) -> Response:
        """
        Send the browser to the provider.

        Raises:
            UnavailableError: The provider is down, or nobody knows where it is.
        """
        return await self._beginner.begin(request, wanted)

    async def finish(self, request: Request) -> Finished | Response | InFragment:
        """
        Answer a browser that came back.

        Raises:
            UnavailableError: The provider is down.
        """
        return await self._finisher.finish(request)

    async def opens(self, response: str) -> bool:
        """
        Say whether *response* is a signed answer of the provider to us, or was once.

        Raises:
            UnavailableError: The provider's keys cannot be had.
        """
        return await self._finisher.opens(response)

    async def request_object(self, name: str) -> Response | None:
        """Give a signed request that the provider fetches."""
        return await self._beginner.request_object(name)

    async def end(self, request: Request, session: Session, back: str) -> Ended:
        """Give tokens back, and say where the browser logs out at the provider."""
        del request
        return await self._leaver.end(session, back)

    def confirm(self, request: Request, kept: Mapping[str, Any]) -> bool:
        """Say whether the provider has sent the browser back after a logout."""
        return self._leaver.confirm(request, kept)

    async def front_channel(self, request: Request) -> LogoutNotice | Response:
        """
        Read what the provider has a browser ask.

        Raises:
            UnavailableError: Nobody knows where the provider is.
        """
        return await self._front_channel.read(request)

    async def back_channel(self, request: Request) -> LogoutNotice | Response:
        """
        Read what the provider posts.

        Raises:
            UnavailableError: The provider's keys cannot be had, or our store is down.
        """
        return await self._back_channel.read(request)

    async def settled(self, notice: LogoutNotice) -> bool:
        """
        Note that what the provider said is done; False if it was before.

        Raises:
            UnavailableError: It cannot be noted.
        """
        return await self._back_channel.settle(notice)

    async def watch(self, session: Session | None) -> Watch | None:
        """
        Say how a page watches *session*; None if the provider has nothing for that.

        Raises:
            UnavailableError: Nobody knows where the provider is.
        """
        return await self._watcher.watch(session)

    async def warm(self) -> None:
        """Prepare for the first login; a failure is only logged."""
        await self._provider.warm()

    async def probe(self) -> tuple[str, ...]:
        """
        Say what is missing.

        It is no reason to send requests elsewhere: sessions go on without the provider.
        """
        lines = await self._provider.probe()
        return tuple(WARNING + line.removeprefix(WARNING) for line in lines)
