"""
The end of a request's way at a login server: a ticket for who got so far.

Authenticators, keys, mappers, conditions and policies of the route have had their say
(`sso_proxy.pipeline`).
"""

from sso_proxy.admission import Trail
from sso_proxy.endpoints.tickets import TicketDesk
from sso_proxy.interfaces import IAuthenticator
from sso_proxy.model import Caller, Headers, Request, Response
from sso_proxy.supplying import refuse_token, tell_refused
from sso_proxy.token import Audience, Token


async def issue(
    desk: TicketDesk,
    presented: Request,
    trail: Trail,
    authenticator: IAuthenticator,
    headers: Headers,
) -> Response:
    """
    Answer who may have a ticket.

    Args:
        desk: Gives it.
        presented: The request with all that it came with.
        trail: What was found out.
        authenticator: Who knows the caller.
        headers: Fields that the answer has in any case, such as a session's cookie.

    Raises:
        UnavailableError: Whoever makes tickets cannot be reached.
    """
    route = trail.found[1]
    fields = tuple(field for field in headers if field[0] != "cache-control")
    asked = desk.read(presented)
    if isinstance(asked, Response):
        return asked
    if asked.state in {"unauth", "address", "loop"}:
        return desk.refuse(presented, asked, trail.user, fields)
    caller = Caller(request=presented, identity=trail.identity, user=trail.user)
    token = await desk.source.token_for(caller, Audience())
    if not isinstance(token, Token):
        tell_refused(token, desk.cookie.name, presented)
        return await refuse_token(token, presented, route, authenticator, trail.body)
    return desk.answer(presented, asked, token, trail.user, (*fields, *token.headers))
