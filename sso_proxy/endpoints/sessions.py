"""
``/sessions`` of the operators' listener: which there are, and the end of some.

``POST`` of a JSON object, as `sso_proxy.session_desk` reads it: for programs alone, as
`sso_proxy.endpoints.revocations` is.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.web.server import Request

from sso_proxy.endpoints.answer import JSON, Answer, refusal, report
from sso_proxy.errors import SsoProxyError, TokenError
from sso_proxy.specs.jose.strict import read_json_object

Manage = Callable[[object], Awaitable[dict[str, Any]]]
"""Does what a document says, and gives what came of it, with its ``status``."""


async def answer_sessions(manage: Manage, request: Request) -> Answer:
    """Answer what *request*, whose sender was checked, asks about sessions."""
    kind = (request.getHeader(b"content-type") or b"").partition(b";")[0]
    if kind.strip().lower() != JSON:
        return refusal(415, "say Content-Type: application/json")
    try:
        content = request.content.read() if request.content is not None else b""
        document = read_json_object(content)
    except TokenError:
        return refusal(400, "must be a JSON object, each member at most once")
    try:
        done = await manage(document)
    except SsoProxyError as e:
        return refusal(503, str(e))
    status = done.pop("status")
    if "problem" in done:
        return refusal(status, done["problem"])
    return report(status, done)
