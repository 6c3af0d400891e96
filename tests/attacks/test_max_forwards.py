"""OPTIONS that may not be forwarded is answered here, to those who may ask."""

import pytest

from tests.attacks.conftest import Scene

REST = b" HTTP/1.1\r\nHost: a\r\nMax-Forwards: %d\r\n"


def test_zero_is_answered_here(scene: Scene) -> None:
    request = b"OPTIONS /here" + REST % 0 + b"\r\n"
    first, _ = scene.ask(request)
    assert first.status == 204
    assert "OPTIONS" in first.values("allow")[0].split(", ")
    assert not [seen for seen in scene.seen() if seen.target == "/here"]


def test_zero_without_a_credential_is_refused_as_ever(scene: Scene) -> None:
    first, _ = scene.ask(b"OPTIONS /token/" + REST % 0 + b"\r\n")
    assert first.status == 401


def test_zero_is_refused_to_who_may_not_do_it(scene: Scene) -> None:
    request = b"OPTIONS /token/read/" + REST % 0 + scene.token() + b"\r\n\r\n"
    assert scene.ask(request)[0].status == 403


def test_more_is_forwarded_as_one_less(scene: Scene) -> None:
    scene.ask(b"OPTIONS /there" + REST % 2 + b"\r\n")
    [seen] = scene.seen()
    assert seen.values("max-forwards") == ["1"]


def test_what_is_no_number_is_400(scene: Scene) -> None:
    request = b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: many\r\n\r\n"
    assert scene.ask(request)[0].status == 400


@pytest.mark.parametrize("before", [b"GET", b"HEAD"])
def test_what_was_decided_on_another_method_is_not_reused(
    scene: Scene, before: bytes
) -> None:
    """The header section is the same, octet for octet; what it means is not."""
    with scene.client() as client:
        client.send(before + b" /again" + REST % 0 + b"\r\n")
        heads = [0] if before == b"HEAD" else []
        assert client.read(1, heads=heads)[0].status == 200
        client.send(b"OPTIONS /again" + REST % 0 + b"\r\n")
        assert client.read(2, heads=heads)[1].status == 204


def test_a_repetition_is_one_less_than_what_came(scene: Scene) -> None:
    request = b"OPTIONS /twice" + REST % 5 + b"\r\n"
    scene.ask(request, request)
    assert [s.values("max-forwards") for s in scene.seen()] == [["4"], ["4"]]
