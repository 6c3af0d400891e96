"""Answers are read from where they were to come, and from nowhere else."""

import attrs
import pytest

from sso_proxy.authn.oidc_callback import lacks_answer, read_callback
from sso_proxy.errors import BadMessageError
from sso_proxy.model import Request
from sso_proxy.specs.oidc.response import AnswerError
from sso_proxy.testing.fakes import make_request
from tests.support.caching import now

FORM = {"content-type": "application/x-www-form-urlencoded"}


class FakeBody:
    """A body that is here."""

    def __init__(self, content: bytes) -> None:
        self.content: bytes | None = content

    async def read(self, limit: int) -> bytes:
        assert self.content is not None
        if len(self.content) > limit:
            raise BadMessageError(413, "body-too-large")
        return self.content


def posted(content: bytes, headers: dict[str, str], query: str = "") -> Request:
    request = make_request("POST", query=query, headers=headers)
    return attrs.evolve(request, body=FakeBody(content))


def test_a_query_is_read() -> None:
    request = make_request(query="code=a%20b&state=s")
    found = now(read_callback(request))
    assert found == ("query", (("code", "a b"), ("state", "s")))


def test_a_form_is_read_and_the_query_beside_it_is_not() -> None:
    request = posted(b"code=a&state=s", FORM, query="code=other")
    found = now(read_callback(request))
    assert found == ("form_post", (("code", "a"), ("state", "s")))


def test_what_our_page_sends_is_a_fragment() -> None:
    request = posted(b"__sso_fragment=code%3Da%2520b%26state%3Ds", FORM)
    found = now(read_callback(request))
    assert found == ("fragment", (("code", "a b"), ("state", "s")))


def test_a_fragment_can_be_empty() -> None:
    request = posted(b"__sso_fragment=", FORM)
    assert now(read_callback(request)) == ("fragment", ())


def test_an_answer_may_be_where_only_a_page_can_read_it() -> None:
    assert lacks_answer(make_request())
    assert lacks_answer(make_request(query=""))
    assert not lacks_answer(make_request(query="error=x"))
    assert not lacks_answer(make_request("POST"))
    assert not lacks_answer(make_request("HEAD"))


@pytest.mark.parametrize(
    "request_",
    [
        make_request("PUT", query="code=a&state=s"),
        make_request("POST", query="code=a&state=s", headers=FORM),
        posted(b"code=a", {}),
        posted(b"code=a", {"content-type": "text/plain"}),
        posted(b"code=a", {**FORM, "content-encoding": "gzip"}),
        posted(b"code=" + b"a" * 70000, FORM),
        posted(b"code=\xff", FORM),
        posted(b"__sso_fragment=code%3Da&code=b", FORM),
        posted(b"__sso_fragment=a%3Db&__sso_fragment=a%3Db", FORM),
        posted(b"__sso_fragment=code%3D%25ff", FORM),
        make_request(query="code=%ff"),
    ],
)
def test_anything_else_is_no_answer(request_: Request) -> None:
    with pytest.raises(AnswerError):
        now(read_callback(request_))
