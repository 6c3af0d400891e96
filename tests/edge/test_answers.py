"""Answers as octets: our framing, nobody else's session, nothing smuggled in."""

import attrs
import pytest

from sso_proxy.admission import Admission
from sso_proxy.config.model import PagesConfig
from sso_proxy.edge.answers import client_block, failure_fields, own_answer
from sso_proxy.model import Caller, Response
from sso_proxy.pages import load_pages
from sso_proxy.routing import HostRoutes
from sso_proxy.specs.http.cors import CorsRules
from sso_proxy.testing.fakes import make_request
from tests.support.doubles import OK, FakeUpstream, Scene, make_reply, make_route

HSTS = b"Strict-Transport-Security: max-age=1\r\n"


def admitted(cors: CorsRules | None = None) -> Admission:
    made = make_route(FakeUpstream(), cors=cors)
    return Admission(
        route=made,
        caller=Caller(request=make_request(), identity=None, user=""),
        block=b"",
        stable="",
        host_routes=HostRoutes([made]),
    )


def block(head: bytes, *, hsts: bytes = b"", method: str = "GET") -> bytes:
    return client_block(make_reply(head, method), Scene(hsts=hsts).site)


def test_a_block_is_made_once_for_a_head_and_rules() -> None:
    scene, reply = Scene(), make_reply(OK)
    first = client_block(reply, scene.site)
    assert client_block(reply, scene.site) is first
    scene.site.rules = scene.make_rules()
    assert client_block(reply, scene.site) is not first


def test_a_date_is_added_where_there_is_none() -> None:
    scene, reply = Scene(), make_reply(b"HTTP/1.1 200 OK")
    assert client_block(reply, scene.site).count(b"Date: ") == 1
    assert reply.made_for is None  # it is another date each time


def test_our_strict_transport_security_replaces_the_backends() -> None:
    theirs = OK + b"\r\nStrict-Transport-Security: max-age=0"
    assert HSTS in block(theirs, hsts=HSTS)
    assert b"max-age=0" not in block(theirs, hsts=HSTS)
    assert b"max-age=0" in block(theirs)


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        (b"Set-Cookie: __Host-sso=evil; Path=/", False),
        (b"Set-Cookie: __Host-sso.1=evil", False),
        (b"Set-Cookie: theirs=1", True),
        (b"X-Request-Id: theirs", False),
        (b"Via: 1.1 other", True),
    ],
)
def test_what_of_a_backends_fields_reaches_the_client(
    field: bytes,
    kept: bool,  # noqa: FBT001
) -> None:
    assert (field in block(OK + b"\r\n" + field)) == kept


@pytest.mark.parametrize(
    ("head", "method", "length"),
    [
        (OK + b"\r\nContent-Length: 0", "GET", b"0"),
        (OK + b"\r\nContent-Length: 5", "HEAD", b"5"),
        (OK, "HEAD", None),
        (OK + b"\r\nTransfer-Encoding: chunked", "HEAD", None),
        (b"HTTP/1.1 204 No Content", "GET", None),
        (b"HTTP/1.1 304 Not Modified", "GET", None),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9", "GET", b"9"),
        (OK, "GET", None),
    ],
)
def test_a_length_is_told_where_it_is_known(
    head: bytes, method: str, length: bytes | None
) -> None:
    made = block(head, method=method)
    assert made.count(b"Content-Length") == (length is not None)
    if length is not None:
        assert b"Content-Length: %b\r\n" % length in made


def own(response: Response, method: str = "GET") -> tuple[bytes, int]:
    return own_answer(
        response,
        site=Scene(hsts=HSTS).site,
        request_id="id-1",
        head=make_request(method).head,
        persistence=b"Connection: close\r\n",
    )


@pytest.mark.parametrize(
    ("pages", "told"), [(PagesConfig(), False), (PagesConfig(reasons=True), True)]
)
def test_a_reason_is_told_only_where_wanted(pages: PagesConfig, told: bool) -> None:  # noqa: FBT001
    scene = Scene()
    scene.site.rules = attrs.evolve(scene.make_rules(), pages=load_pages(pages))
    for reason in ("login-refused", "login-refused: because"):
        data, _ = own_answer(
            Response(status=403, reason=reason),
            site=scene.site,
            request_id="id-1",
            head=make_request().head,
            persistence=b"",
        )
        assert (b"\r\nX-Reason: login-refused\r\n" in data) is told
    assert b"X-Reason" not in own(Response(status=403))[0]


def test_an_answer_of_ours_has_a_page_an_id_and_its_length() -> None:
    data, length = own(Response(status=403, headers=(("cache-control", "private"),)))
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\nCache-Control: private\r\n")
    assert b"no-store" not in head
    assert b"X-Request-Id: id-1\r\n" in head
    assert b"Content-Length: %d\r\n" % len(body) in head
    assert HSTS in head
    assert head.endswith(b"Connection: close")
    assert length == len(body) > 0


def test_head_gets_the_length_without_the_body() -> None:
    data, length = own(Response(status=403), "HEAD")
    assert data.endswith(b"\r\n\r\n")
    assert b"Content-Length: 0" not in data
    assert length == 0


def test_204_has_neither() -> None:
    data, length = own(Response(status=204))
    assert b"Content-Length" not in data
    assert length == 0


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\x00", "\u20ac"])
def test_a_value_that_would_not_stay_one_line_is_refused(value: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        own(Response(status=401, headers=(("www-authenticate", value),)))


def test_a_failure_is_told_to_pages_that_may_read_answers() -> None:
    rules = CorsRules(
        origins=frozenset({"*"}), methods="", headers="", exposed="A", max_age=0
    )
    head = make_request().head
    told = (
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", "A"),
    )
    assert failure_fields(502, admitted(cors=rules), head) == told
    assert failure_fields(502, admitted(cors=rules), None) == ()
    assert failure_fields(502, admitted(), head) == ()
    assert failure_fields(502, None, head) == ()
    assert failure_fields(405, None, head)[0][0] == "allow"
