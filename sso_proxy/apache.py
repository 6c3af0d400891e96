"""
The way of a request for the redirect URI of Apache's mod_auth_openidc.

What it means is one of our own endpoints (`sso_proxy.endpoints.apache_hooks`), or a
question about the session of who asks (`sso_proxy.telling`).
"""

from collections.abc import Collection

import attrs

from sso_proxy.admission import Trail
from sso_proxy.endpoints.apache_hooks import ApacheHooks, choose_hook
from sso_proxy.endpoints.apache_info import ApacheInfo, ApacheRefresh, read_return
from sso_proxy.model import Response
from sso_proxy.pages import Pages
from sso_proxy.telling import Revoked, tell


class Apache:
    """
    What answers at one redirect path.

    Args:
        hooks: What our own endpoints answer.
        members: What ``?info=`` tells.
        pages: Says what is wrong.
    """

    def __init__(
        self, hooks: ApacheHooks, members: Collection[str], pages: Pages
    ) -> None:
        self._hooks = hooks
        self._members = frozenset(members)
        self._pages = pages

    async def answer(self, trail: Trail, revoked: Revoked) -> Response:
        """
        Answer the request of *trail*.

        Args:
            trail: Has the request; takes what is found out.
            revoked: Says whether somebody must not get in any more.

        Raises:
            UnavailableError: It cannot be done now.
            BadMessageError: It cannot be read.
        """
        request, route = trail.found
        hook = choose_hook(request.head)
        if hook == "info":
            info = ApacheInfo(request, self._members, route.cors, self._pages)
            return await tell(info, trail, revoked)
        if hook == "refresh":
            target = read_return(request)
            return await tell(
                ApacheRefresh(route.cors, self._pages, target), trail, revoked
            )
        return await self._hooks.answer(attrs.evolve(request, body=trail.body), hook)
