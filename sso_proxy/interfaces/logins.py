"""What has people log in with their browsers."""

from collections.abc import Mapping
from typing import Any

from zope.interface import Attribute, Interface

from sso_proxy.login import (
    Ended,
    Finished,
    FormAway,
    InFragment,
    LogoutNotice,
    OpenIdShown,
    PasswordForm,
    Question,
    Wanted,
    Watch,
    Wishes,
)
from sso_proxy.model import Refusal, Request, Response
from sso_proxy.session import Opened, Session


class ILogin(Interface):
    """
    An authenticator that has people log in; it provides `IAuthenticator`, too.

    In every method, ``request.sessions`` are the sessions that a login begins, and
    ``request.session`` is the browser's present one, or None.  Answers are values; a
    refusal without a body gets a page by its ``reason``.  Its codes for that:
    ``login-state`` (or more exactly ``login-no-cookie``, ``login-expired``,
    ``login-other-browser``): the browser did not bring what it was given at the start;
    ``login-denied``: the provider, or the user there, said no; ``login-refused``: what
    the provider sent is not good, and the log says why; ``provider-error``.

    UnavailableError means that nobody can log in there now (503).
    """

    title: str = Attribute("What people know it by, where they have a choice.")
    public_keys: tuple[Mapping[str, Any], ...] = Attribute(
        "The public keys (JWK) by which others know us, for ``jwks``; may be empty."
    )

    def takes_issuer(issuer: str) -> bool:
        """Say whether people may log in here at the provider *issuer*; asks nobody."""

    async def begin(
        request: Request, wanted: Wanted
    ) -> Response | Question | PasswordForm | FormAway:
        """
        Send the browser away to log in, and have it keep what `finish` needs.

        Or ask first at which provider that is to be; the answer comes with the next
        ``wanted``, as ``issuer`` or ``account``.  A form for a password goes to where
        browsers come back; `FormAway` goes to the provider instead of a redirect.
        """

    async def finish(
        request: Request,
    ) -> Finished | Response | InFragment | PasswordForm | OpenIdShown:
        """
        Answer a browser that came back, to ``callback/`` and our configured name.

        ``request.body`` reads what it posts, if it does.  What is in a fragment is
        posted to the same place by a page that is made for `InFragment`.
        """

    async def request_object(name: str) -> Response | None:
        """Give what a provider fetches at ``request/``, our name and *name*, if any."""


class ILoginWishes(Interface):
    """
    An authenticator whose logins can be asked for what a route wants.

    It provides `ILogin`, too, and goes by `Wanted.wishes`.
    """

    def check_wishes(wishes: Wishes) -> None:
        """
        Check what a route asks for.

        Raises:
            ValueError: Nobody can be asked that.
        """

    def lacks(session: Session, wishes: Wishes | None) -> Refusal | None:
        """
        Say what other login is needed if that of *session* was asked for less.

        None if it is enough for a route with these *wishes*, or with none.
        """


class ILogout(Interface):
    """
    An authenticator whose provider hears of a logout, or tells of one.

    It provides `ILogin`, too; one that provides only that has people log out here
    alone.  In every method, ``request.sessions`` are the sessions of its logins.
    """

    relies_on_notices: bool = Attribute(
        "Whether sessions that its provider could not end are refused at the start."
    )

    async def end(request: Request, session: Session, back: str) -> Ended:
        """
        Give back what the provider has given for *session*, which has ended here.

        Never fails: what cannot be done is unknown, and is done in bounded time.

        Args:
            request: The request by which somebody logs out.
            session: The session, one of this authenticator's.
            back: The URL (``logout/done``) to which the provider sends the browser.
        """

    def confirm(request: Request, kept: Mapping[str, Any]) -> bool:
        """Say whether *request*, for ``logout/done``, answers what `end` began."""

    async def front_channel(request: Request) -> LogoutNotice | Response:
        """
        Read what a provider has a browser ask at ``logout/frontchannel/``.

        A Response if it is not the provider's, or does not say who.
        """

    async def back_channel(request: Request) -> LogoutNotice | Response:
        """
        Read what a provider posts to ``logout/backchannel/``.

        A Response if it is not the provider's.

        Raises:
            UnavailableError: Nobody can tell now.
        """

    async def settled(notice: LogoutNotice) -> bool:
        """
        Note that what *notice* says is done; False if it was done before.

        After the sessions are ended, so that a provider may repeat what failed.

        Raises:
            UnavailableError: It cannot be noted.
        """


class IOpenIdLogin(Interface):
    """A login with an identifier that people type (OpenID 2.0); also an `ILogin`."""

    async def tell(
        request: Request, wanted: Wanted
    ) -> Response | Question | FormAway | None:
        """
        Have somebody prove which identifier is theirs, who then sees it and no more.

        No session begins, and nobody has to know it.  None if it is not offered.
        """

    def return_to(origin: str, endpoints: str) -> str:
        """Say where answers come back on one host, to providers that look it up."""


class IRefreshes(Interface):
    """An authenticator that can get new tokens for the sessions of its logins."""

    async def refresh(request: Request, session: Session, min_age: float) -> Opened:
        """
        Get new tokens for *session* if its access token is older than *min_age*.

        Many who ask at once, in whichever process, make one refresh, and a token is
        used for some seconds at least, whatever they want.  Nothing is done either
        where there is nothing to refresh with.

        Args:
            request: The request of who wants them.
            session: Its session.
            min_age: Seconds.

        Returns:
            The session as it is then; none if it is over by that.

        Raises:
            UnavailableError: There are none, now (503) or at all (502), and the session
                goes on with those that it has.
        """


class IWatched(Interface):
    """
    An authenticator whose provider tells pages whether its session is still the same.

    It provides `ILogin`, too.
    """

    async def watch(session: Session | None) -> Watch | None:
        """
        Say how a page watches *session*, one of its logins; None if it cannot.

        Without a session, what is the same for all; None where nothing is.

        Raises:
            UnavailableError: Nobody knows where the provider is.
        """
