"""
``dbsc/register`` and ``dbsc/refresh``: browsers bind sessions to their device (DBSC).

No page sends anything here: browsers do so by themselves, and read nothing but the
status, some fields and a document.  What each status means to them is written down in
docs/formats/device-bound-sessions.md; a wrong one ends what they know of a session.

Who asks has the session's cookie, which is all that a thief has.  So the session is
found by it, but not used, and nothing happens to it without a proof of its key.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Protocol, TypeAlias

import attrs
from twisted.logger import Logger

from sso_proxy.endpoints.login_limits import AddressLimit
from sso_proxy.interfaces import ISessionStore
from sso_proxy.model import Headers, Request, RequestHead, Response
from sso_proxy.specs.dbsc.fields import RESPONSE, SESSION_ID
from sso_proxy.specs.http.own_origin import own_origin

_log = Logger()

_ONCE: Final = (RESPONSE.lower(), SESSION_ID.lower())
_SAFE: Final[Headers] = (
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
)
"""What no page of another site is to make anything of (DBSC, "Security")."""


_TOO_MANY: Final = Response(
    status=503, reason="device-pace", headers=(("retry-after", "60"),)
)
"""Browsers go on without a key, and are asked for one again."""


@attrs.frozen
class Holder:
    """
    What a key is bound to.

    Attributes:
        id: Its name, which is no secret.
        began: Seconds since the epoch when it began.
        expires: Seconds since the epoch when it is over.
    """

    id: str
    began: float
    expires: float


class Bound(Protocol):
    """Holders of one kind, and what binds them to devices."""

    @property
    def devices(self) -> Any:  # noqa: ANN401
        """`sso_proxy.sessions.devices.Devices`."""

    async def find_holder(self, request: Request) -> Holder | None:
        """
        Give the holder that the cookies of *request* name, whoever has sent them.

        Raises:
            UnavailableError: Nobody can say now.
        """


FindBound: TypeAlias = Callable[[str, str, str], Bound | None]
"""Gives what can be bound on a host, at a place of endpoints, under a tag."""


@attrs.frozen
class SessionHolders:
    """
    Sessions of ours that are bound to devices.

    Attributes:
        store: Keeps them.
    """

    store: ISessionStore

    @property
    def devices(self) -> Any:  # noqa: ANN401
        """Give what binds them."""
        return self.store.devices

    async def find_holder(self, request: Request) -> Holder | None:
        """Give the session; that a browser proves something is no use of it."""
        session = await self.store.by_cookie(request)
        if session is None:
            return None
        return Holder(session.id, session.created, session.expires)


class DeviceSessions:
    """
    What answers browsers in one place of a host.

    Args:
        endpoints: That place, such as ``/.sso/``.
        find: Gives what can be bound there.
        limit: How many keys one address may register; None for any number.
    """

    methods: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "dbsc/register": ("POST",),
        "dbsc/refresh": ("POST",),
    }

    def __init__(
        self, endpoints: str, find: FindBound, limit: AddressLimit | None = None
    ) -> None:
        self._endpoints = endpoints
        self._find = find
        self._limit = limit

    async def answer(self, request: Request, name: str, rest: str) -> Response | None:
        """
        Answer a browser's proof; None if there is no such endpoint.

        Raises:
            BadMessageError: It cannot be read.
            UnavailableError: Nobody can say now; the browser tries again later.
        """
        bound = self._find(request.head.host, self._endpoints, rest)
        if bound is None:
            return None
        problem = problem_of(request.head)
        if problem:
            _log.info("Request {id}: {why}", id=request.id, why=problem)
            return finish(Response(status=400, reason=problem))
        found, devices = await bound.find_holder(request), bound.devices
        holder, began, over = None, 0.0, 0.0
        if found is not None:
            holder, began, over = found.id, found.began, found.expires
        answer: Response
        if name == "dbsc/register":
            if holder is not None and not self._may_register(request):
                return finish(_TOO_MANY)
            answer = await devices.register(request, holder, began, over)
        else:
            answer = await devices.refresh(request, holder, began, over)
        return finish(answer)

    def _may_register(self, request: Request) -> bool:
        """
        Say whether one more key may be registered from where *request* is from.

        Each stays for hours, and applications begin sessions for everybody: one
        stranger could take all the room that there is.
        """
        return self._limit is None or self._limit.allows(request.client.address)


def problem_of(head: RequestHead) -> str:
    """
    Say why nobody looks at a request; empty if somebody does.

    Browsers say of their own requests that they come from the same origin.  A page of
    another site cannot say so, and no page can send the fields.
    """
    origins, sites = head.values("origin"), head.values("sec-fetch-site")
    if origins not in ([], [own_origin(head)]):
        return "device-foreign"
    if sites not in ([], ["same-origin"]):
        return "device-foreign"
    if any(len(head.values(name)) > 1 for name in _ONCE):
        return "device-twice"
    return ""


def finish(response: Response) -> Response:
    """Give *response* with what all have."""
    given = {name for name, _ in response.headers}
    more = tuple(field for field in _SAFE if field[0] not in given)
    return attrs.evolve(response, headers=(*response.headers, *more))
