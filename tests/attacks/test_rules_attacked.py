"""Sections A and B of the reference against rules: no spelling gets around them."""

import pytest

from tests.attacks.conftest import Scene
from tests.attacks.test_identity_fields import spellings

DENIED = [
    "/ruled/secret",
    "/ruled/secret/x",
    "/ruled//secret/x",
    "/ruled/./secret/x",
    "/ruled/%73ecret/x",
    "/ruled/a/../secret/x",
    "/public/%2e%2e/ruled/secret/",
    "/ruled/secret/x?path=/ruled/public",
    "/ruled/secret//..//secret",
    "/ruled/by/admin",
    "/ruled/by/%61dmin/x",
    "/ruled/by/x/../admin/",
]


@pytest.mark.parametrize("target", DENIED)
def test_a_rule_sees_every_spelling_of_its_path(scene: Scene, target: str) -> None:
    assert scene.get(target).status == 403
    assert scene.seen() == []


@pytest.mark.parametrize(
    "target",
    [
        "/ruled/secret;x/y",
        "/ruled/secret%3Bx",
        "/ruled%2Fsecret/x",
        "/ruled/a%2F..%2Fsecret/x",
        "/ruled/x%5C..%5Csecret",
        "/ruled/..;/secret",
        "/ruled/by/admin%2Fx",
        "/ruled/by/admin%00/",
    ],
)
def test_a_path_with_two_readings_reaches_no_rule(scene: Scene, target: str) -> None:
    assert scene.get(target).status == 400
    assert scene.seen() == []


@pytest.mark.parametrize(
    "target",
    ["/ruled/SECRET/x", "/ruled/secret./x", "/ruled/secrets", "/ruled/by/adm%C4%B1n"],
)
def test_another_path_is_another_path(scene: Scene, target: str) -> None:
    """A file system of Windows would take some of them for one; it says so itself."""
    assert scene.get(target).status == 200
    [seen] = scene.seen()
    assert seen.target == target


@pytest.mark.parametrize(
    "host",
    [b"closed.example", b"CLOSED.Example", b"closed.example.", b"closed.example:80"],
)
def test_a_rule_sees_every_spelling_of_its_host(scene: Scene, host: bytes) -> None:
    assert scene.get("/ruled/x", host=host).status == 403
    assert scene.seen() == []


@pytest.mark.parametrize(
    "field",
    [
        b"X-Forwarded-Host: a",
        b"X-Original-URL: /ruled/x",
        b"X-Rewrite-URL: /ruled/x",
        b"X-HTTP-Method-Override: GET",
    ],
)
def test_no_field_changes_what_rules_see(scene: Scene, field: bytes) -> None:
    head = b"DELETE /ruled/x HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n"
    assert scene.ask(head)[0].status == 403
    assert scene.get("/ruled/secret/", field).status == 403
    assert scene.get("/ruled/x", field, host=b"closed.example").status == 403
    assert scene.seen() == []


def test_a_method_that_a_field_names_goes_nowhere(scene: Scene) -> None:
    for name in (b"X-HTTP-Method-Override", b"X_Http_Method", b"X.Method.Override"):
        assert scene.get("/ruled/x", name + b": DELETE").status == 200
    for seen in scene.seen():
        assert "DELETE" not in str(seen.headers)


def test_what_a_rule_sets_is_said_by_nobody_else(scene: Scene) -> None:
    for name in spellings("X-Purpose"):
        assert scene.get("/ruled/x", f"{name}: forged".encode()).status == 200
        assert scene.get("/public", f"{name}: forged".encode()).status == 200
    ruled, *_ = found = scene.seen()
    assert ruled.values("x-purpose") == ["ruled"]
    for seen in found:
        assert "forged" not in str(seen.headers)


def test_what_a_rule_removes_is_removed_in_every_spelling(scene: Scene) -> None:
    for name in spellings("X-Debug"):
        assert scene.get("/ruled/x", f"{name}: forged".encode()).status == 200
    for seen in scene.seen():
        assert "forged" not in str(seen.headers)


def test_a_connection_that_was_permitted_is_judged_by_each_path(scene: Scene) -> None:
    """The short way for equal heads asks the rules, too."""
    paths = (
        b"/ruled/x",
        b"/ruled/x",
        b"/ruled/secret/x",
        b"/ruled/by/admin",
        b"/ruled/y",
    )
    heads = [b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n" for path in paths]
    answers = [got.status for got in scene.ask(*heads)]
    assert answers[:5] == [200, 200, 403, 403, 200]
