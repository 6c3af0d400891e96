"""What gives backends credentials of their own, and puts them where they look."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

from sso_proxy.model import Caller
from sso_proxy.token import Audience, NotIssued, Token

if TYPE_CHECKING:
    from sso_proxy.equipment import Equipment


class ITokenSource(Interface):
    """
    Gets a credential for one audience.

    Asked for every request that is not a repetition, so a source that asks others
    keeps what it got.  A decision is used again for the same bytes until the token
    expires; what the source depends on besides them (a certificate, a session) ends
    that by itself.
    """

    consumes: tuple[str, ...] = Attribute(
        "Where the credentials stand that tokens are made from, in the words of"
        " `IAuthenticator.consumes`: no backend gets them."
    )

    def check_audience(audience: Audience) -> None:
        """
        Check, when the configuration is loaded, that tokens for *audience* can be had.

        Raises:
            ValueError: They cannot: ``is missing; …``.
        """

    async def token_for(caller: Caller, audience: Audience) -> Token | NotIssued:
        """
        Give a token good for *audience* alone.  What it returns is secret.

        May wait.  ``caller.request`` is the request as it was presented, with every
        credential in it.

        Raises:
            UnavailableError: Who issues it cannot be reached (502 to 504).
        """


class ITicketSource(ITokenSource):
    """
    Gives what a browser carries to many sites: what a login server gives.

    Its `token_for` should not wait: nobody looks again afterwards whether the caller
    has been revoked.
    """

    cookie: str = Attribute("What sites call the cookie, if nobody says otherwise.")


class IDelivery(Interface):
    """Puts a token where a backend looks for it."""

    consumes: tuple[str, ...] = Attribute(
        "Where that is, in the words of `IAuthenticator.consumes`: what a client sends"
        " there itself is taken away."
    )

    def apply(token: Token, equipment: "Equipment") -> NotIssued | None:
        """
        Add *token* to what the backend gets with a request.  Never waits.

        Returns:
            Why that cannot be done for this request, or None.
        """


class ICountsTokens(Interface):
    """Counts what it does for the operator's metrics."""

    name: str = Attribute("What the configuration calls it.")
    counts: Mapping[str, int] = Attribute(
        "How often what happened since the start: a few words, the same for everybody,"
        " such as ``issued``."
    )


class IPublishesKeys(Interface):
    """Signs with keys of ours; backends look the public halves up."""

    public_keys: tuple[Mapping[str, Any], ...] = Attribute(
        "The public halves as JWK, each with ``kid`` (RFC 7517)."
    )
    publish_at: tuple[str, ...] = Attribute(
        "Hosts where they are published, besides those of routes with its tokens."
    )
