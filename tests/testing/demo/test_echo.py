import io
import json
from typing import Any

from twisted.web.test.requesthelper import DummyRequest

from sso_proxy.testing.demo.echo import Echo


def echo(body: bytes | None) -> Any:  # noqa: ANN401 - JSON
    request: Any = DummyRequest([])
    request.method = b"POST"
    request.uri = b"/orders/42?all"
    request.requestHeaders.addRawHeader(b"X-A", b"1")
    request.requestHeaders.addRawHeader(b"X-A", b"2")
    request.content = None if body is None else io.BytesIO(body)
    return json.loads(Echo().render(request))


def test_answer_is_what_was_sent() -> None:
    seen = echo(b"four")
    assert seen["method"] == "POST"
    assert seen["target"] == "/orders/42?all"
    assert seen["body_octets"] == 4


def test_repeated_fields_stay_apart() -> None:
    assert [line for line in echo(None)["headers"] if "X-A" in line] == [
        "X-A: 1",
        "X-A: 2",
    ]
