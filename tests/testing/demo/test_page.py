from typing import Any

from twisted.web.test.requesthelper import DummyRequest

from sso_proxy.pages.kit import hash_source
from sso_proxy.testing.demo.page import Page


def test_a_page_is_escaped_and_runs_nothing() -> None:
    request: Any = DummyRequest([])
    body = Page("<p>{{ x }}</p>").answer(request, "<T>", "above", 400, x="<b>").decode()
    assert request.responseCode == 400
    assert "<p>&lt;b&gt;</p>" in body
    assert "&lt;T&gt;</h1>" in body
    (policy,) = request.responseHeaders.getRawHeaders("content-security-policy")
    style = body.partition("<style>")[2].partition("</style>")[0]
    assert hash_source(style) in policy
    assert policy.startswith("default-src 'none'")
