"""What browsers find at our endpoints: each kind has a part that answers."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from sso_proxy.endpoints.desks import BrowserEndpoints
from sso_proxy.model import Refusal, Request, Response
from sso_proxy.testing.fakes import make_request
from tests.support.caching import now


class Spoken:
    """A part that says what it was asked."""

    methods: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "logout": ("GET", "POST"),
        "logout/done": ("GET",),
        "logout/by": ("POST",),
    }

    async def answer(self, request: Request, name: str, rest: str) -> Response | None:
        """Say it."""
        del request
        if rest == "nothing":
            return None
        return Response(status=200, reason=f"{name}|{rest}")


class Starts:
    """Begins no login."""

    async def start(
        self,
        request: Request,  # noqa: ARG002
        names: Sequence[str],
        refusal: Refusal | None = None,  # noqa: ARG002
    ) -> Response | None:
        """Say which it was asked for."""
        return Response(status=302, reason=" ".join(names))


ENDPOINTS = BrowserEndpoints("/.sso/", Starts(), [Spoken()])


def ask(path: str, method: str = "GET") -> Response | None:
    return now(ENDPOINTS.answer(make_request(path=path, method=method)))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/.sso/logout", "logout|"),
        ("/.sso/logout/", "logout|"),
        ("/.sso/logout/done", "logout/done|"),
        ("/.sso/logout/else", "logout|else"),
        ("/.sso/logout/else/more", "logout|else/more"),
    ],
)
def test_the_longest_name_answers(path: str, reason: str) -> None:
    answer = ask(path)

    assert answer is not None
    assert answer.reason == reason


def test_what_is_left_of_the_path_is_told() -> None:
    answer = ask("/.sso/logout/by/corp/1", "POST")

    assert answer is not None
    assert answer.reason == "logout/by|corp/1"


@pytest.mark.parametrize(
    "path", ["/.sso/", "/.sso/other", "/else/logout", "/.sso/logout/nothing"]
)
def test_what_nobody_knows_is_nowhere(path: str) -> None:
    assert ask(path) is None


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/.sso/logout", "GET, POST"),
        ("POST", "/.sso/logout/done", "GET"),
        ("GET", "/.sso/logout/by/corp", "POST"),
    ],
)
def test_each_endpoint_has_its_methods(method: str, path: str, allow: str) -> None:
    answer = ask(path, method)

    assert answer is not None
    assert (answer.status, answer.reason) == (405, "method")
    assert answer.headers == (("allow", allow),)


def test_logins_begin_where_they_are_asked_for() -> None:
    answer = now(ENDPOINTS.start(make_request(), ["a", "b"]))
    assert answer is not None
    assert answer.reason == "a b"
