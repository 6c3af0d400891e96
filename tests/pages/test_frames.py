"""Frames that nobody sees."""

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.pages.frames import make_frame
from sso_proxy.pages.kit import hash_source


class Found(HTMLParser):
    """What a browser reads."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_only_our_script_runs_and_only_our_pages_frame_it() -> None:
    headers, page = make_frame("told.js", {"status": "ended"}, title="Session")
    fields = dict(headers)
    (script,) = re.findall(r"<script[^>]*>(.*)</script>", page.decode(), re.DOTALL)
    assert fields["content-security-policy"].split("; ") == [
        "default-src 'none'",
        f"script-src {hash_source(script)}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    ]
    assert fields["cache-control"] == "no-store"


def test_the_providers_frame_is_the_only_one_but_ours() -> None:
    headers, page = make_frame(
        "watch.js",
        {},
        title="Session",
        inner="https://op.example/f?a=b&c='\"",
        frames=("https://op.example",),
    )
    policy = dict(headers)["content-security-policy"]
    assert "frame-src 'self' https://op.example;" in policy
    assert "connect-src 'self';" in policy
    frame = dict(Found(page).tags)["iframe"]
    assert frame["src"] == "https://op.example/f?a=b&c='\""


@given(st.text(st.characters(exclude_characters="\r\x00", codec="utf-8")))
def test_nothing_that_is_told_gets_out_of_its_attribute(text: str) -> None:
    """CVE-2019-1010247: what came in the URL was part of the script."""
    _, page = make_frame("told.js", {"state": text}, title="Session")
    tags = Found(page).tags
    assert [tag for tag, _ in tags] == ["html", "meta", "title", "body", "script"]
    assert dict(tags)["script"] == {"data-state": text}
