"""How pages watch a session at an OpenID Provider (Session Management 1.0)."""

from sso_proxy.authn.oidc_parts import Parts
from sso_proxy.login import Watch
from sso_proxy.session import Session
from sso_proxy.specs.http.uri import normal_uri


class Watcher:
    """
    Knows the provider's frame.

    Args:
        parts: The parts of the authenticator.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._config = parts.config

    async def watch(self, session: Session | None) -> Watch | None:
        """
        Say how a page watches *session*; None if the provider has no frame for that.

        Raises:
            UnavailableError: Nobody knows where the provider is.
        """
        data = {} if session is None else session.data
        if data.get("provider", self._config.issuer) != self._config.issuer:
            return None
        place = await self._parts.provider.endpoints()
        if place.check_session is None:
            return None
        try:
            origin = _origin(place.check_session)
            through = {origin, _origin(place.authorization)}
        except ValueError:  # a URL that browsers would read in another way
            return None
        return Watch(
            url=place.check_session,
            origin=origin,
            client_id=self._config.client_id,
            state=data.get("session_state", ""),
            interval=self._config.check_session_interval,
            frames=tuple(sorted(through)),
        )


def _origin(url: str) -> str:
    """
    Give the origin of *url* as browsers write it.

    Raises:
        ValueError: It has none that everybody reads alike.
    """
    return "/".join(normal_uri(url).split("/", 3)[:3])
