"""
Our endpoints for browsers in one place of a host, and what answers at each of them.

Each kind has a part of its own: logins, logouts, and so on.  A part answers values, as
the pipeline does, and reads what the pipeline has read: there is no second opinion on
what a browser has sent.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from sso_proxy.interfaces import ILogin, ISessionStore
from sso_proxy.model import Refusal, Request, Response


@attrs.frozen(kw_only=True)
class Desk:
    """
    One way to log in on a host.

    Attributes:
        name: What the configuration calls the authenticator.
        login: The authenticator.
        sessions: The sessions that its logins begin.
        callback: The path at which its logins come back, if that is another than
            ours; empty for ours.
    """

    name: str
    login: ILogin
    sessions: ISessionStore
    callback: str = ""


class Part(Protocol):
    """Endpoints of one kind."""

    @property
    def methods(self) -> Mapping[str, tuple[str, ...]]:
        """The methods of each endpoint, by its first segment, or its first two."""

    async def answer(self, request: Request, name: str, rest: str) -> Response | None:
        """
        Answer a request for one of them; None if there is no such endpoint.

        Args:
            request: The request; its body can be read.
            name: The endpoint, as in *methods*.
            rest: What is left of the path, without a slash at its beginning.

        Raises:
            UnavailableError: It cannot be answered now.
            BadMessageError: It cannot be read.
        """


class Starting(Protocol):
    """What begins logins."""

    async def start(
        self, request: Request, names: Sequence[str], refusal: Refusal | None = None
    ) -> Response | None:
        """
        Have who sent *request* log in, if it is somebody who looks at what comes.

        Args:
            request: The request, which has to wait; its body reads what was posted.
            names: The ways to log in that its route has.
            refusal: Why the present login is not enough, or None.

        Returns:
            None if nobody looks: a script or an image cannot log in.

        Raises:
            UnavailableError: It cannot be done now.
        """


class BrowserEndpoints:
    """
    What browsers find at our endpoints.

    Args:
        endpoints: Where they are, such as ``/.sso/``.
        logins: Begins logins; None where nobody logs in.
        parts: What answers there.
    """

    def __init__(
        self, endpoints: str, logins: Starting | None, parts: Sequence[Part] = ()
    ) -> None:
        self._endpoints = endpoints
        self._logins = logins
        self._parts = {name: part for part in parts for name in part.methods}

    async def start(
        self, request: Request, names: Sequence[str], refusal: Refusal | None = None
    ) -> Response | None:
        """Have somebody log in (`Starting.start`); None also where nobody can."""
        if self._logins is None:
            return None
        return await self._logins.start(request, names, refusal)

    async def answer(self, request: Request) -> Response | None:
        """
        Answer a request for one of our endpoints; None if it is none of these.

        Raises:
            UnavailableError: It cannot be answered now.
            BadMessageError: It cannot be read.
        """
        head = request.head
        if not head.path.startswith(self._endpoints):
            return None
        first, _, rest = head.path.removeprefix(self._endpoints).partition("/")
        second, _, further = rest.partition("/")
        name, left = f"{first}/{second}", further
        if name not in self._parts:
            name, left = first, rest
        part = self._parts.get(name)
        if part is None:
            return None
        methods = part.methods[name]
        if head.method not in methods:
            allow = ("allow", ", ".join(methods))
            return Response(status=405, reason="method", headers=(allow,))
        return await part.answer(request, name, left)
