"""What another proxy asks about is read in one way, from one place."""

import pytest

from sso_proxy.errors import BadMessageError
from sso_proxy.model import RequestHead
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.original import Asker, read_original
from sso_proxy.specs.http.request import read_request

MANAGED = ManagedNames(["X-Remote-User"])
CLIENT = ("X-Forwarded-For: 203.0.113.5", "X-Forwarded-Proto: https")
NGINX = ("Host: app.example.com", "X-Original-Method: POST", "X-Original-URI: /a?b=%2e")
URL = (
    "Host: sso.internal",
    "X-Original-Method: POST",
    "X-Original-URL: https://app.example.com/a?b=%2e",
)
OTHERS = (
    "Host: sso.internal:4181",
    "X-Forwarded-Method: POST",
    "X-Forwarded-Host: app.example.com",
    "X-Forwarded-Uri: /a?b=%2e",
)


def read(
    asker: Asker, *fields: str, line: str = "GET / HTTP/1.1", client: bool = True
) -> RequestHead:
    lines = (line, *fields, *(CLIENT if client else ()), "", "")
    incoming = read_request(
        "\r\n".join(lines).encode(),
        scheme="http",
        port=80,
        limits=HeadLimits(),
        managed=MANAGED,
    )
    return read_original(asker, incoming)


def reason(asker: Asker, *fields: str, line: str = "GET / HTTP/1.1") -> str:
    with pytest.raises(BadMessageError) as caught:
        read(asker, *fields, line=line)
    return caught.value.reason


@pytest.mark.parametrize(
    ("asker", "fields", "line"),
    [
        ("nginx", NGINX, "GET /question HTTP/1.0"),
        ("nginx", URL, "GET / HTTP/1.1"),
        ("caddy", OTHERS, "GET / HTTP/1.1"),
        ("traefik", OTHERS, "GET / HTTP/1.1"),
        ("envoy", ("Host: app.example.com",), "POST /a?b=%2e HTTP/1.1"),
    ],
)
def test_each_kind_says_it_in_its_own_place(
    asker: Asker, fields: tuple[str, ...], line: str
) -> None:
    head = read(asker, *fields, "Accept: text/html", line=line)
    assert head == RequestHead(
        method="POST",
        scheme="https",
        host="app.example.com",
        port=443,
        path="/a",
        query="b=%2e",
        headers=(("accept", "text/html"),),
    )


def test_a_port_is_the_clients() -> None:
    fields = (*OTHERS[:2], "X-Forwarded-Host: app.example.com:8443", OTHERS[3])
    assert read("caddy", *fields).port == 8443
    assert read("nginx", "Host: app.example.com:8443", *NGINX[1:]).port == 8443


@pytest.mark.parametrize("number", range(1, 4))
@pytest.mark.parametrize(("asker", "fields"), [("nginx", NGINX), ("traefik", OTHERS)])
def test_each_field_has_to_be_there_once(
    asker: Asker, fields: tuple[str, ...], number: int
) -> None:
    if number >= len(fields):
        return
    without = (*fields[:number], *fields[number + 1 :])
    assert reason(asker, *without) == "question-field"
    assert reason(asker, *fields, fields[number]) == "question-conflict"


def test_who_asked_and_by_which_scheme_has_to_be_said() -> None:
    for fields in ((CLIENT[0],), (CLIENT[1],), ("X-Forwarded-Proto: https",)):
        with pytest.raises(BadMessageError) as caught:
            read("nginx", *NGINX, *fields, client=False)
        assert caught.value.reason == "question-field"
    assert reason("nginx", *NGINX, "X-Forwarded-Proto: http") == "question-conflict"
    with pytest.raises(BadMessageError) as caught:
        read("nginx", *NGINX, CLIENT[0], "X-Forwarded-Proto: ftp", client=False)
    assert caught.value.reason == "question-scheme"


@pytest.mark.parametrize(
    "field",
    [
        "X-Forwarded-Uri: /public/",
        "X-Forwarded-Method: GET",
        "X-Forwarded-Host: other.example.com",
        "X-Original-URL: https://app.example.com/a",
        "X-Original-Host: other.example.com",
        "X-Rewrite-URL: /public/",
        "X-Forwarded-Proto: http",
        "X-Envoy-Original-Path: /public/",
    ],
)
def test_what_another_place_says_is_no_question(field: str) -> None:
    """A client's own, which would be passed on to a backend that may believe it."""
    assert reason("nginx", *NGINX, field) == "question-conflict"


def test_another_kinds_place_is_no_question_for_the_others() -> None:
    for field in ("X-Original-URI: /public/", "X-Original-Method: GET"):
        assert reason("caddy", *OTHERS, field) == "question-conflict"
        host = "Host: app.example.com"
        assert reason("envoy", host, field) == "question-conflict"
    for field in OTHERS[1:2] + OTHERS[3:]:
        assert reason("envoy", "Host: app.example.com", field) == "question-conflict"


@pytest.mark.parametrize(
    "field",
    [
        "X_Forwarded_Proto: http",
        "X-Remote-User: admin",
        "X_Remote_User: admin",
        "X-HTTP-Method-Override: DELETE",
        "X_Original_URI: /public/",
        "Remote.User: admin",
    ],
)
def test_a_field_that_only_we_may_send_is_no_question(field: str) -> None:
    """The other proxy would forward it; here it would never get to the backend."""
    assert reason("traefik", *OTHERS, field) == "field-forged"


@pytest.mark.parametrize(
    "path",
    [
        "/public/../admin",
        "/public/%2e%2E/admin",
        "/public/..;/admin",
        "//admin",
        "/public//admin",
        "/./admin",
        "/admin/.",
        "/public/%2e",
    ],
)
@pytest.mark.parametrize("asker", ["nginx", "caddy", "envoy"])
def test_a_path_that_servers_resolve_differently_is_refused(
    asker: Asker, path: str
) -> None:
    """Who forwards it forwards it as it is."""
    fields, line = {
        "nginx": ((*NGINX[:2], f"X-Original-URI: {path}"), "GET / HTTP/1.1"),
        "caddy": ((*OTHERS[:3], f"X-Forwarded-Uri: {path}"), "GET / HTTP/1.1"),
        "envoy": (("Host: app.example.com",), f"GET {path} HTTP/1.1"),
    }[asker]
    refused = {"path-ambiguous", "path-dot-parameters"}
    assert reason(asker, *fields, line=line) in refused


def test_escapes_are_made_alike() -> None:
    fields = (*OTHERS[:3], "X-Forwarded-Uri: /%61dmin/%c3%a4")
    assert read("caddy", *fields).path == "/admin/%C3%A4"


@pytest.mark.parametrize(
    "target",
    [
        "https://app.example.com/",
        "admin",
        "*",
        "/a#b",
        "/a b",
        "/a\\b",
        "/%00",
        "/%zz",
        "/%c0%ae",
    ],
)
def test_what_is_no_path_is_refused(target: str) -> None:
    assert reason("caddy", *OTHERS[:3], f"X-Forwarded-Uri: {target}") in {
        "target-malformed",
        "path-escape",
        "path-overlong",
    }


def test_a_url_has_to_be_one() -> None:
    for url in ("app.example.com/a", "/a", "https://app.example.com", "ftp://a/b"):
        fields = (*URL[:2], f"X-Original-URL: {url}")
        assert reason("nginx", *fields) == "target-malformed"
    fields = (*URL[:2], "X-Original-URL: https://a@app.example.com/")
    assert reason("nginx", *fields) == "host-malformed"
    assert reason("nginx", *URL, NGINX[2]) == "question-conflict"


def test_methods_are_those_that_are_served() -> None:
    for method in ("TRACE", "CONNECT"):
        fields = (OTHERS[0], f"X-Forwarded-Method: {method}", *OTHERS[2:])
        assert reason("caddy", *fields) == "method-refused"
    for method in ("get", "GET, POST", "BREW"):
        fields = (OTHERS[0], f"X-Forwarded-Method: {method}", *OTHERS[2:])
        assert reason("caddy", *fields) == "method-unknown"


def test_several_hosts_are_none() -> None:
    fields = (*OTHERS[:2], "X-Forwarded-Host: a.example.com, b.example.com", OTHERS[3])
    assert reason("caddy", *fields) == "host-malformed"


def test_a_question_has_no_body() -> None:
    assert reason("nginx", *NGINX, "Content-Length: 5") == "question-with-body"
    chunked = "Transfer-Encoding: chunked"
    assert reason("nginx", *NGINX, chunked) == "question-with-body"
    assert read("nginx", *NGINX, "Content-Length: 0").method == "POST"
