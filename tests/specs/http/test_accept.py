"""What kind of answer a caller can use."""

import pytest

from sso_proxy.model import RequestHead
from sso_proxy.specs.http.accept import (
    comes_from_own_page,
    is_form_submission,
    is_navigation,
    prefers_html,
)

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


def test_a_form_that_somebody_sends_can_wait_for_a_login() -> None:
    assert is_form_submission(head(NAVIGATION, "POST"))
    assert is_form_submission(head({"accept": BROWSER}, "POST"))


def test_what_a_script_posts_cannot_wait_for_a_login() -> None:
    assert not is_form_submission(
        head({**NAVIGATION, "sec-fetch-mode": "cors"}, "POST")
    )
    assert not is_form_submission(head({"accept": "application/json"}, "POST"))
    assert not is_form_submission(head(NAVIGATION, "PUT"))


@pytest.mark.parametrize(
    ("fields", "own"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "https://a.example"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"origin": "https://a.example"}, True),
        ({}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-site", "origin": "https://a.example"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "https://b.example"}, False),
        ({"origin": "https://b.example"}, False),
        ({"origin": "http://a.example"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "null"}, False),
    ],
)
def test_a_page_of_ours_sent_it(fields: dict[str, str], *, own: bool) -> None:
    assert comes_from_own_page(head(fields, "POST"), "https://a.example") is own
