"""What a backend gets: serialised from the canonical request, never copied."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import attrs

from sso_proxy.equipment import NO_EQUIPMENT, Equipment
from sso_proxy.errors import BadMessageError
from sso_proxy.model import Headers, Identity, Request, RequestHead
from sso_proxy.routing import Route, RouteHeaders
from sso_proxy.signing import RequestSigner
from sso_proxy.specs.http.client_cert import build_client_cert, build_client_cert_chain
from sso_proxy.specs.http.cookies import OURS
from sso_proxy.specs.http.fields import encode_value
from sso_proxy.specs.http.forwarded import build_forwarded
from sso_proxy.specs.http.incoming import Framing, Incoming
from sso_proxy.specs.http.names import fold
from sso_proxy.specs.http.parameters import (
    is_form,
    without_cookie,
    without_parameter,
)
from sso_proxy.specs.http.signature import read_field_lines
from sso_proxy.specs.http.websocket import check_upgrade, origin_allowed
from sso_proxy.specs.token_binding import build_fields as build_binding_fields
from sso_proxy.upstream.request import Outgoing

if TYPE_CHECKING:
    from sso_proxy.admission import Admission

_NOTHING: frozenset[str] = frozenset()
_MOST_NAMES = 4096
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_MAY_BE_OURS = "-sso"
"""What the names of all cookies have in them that no backend gets."""
_BODY_EXPECTED = frozenset({"POST", "PUT", "PATCH"})


def build_block(  # noqa: PLR0913
    incoming: Incoming,
    request: Request,
    route: Route,
    via: str,
    *,
    consumed: bool,
    equipment: Equipment = NO_EQUIPMENT,
) -> bytes:
    """
    Serialise the header fields for the backend that do not depend on who calls.

    Without request line, request id, framing and the empty line, which differ between
    equal requests.

    Args:
        incoming: The request as it came.
        request: The request as it was decided on.
        route: Its route.
        via: Our name.
        consumed: Whether the route's authenticators have taken their credentials.
        equipment: Cookies for the backend, and fields that it is not to get.
    """
    head = request.head
    taken, removed = _NOTHING, _NOTHING
    if consumed:
        taken, removed = route.consumed, route.removed
    if equipment.removed:
        removed |= equipment.removed
    host = route.upstream_host or authority(head.host, head.port, head.scheme)
    begin = _BEGIN
    lines = ["Host: " + host]
    for name, value in head.headers:
        if name in taken or (removed and fold(name) in removed):
            continue
        if name == "cookie" and _MAY_BE_OURS in value:
            kept = without_our_cookies(value)
            if kept:
                lines.append("Cookie: " + kept)
            continue
        lines.append(begin[name] + value)
    if equipment.cookies:
        lines = _with_cookies(lines, equipment.cookies)
    previous = "".join(f"{hop}, " for hop in incoming.via)
    lines.append(f"Via: {previous}1.{incoming.framing.minor} {via}")
    if route.prefix is not None and route.prefix.told:
        lines.append(f"X-Forwarded-Prefix: {route.prefix.told}")
    lines.append(_forwarded(request.client.address, head.scheme, head.host, head.port))
    return "\r\n".join(lines).encode("latin-1")


def sort_consumed(authenticators: Iterable[Any]) -> dict[str, frozenset[str]]:
    """Sort what holds credentials by where it stands."""
    names = frozenset(n for a in authenticators for n in a.consumes)
    begins = {"parameter": "?", "cookie": "cookie:", "form": "form:"}
    found = {
        kind: frozenset(n.removeprefix(begin) for n in names if n.startswith(begin))
        for kind, begin in begins.items()
    }
    elsewhere = tuple(begins.values())
    return found | {"field": frozenset(n for n in names if not n.startswith(elsewhere))}


def sort_removed(
    names: Iterable[str], signer: RequestSigner | None, consumed: Iterable[str] = ()
) -> tuple[frozenset[str], tuple[str, ...]]:
    """
    Sort what a backend must not get: folded names of fields, and cookies.

    Args:
        names: Fields, and cookies after ``cookie:``.
        signer: Writes fields that clients must not send besides, or None.
        consumed: Fields that hold credentials: their aliases are as good to a backend.
    """
    fields = {fold(name) for name in names if ":" not in name}
    fields |= {fold(name) for name in consumed if "-" in name}
    if signer is not None:
        fields |= signer.consumes
    cookies = (name.partition(":")[2] for name in names if ":" in name)
    return frozenset(fields), tuple(cookies)


def without_credentials(request: Request, route: Route) -> Request:
    """
    Take credentials out of query and cookies: nothing after this sees them.

    The application's own cookies are opened, if they are bound and this is their owner.
    """
    if route.cookies is not None:
        request = route.cookies.open(request)
    if not (route.consumed_parameters or route.consumed_cookies):
        return request
    head = request.head
    query, headers = head.query, head.headers
    for name in route.consumed_parameters:
        query = without_parameter(query, name)
    if route.consumed_cookies:
        headers = _without_cookies(headers, route.consumed_cookies)
    if query == head.query and headers == head.headers:
        return request
    return attrs.evolve(request, head=attrs.evolve(head, query=query, headers=headers))


def _without_cookies(headers: Headers, names: Iterable[str]) -> Headers:
    """Take cookies out; a field with none left goes, too."""
    kept = list(headers)
    for place in range(len(kept) - 1, -1, -1):
        if kept[place][0] != "cookie":
            continue
        value = kept[place][1]
        for name in names:
            value = without_cookie(value, name)
        kept[place : place + 1] = [("cookie", value)] if value else []
    return tuple(kept)


def remaining_body(request: Request, route: Route) -> bytes | None:
    """Give the body without credentials if it was read; None has it come by itself."""
    if request.body is None or request.body.content is None:
        return None
    content: str | None = request.body.content.decode("latin-1")
    if is_form(request.head):
        for name in route.consumed_fields:
            content = without_parameter(content, name)
    return (content or "").encode("latin-1")


def build_identity(
    request: Request, route: Route, identity: Identity, user: str
) -> bytes:
    """
    Serialise the header fields that tell the backend who calls.

    Raises:
        ValueError: A field of ours has a value that cannot be sent safely.
    """
    headers = route.headers
    fields: list[tuple[str, bytes]] = []
    if headers.user and user:
        fields.append((headers.user, encode_value(user)))
    for claim, field in headers.claims:
        value = identity.claims.get(claim)
        if value is not None:
            fields.append((field, encode_value(_text(value))))
    if headers.apache is not None:
        data = request.session.data if request.session else {}
        scope = " ".join(sorted(identity.scopes))
        fields += headers.apache.build(identity.claims, identity.sources, data, scope)
    for token, field in headers.tokens:
        kept = request.session.data.get(token) if request.session else None
        if kept is not None:
            fields.append((field, encode_value(str(kept))))
    if headers.of_connection:
        fields += _of_connection(request, headers)
    return b"".join(
        name.encode("ascii") + b": " + value + b"\r\n" for name, value in fields
    )


def _of_connection(
    request: Request, headers: RouteHeaders
) -> Iterator[tuple[str, bytes]]:
    """Give the fields about what the client's connection proves."""
    certificate = request.tls.certificate if request.tls is not None else None
    if headers.client_certificate and certificate is not None:
        yield "Client-Cert", build_client_cert(certificate.der).encode()
        if certificate.chain:
            chain = build_client_cert_chain(certificate.chain)
            yield "Client-Cert-Chain", chain.encode()
    if headers.token_binding and request.token_binding is not None:
        told = build_binding_fields(request.token_binding, headers.token_binding)
        for name, value in told:
            yield display_name(name), value.encode()


def build_fields(headers: Headers) -> bytes:
    """
    Serialise field lines of ours, for a backend or for a client.

    Raises:
        ValueError: A value would not stay one line.
    """
    lines = []
    for name, value in headers:
        if not value.isprintable():
            raise ValueError(f"{name} has a character that a field must not have")
        lines.append(f"{display_name(name)}: {value}\r\n")
    return "".join(lines).encode("latin-1")


def build_tokens(equipment: Equipment) -> bytes:
    """
    Serialise the header fields that hold tokens for the backend.

    Raises:
        ValueError: A token would not stay one line.
    """
    lines = []
    for name, value in equipment.fields:
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"{name} has a character that a field must not have")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("ascii")


def asserted_fields(lines: bytes, equipment: Equipment) -> tuple[str, ...]:
    """Name the fields that say who calls or hold tokens, for those who sign them."""
    cookies = ("cookie",) if equipment.cookies else ()
    return (*read_field_lines(lines), *cookies)


def add_query(request: Request, pairs: Sequence[tuple[str, str]]) -> Request:
    """Give *request* with further parameters in its query."""
    if not pairs:
        return request
    query = _joined(request.head.query, pairs)
    return attrs.evolve(request, head=attrs.evolve(request.head, query=query))


def add_form(body: bytes | None, pairs: Sequence[tuple[str, str]]) -> bytes | None:
    """Give the form *body* with further fields; None if there is no body."""
    if body is None or not pairs:
        return body
    return _joined(body.decode("latin-1"), pairs).encode("latin-1")


def _joined(encoded: str | None, pairs: Sequence[tuple[str, str]]) -> str:
    more = urlencode(pairs)
    return f"{encoded}&{more}" if encoded else more


def _with_cookies(lines: list[str], cookies: Sequence[tuple[str, str]]) -> list[str]:
    """Add cookies to the client's, in one field: backends may read only one."""
    pairs = [f"{name}={value}" for name, value in cookies]
    sent = [line.removeprefix("Cookie: ") for line in lines if _is_cookie(line)]
    others = [line for line in lines if not _is_cookie(line)]
    return [*others, "Cookie: " + "; ".join((*sent, *pairs))]


def _is_cookie(line: str) -> bool:
    return line.startswith("Cookie: ")


def build_outgoing(
    admission: "Admission", framing: Framing, request_id: str, trace: bytes = b""
) -> Outgoing:
    """
    Serialise an admitted request for its backend, with the field lines *trace*.

    Raises:
        BadMessageError: The body is larger than the route takes (413), the upgrade is
            not acceptable (400, 403), the request cannot be signed (400), or its path
            is another route's to decide on, as the backend has it (400).
    """
    head, route = admission.caller.request.head, admission.route
    body = admission.body
    if body is not None:
        framing = attrs.evolve(framing, length=len(body), chunked=False)
    if framing.length and framing.length > route.body_bytes:
        raise BadMessageError(413, "body-too-large")
    tail = b""
    if framing.length is None:
        tail = b"Transfer-Encoding: chunked\r\n"
    elif framing.length or head.method in _BODY_EXPECTED:
        tail = b"Content-Length: %d\r\n" % framing.length
    upgrade = framing.upgrade if framing.upgrade in route.upgrades else None
    key = ""
    if upgrade is not None:
        key = _upgrade_key(upgrade, head, route)
        tail = b"Connection: Upgrade\r\nUpgrade: %b\r\n" % upgrade.encode()
    path = head.path
    if route.prefix is not None and not admission.own:
        path = route.prefix.to_backend(path)
    target = path if head.query is None else f"{path}?{head.query}"
    line = f"{head.method} {target} HTTP/1.1\r\nX-Request-Id: {request_id}\r\n"
    begin, renew = line.encode("latin-1") + trace + admission.block + tail, None
    if route.signer is None or admission.own:
        whole = begin + b"\r\n" + (body or b"")
    else:
        if route.signer.digest and framing.length != 0 and body is None:
            raise BadMessageError(400, "body-unread")  # never signed as another's
        renew = partial(_signed, begin, body or b"", admission, target)
        whole = renew()
    return Outgoing(
        head=whole,
        method=head.method,
        caller=admission.caller,
        replayable=framing.length == 0 and head.method in _IDEMPOTENT,
        upgrade=upgrade,
        upgrade_key=key,
        bodyless=framing.length == 0 or body is not None,
        renew=renew,
    )


def _signed(begin: bytes, content: bytes, admission: "Admission", target: str) -> bytes:
    """Give a whole request with a signature of its own."""
    signer = admission.route.signer
    assert signer is not None  # noqa: S101
    try:
        lines = signer.sign(
            begin,
            method=admission.caller.request.head.method,
            target=target,
            identity=admission.asserted,
            content=content,
        )
    except ValueError:
        raise BadMessageError(400, "not-signable") from None
    return begin + lines + b"\r\n" + content


def _upgrade_key(protocol: str, head: RequestHead, route: Route) -> str:
    """
    Check that *head* may ask for *protocol*.

    Raises:
        BadMessageError: 400 for a bad WebSocket handshake, 403 for a foreign origin.
    """
    if protocol != "websocket":
        return ""
    key = check_upgrade(head)
    origins = head.values("origin")
    origin = origins[0] if origins else None
    if not origin_allowed(origin, head.scheme, head.host, head.port, route.origins):
        raise BadMessageError(403, "origin")
    return key


def authority(host: str, port: int, scheme: str) -> str:
    """Put host and port together, without the scheme's own port."""
    default = 443 if scheme == "https" else 80
    return host if port == default else f"{host}:{port}"


def without_our_cookies(value: str) -> str:
    """Drop our cookies from a ``Cookie`` value."""
    pairs = (pair.strip(" \t") for pair in value.split(";"))
    return "; ".join(p for p in pairs if p and not p.startswith(OURS))


def display_name(name: str) -> str:
    """Write a field's name as most do, ``Content-Type``, for backends that care."""
    return "-".join(part.capitalize() for part in name.split("-"))


class _Begin(dict[str, str]):
    """How a field line begins, by the field's lower-case name."""

    def __missing__(self, name: str) -> str:
        if len(self) >= _MOST_NAMES:  # names come from clients
            self.clear()
        begin = self[name] = display_name(name) + ": "
        return begin


_BEGIN = _Begin()


@lru_cache(maxsize=4096)
def _forwarded(client: str, scheme: str, host: str, port: int) -> str:
    """Give the forwarding field lines; they are the same for a client's requests."""
    fields = build_forwarded(client=client, scheme=scheme, host=host, port=port)
    return "".join(f"{display_name(name)}: {value}\r\n" for name, value in fields)


def _text(value: Any) -> str:  # noqa: ANN401
    """Write a claim as text; lists are joined by commas, objects refused."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return str(value)
        case list():
            if any("," in item for item in value if isinstance(item, str)):
                # Two readings of one value: refused rather than guessed.
                raise ValueError("a list claim has an element with a comma")
            return ",".join(_text(item) for item in value)
        case _:
            raise ValueError("a claim that is an object cannot be a header field")
