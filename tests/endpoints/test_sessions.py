"""Questions of operators about sessions, over HTTP."""

from io import BytesIO
from typing import Any

import pytest
from twisted.web.test.requesthelper import DummyRequest

from sso_proxy.endpoints.answer import Answer
from sso_proxy.endpoints.sessions import answer_sessions
from sso_proxy.errors import SsoProxyError
from tests.support.caching import now

JSON = b"application/json"


def ask(
    content: bytes,
    done: dict[str, Any] | Exception,
    kind: bytes = JSON,
) -> tuple[Answer, list[object]]:
    asked: list[object] = []

    async def manage(document: object) -> dict[str, Any]:
        asked.append(document)
        if isinstance(done, Exception):
            raise done
        return dict(done)

    request: Any = DummyRequest([b""])
    request.content = BytesIO(content)
    request.requestHeaders.setRawHeaders(b"content-type", [kind])
    return now(answer_sessions(manage, request)), asked


def test_what_came_of_it_is_told() -> None:
    answer, asked = ask(b'{"do": "list"}', {"status": 200, "sessions": []})
    assert (answer.status, answer.body) == (200, b'{"sessions": []}\n')
    assert asked == [{"do": "list"}]


def test_what_was_done_in_part_is_told() -> None:
    done = {"status": 503, "ended": ["a"], "missing": ["session.b: x"]}
    answer, _ = ask(b"{}", done)
    assert answer.status == 503
    assert b'"ended": ["a"]' in answer.body


def test_a_problem_is_told() -> None:
    answer, _ = ask(b"{}", {"status": 404, "problem": "no such"})
    assert (answer.status, answer.body) == (404, b"no such\n")


def test_nobody_who_answers_is_told() -> None:
    answer, _ = ask(b"{}", SsoProxyError("no worker is ready"))
    assert (answer.status, answer.body) == (503, b"no worker is ready\n")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"do": 1, "do": 2}', b"\xff"])
def test_what_is_no_object_is_not_looked_at(content: bytes) -> None:
    answer, asked = ask(content, {"status": 200})
    assert (answer.status, asked) == (400, [])


def test_what_a_page_could_send_is_not_looked_at() -> None:
    """Such a form's type needs no preflight (C35)."""
    answer, asked = ask(b"{}", {"status": 200}, b"text/plain")
    assert (answer.status, asked) == (415, [])
