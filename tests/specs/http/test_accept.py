"""What kind of answer a caller can use."""

import pytest

from sso_proxy.model import RequestHead
from sso_proxy.specs.http.accept import is_navigation, prefers_html

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
NAVIGATION = {
    "accept": BROWSER,
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}


def head(fields: dict[str, str], method: str = "GET") -> RequestHead:
    return RequestHead(
        method=method,
        scheme="https",
        host="a.example",
        port=443,
        path="/",
        headers=tuple(fields.items()),
    )


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (BROWSER, True),
        ("TEXT/HTML", True),
        ("application/json, text/html", True),
        ("text/html;q=0.5, application/json;q=0.4", True),
        ("text/html;level=1; q=0.5, application/json;q=0.6", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0", False),
        ("*/*", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_a_page_is_for_who_asks_for_one(accept: str, *, html: bool) -> None:
    assert prefers_html(head({"accept": accept})) is html


def test_without_accept_it_is_a_program() -> None:
    assert not prefers_html(head({}))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_browser_that_navigates_can_be_sent_to_log_in(method: str) -> None:
    assert is_navigation(head(NAVIGATION, method))
    assert is_navigation(head({"accept": BROWSER}, method))


@pytest.mark.parametrize(
    "fields",
    [
        {"accept": "*/*"},
        {"accept": BROWSER, "x-requested-with": "XMLHttpRequest"},
        {**NAVIGATION, "sec-fetch-mode": "cors"},
        {**NAVIGATION, "sec-fetch-mode": "no-cors"},
        {**NAVIGATION, "sec-fetch-dest": "iframe"},
        {**NAVIGATION, "sec-fetch-dest": "image"},
        {**NAVIGATION, "sec-purpose": "prefetch"},
        {"accept": BROWSER, "sec-fetch-mode": "navigate"},
    ],
)
def test_anything_else_cannot_log_in(fields: dict[str, str]) -> None:
    assert not is_navigation(head(fields))


def test_a_form_that_is_posted_is_no_navigation() -> None:
    """A redirect would lose what was posted."""
    assert not is_navigation(head(NAVIGATION, "POST"))
