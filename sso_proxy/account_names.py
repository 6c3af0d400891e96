"""What applications call somebody who has logged in, for one configuration."""

from sso_proxy.callers import name_user
from sso_proxy.errors import UnavailableError
from sso_proxy.model import Identity, Response
from sso_proxy.routing import RouteTable


class AccountNames:
    """Asks what names users on the routes that go by a login."""

    def __init__(self) -> None:
        self._table: RouteTable | None = None

    def settle(self, table: RouteTable) -> None:
        """Take the routes, all of which have been built."""
        self._table = table

    async def of(
        self, host: str, endpoints: str, identity: Identity
    ) -> tuple[str, ...] | None:
        """
        Give the names by which the backends of a host know *identity*.

        Args:
            host: The host.
            endpoints: Where our endpoints are, for the routes that are meant.
            identity: Who has logged in there.

        Returns:
            Each name once; none if all of them refuse who that is, and None if it is
            not known at present.
        """
        routes = None if self._table is None else self._table.of_host(host)
        asked = {}
        for route in () if routes is None else routes.every:
            here = route.endpoints == endpoints
            if here and identity.authenticator in route.login_names:
                asked[tuple(map(id, route.mappers))] = route
        names: dict[str, None] = {}
        unknown = False
        for route in asked.values():
            try:
                user = await name_user(route, identity)
            except UnavailableError:
                unknown = True
                continue
            if not isinstance(user, Response) and user:
                names[str(user)] = None
        return None if unknown and not names else tuple(names)
