"""JSON of others is read in one way, or not at all."""

import pytest

from sso_proxy.specs.authzen.reading import need_object, read_content
from sso_proxy.specs.authzen.values import AuthzenError


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8"]
)
def test_an_object_is_read(kind: str) -> None:
    assert read_content(kind, b' {"a": 1}', "it") == {"a": 1}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (None, b"{}"),
        ("text/plain", b"{}"),
        ("application/json, text/html", b"{}"),
        ("application/json; charset=utf-16", b"{}"),
        ("application/json", b""),
        ("application/json", b"[]"),
        ("application/json", b"true"),
        ("application/json", b'{"a": 1, "a": 2}'),
        ("application/json", b'{"a": NaN}'),
        ("application/json", b"{} {}"),
        ("application/json", b"\xff"),
        ("application/json", b'{"a":' * 40 + b"1" + b"}" * 40),
    ],
)
def test_what_has_no_one_meaning_is_refused(kind: str | None, body: bytes) -> None:
    with pytest.raises(AuthzenError):
        read_content(kind, body, "it")


@pytest.mark.parametrize(
    ("value", "detail"), [(None, "it is missing"), ([], "it is no object")]
)
def test_an_object_is_needed(value: object, detail: str) -> None:
    with pytest.raises(AuthzenError) as caught:
        need_object(value, "it")
    assert caught.value.detail == detail
