"""Going on with what was posted before a login, as if it had been posted only now."""

from typing import Final

import attrs

from sso_proxy.admission import Trail
from sso_proxy.endpoints.logins import NO_STORE, RESTORE_FIELD, RESTORE_OCTETS
from sso_proxy.model import Request, Response
from sso_proxy.routing import Route
from sso_proxy.specs.http.parameters import is_form

_BEGIN: Final = f"{RESTORE_FIELD}=".encode()


@attrs.define
class RestoredBody:
    """
    A body that was posted before; implements `sso_proxy.body.Body`.

    Attributes:
        content: Its octets.
    """

    content: bytes | None = attrs.field(repr=False)

    async def read(self, limit: int) -> bytes:  # noqa: ARG002
        """Give the content, which is here; its size was limited when it came."""
        return self.content or b""


async def restore(request: Request, route: Route, trail: Trail) -> Request | Response:
    """
    Put what was posted before the login into the place of the form that asks for it.

    What is decided on from here on, and forwarded, is that.

    Args:
        request: Any whose body has `RESTORE_OCTETS`.
        route: Its route.
        trail: Has its body.

    Raises:
        BadMessageError: The form cannot be read.
        UnavailableError: What was posted cannot be had now.
    """
    session, head = request.session, request.head
    if (
        trail.body is None
        or route.logins is None
        or session is None
        or request.sessions.kept is None
        or head.method != "POST"
        or not is_form(head)
    ):
        return request
    content = await trail.body.read(RESTORE_OCTETS)
    if not content.startswith(_BEGIN):  # somebody's form that is as long
        return attrs.evolve(request, body=trail.body)
    name = content.removeprefix(_BEGIN).decode("latin-1")
    kept = await request.sessions.kept.take(name, session.id)
    path = request.path_asked or head.path
    target = path if head.query is None else f"{path}?{head.query}"
    if kept is None or kept.content is None or kept.target != target:
        # Sent already, and the page was loaded anew: not twice.
        return Response(
            status=303,
            reason="login-form-sent",
            headers=(("location", target), *NO_STORE),
        )
    headers = tuple(field for field in head.headers if field[0] != "content-type")
    if kept.content_type:
        headers += (("content-type", kept.content_type),)
    return attrs.evolve(
        request,
        head=attrs.evolve(head, headers=headers),
        body=RestoredBody(kept.content),
    )
