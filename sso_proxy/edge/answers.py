"""What clients get: answers serialised from values, with our own framing."""

import attrs

from sso_proxy.admission import Admission
from sso_proxy.edge.site import Site
from sso_proxy.model import Headers, RequestHead, Response
from sso_proxy.outgoing import display_name
from sso_proxy.pages import phrase_of
from sso_proxy.specs.http.answer import Answer
from sso_proxy.specs.http.cookies import OURS
from sso_proxy.specs.http.cors import build_cors_fields
from sso_proxy.specs.http.request import ALLOW
from sso_proxy.upstream import Reply

_BODYLESS = frozenset({204, 304})


def client_block(reply: Reply, site: Site) -> bytes:
    """
    Serialise status line and fields of a backend's answer, without the empty line.

    Made once for each different head and kept with it.
    """
    rules = site.rules
    if reply.made_for is rules:
        return reply.block
    answer = reply.answer
    lines = [f"HTTP/1.1 {answer.status} {answer.phrase}"]
    dated = False
    for name, value in answer.headers:
        if name == "date":
            dated = True
        elif name == "x-request-id" or (
            name == "strict-transport-security" and rules.hsts
        ):
            continue
        elif name == "set-cookie" and value.startswith(OURS):
            continue  # no backend may set a session of ours
        lines.append(f"{display_name(name)}: {value}")
    lines.append(f"Via: 1.{answer.minor} {rules.via}")
    if answer.length is not None and not reply.to_head and _needs_length(answer):
        lines.append(f"Content-Length: {answer.length}")
    block = "\r\n".join(lines).encode("latin-1") + b"\r\n" + rules.hsts
    if dated:
        reply.made_for = rules
        reply.block = block
    else:
        block += b"Date: " + site.date() + b"\r\n"
    return block


def failure_fields(
    status: int, admission: Admission | None, head: RequestHead | None
) -> Headers:
    """Say what there is to say where nothing came of a request; let pages read it."""
    fields: Headers = ()
    if status == 405:
        fields = (("allow", ALLOW),)
    elif status == 503 and admission is not None:  # no server is well, or all are busy
        fields = (("retry-after", "5"),)
    if admission is None or head is None or admission.route.cors is None:
        return fields
    return (*fields, *build_cors_fields(admission.route.cors, head))


def with_timing(response: Response, timing: str) -> Response:
    """Say in *response* what took how long."""
    headers = (*response.headers, ("server-timing", timing))
    return attrs.evolve(response, headers=headers)


def _needs_length(answer: Answer) -> bool:
    """Say whether to write a length of ours: a 304 keeps the backend's."""
    return answer.status not in _BODYLESS and not any(
        name == "content-length" for name, _ in answer.headers
    )


def own_answer(
    response: Response,
    *,
    site: Site,
    request_id: str,
    head: RequestHead | None,
    persistence: bytes,
) -> tuple[bytes, int]:
    """
    Serialise an answer of ours; give it and the length of its body.

    Args:
        response: What to say; without a body, a page is made for it.
        site: Where.
        request_id: The request's id.
        head: The request, or None if it could not be read.
        persistence: The ``Connection`` line, or empty.

    Raises:
        ValueError: A field has a value that would not stay one line.
    """
    headers, body = response.headers, response.body
    if not body and response.status not in _BODYLESS:
        # What follows a colon is for the record.
        page_headers, body = site.rules.pages.error(
            response.reason.partition(":")[0],
            response.status,
            head,
            request_id,
            response.again,
        )
        given = {name for name, _ in headers}
        headers += tuple(h for h in page_headers if h[0] not in given)
    lines = [f"HTTP/1.1 {response.status} {phrase_of(response.status)}"]
    for name, value in headers:
        if not value.isprintable():  # a plugin's, perhaps with a client's text in it
            raise ValueError(f"{name} has a character that a field must not have")
        lines.append(f"{display_name(name)}: {value}")
    lines.append(f"X-Request-Id: {request_id}")
    if response.reason and site.rules.pages.reasons:
        lines.append(f"X-Reason: {response.reason.partition(':')[0]}")
    if response.status not in _BODYLESS:
        lines.append(f"Content-Length: {len(body)}")
    block = "\r\n".join(lines).encode("latin-1") + b"\r\n"
    block += b"Date: " + site.date() + b"\r\n" + site.rules.hsts + persistence
    if head is not None and head.method == "HEAD":
        body = b""
    return block + b"\r\n" + body, len(body)
