"""WebSocket handshakes (F13)."""

import attrs
import pytest

from sso_proxy.errors import BadAnswerError, BadMessageError
from sso_proxy.model import RequestHead
from sso_proxy.specs.http.answer import Answer
from sso_proxy.specs.http.websocket import (
    accept_for,
    check_switch,
    check_upgrade,
    origin_allowed,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def head(
    method: str = "GET", key: str | None = KEY, version: str | None = "13"
) -> RequestHead:
    fields = (("sec-websocket-key", key), ("sec-websocket-version", version))
    return RequestHead(
        method=method,
        scheme="https",
        host="a.example",
        port=443,
        path="/",
        headers=tuple((name, value) for name, value in fields if value is not None),
    )


def answer(accept: str | None = ACCEPT) -> Answer:
    return Answer(
        minor=1,
        status=101,
        phrase="",
        headers=() if accept is None else (("sec-websocket-accept", accept),),
        length=0,
        chunked=False,
        until_close=False,
        keep_alive=True,
        upgrade="websocket",
    )


def test_the_accept_value_is_that_of_the_rfc() -> None:
    """RFC 6455 section 1.3."""
    assert accept_for(KEY) == ACCEPT


def test_a_good_handshake_gives_its_key() -> None:
    assert check_upgrade(head()) == KEY


@pytest.mark.parametrize("version", [None, "", "8", "13, 8", "013"])
def test_another_version_is_refused(version: str | None) -> None:
    with pytest.raises(BadMessageError, match="websocket-version"):
        check_upgrade(head(version=version))


@pytest.mark.parametrize("key", [None, "", "x", KEY[:-1], KEY + "=", "A" * 22 + "=="])
def test_a_key_is_sixteen_octets(key: str | None) -> None:
    if key == "A" * 22 + "==":
        assert check_upgrade(head(key=key)) == key
    else:
        with pytest.raises(BadMessageError, match="websocket-key"):
            check_upgrade(head(key=key))


def test_a_key_that_is_not_canonical_base64_is_refused() -> None:
    with pytest.raises(BadMessageError, match="websocket-key"):
        check_upgrade(head(key="A" * 21 + "B=="))


def test_only_get_opens_a_websocket() -> None:
    with pytest.raises(BadMessageError, match="websocket-method"):
        check_upgrade(head(method="POST"))


def test_a_switch_is_believed_with_the_right_accept_only() -> None:
    check_switch(answer(), KEY)
    bad = [
        answer(None),
        answer(accept_for("A" * 22 + "==")),
        attrs.evolve(answer(), status=200),
        attrs.evolve(answer(), upgrade=None),
        attrs.evolve(answer(), upgrade="h2c"),
        attrs.evolve(answer(), headers=answer().headers * 2),
    ]
    for switched in bad:
        with pytest.raises(BadAnswerError, match="websocket-switch"):
            check_switch(switched, KEY)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("https://a.example", True),
        ("https://A.example:443", True),
        ("https://other.example", True),
        ("http://a.example", False),
        ("https://a.example:444", False),
        ("https://a.example.evil.example", False),
        ("https://a.example/", False),
        ("https://u@a.example", False),
        ("null", False),
        ("", False),
        ("a.example", False),
        ("https://", False),
    ],
)
def test_a_foreign_origin_opens_nothing(origin: str | None, *, allowed: bool) -> None:
    """RFC 6455 section 10.2."""
    others = ("https://other.example",)
    assert origin_allowed(origin, "https", "a.example", 443, others) is allowed
