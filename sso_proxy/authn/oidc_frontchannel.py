"""What an OpenID Provider has browsers tell us: that they have logged out there."""

from typing import Final

from sso_proxy.authn.oidc_backchannel import refuse
from sso_proxy.authn.oidc_parts import Parts
from sso_proxy.errors import BadMessageError, TokenError
from sso_proxy.login import LogoutNotice
from sso_proxy.model import Request, Response
from sso_proxy.specs.http.parameters import read_parameter
from sso_proxy.specs.oidc.issuers import PLACEHOLDER, check_issuer, is_template
from sso_proxy.specs.oidc.logout_token import MAX_ID

_NAMES: Final = ("iss", "sid")


class FrontChannel:
    """
    Reads requests of OpenID Connect Front-Channel Logout 1.0 (section 2).

    Anybody can have a browser send one: nothing follows from it but that sessions end
    which can be named.

    Args:
        parts: The parts of the authenticator.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._config = parts.config

    async def read(self, request: Request) -> LogoutNotice | Response:
        """
        Give which session is over, or 400; without a name, the one of the browser.

        Raises:
            UnavailableError: Nobody knows where the provider is.
        """
        try:
            issuer, sid = self._read(request.head.query)
        except TokenError as e:
            return refuse(request, f"{e.reason}: {e.detail}")
        except BadMessageError as e:
            return refuse(request, e.reason)
        place = await self._parts.provider.endpoints()
        pages = (place.issuer, place.authorization, place.end_session)
        frames = {"/".join(url.split("/", 3)[:3]) for url in pages if url}
        return LogoutNotice(issuer=issuer, sid=sid, frames=tuple(sorted(frames)))

    def _read(self, query: str | None) -> tuple[str, str | None]:
        """
        Give ``iss`` and ``sid``, of which there are both or none.

        Raises:
            TokenError: There is one of them, or one twice, or it is another provider.
            BadMessageError: The query can be read in two ways.
        """
        iss, sid = (read_parameter(query, name) for name in _NAMES)
        if not iss and not sid:
            return self._config.issuer, None
        if len(iss) != 1 or len(sid) != 1:
            raise TokenError("iss and sid are not there once each", reason="logout-sid")
        if not 0 < len(sid[0]) <= MAX_ID:
            raise TokenError("sid is no name", reason="logout-sid")
        template = self._config.issuer
        claims = {"iss": iss[0]}
        if is_template(template):
            before, _, after = template.partition(PLACEHOLDER)
            claims["tid"] = iss[0].removeprefix(before).removesuffix(after)
        return check_issuer(claims, template, self._config.tenants), sid[0]
