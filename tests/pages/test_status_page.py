"""The status page's templates."""

import re

import pytest

from sso_proxy.endpoints.status_view import build_view
from sso_proxy.pages.status_page import SCRIPT, STYLE, render_status, status_file
from tests.support.status_document import NOW, busy_status


def page() -> str:
    view = build_view(busy_status(), NOW)
    ours = {"root": "/status/x/", "token": "t", "said": "", "look": "ok"}
    return render_status("status", **view, **ours)


def test_nothing_is_loaded_from_elsewhere() -> None:
    text = page()
    links = re.findall(r'(?:src|href|action)="([^"]*)"', text)
    assert all(link.startswith(("/status/x/", "#", "data:,")) for link in links), links
    assert "url(" not in status_file(STYLE).decode()


def test_nothing_needs_an_exception_from_the_policy() -> None:
    text = page()
    assert not re.search(r"<style|<script>|\son\w+=|\sstyle=", text)


def test_each_live_part_can_be_found_again() -> None:
    parts = re.findall(r"<\w+[^>]*data-live[^>]*>", page())
    assert len(parts) > 8
    assert all(" id=" in part for part in parts)


@pytest.mark.parametrize("name", [STYLE, SCRIPT])
def test_files_are_ascii_but_for_signs(name: str) -> None:
    assert status_file(name).decode("utf-8")


def luminance(colour: str) -> float:
    full = colour if len(colour) == 7 else "#" + "".join(2 * c for c in colour[1:])
    parts = [int(full[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read(dark: bool) -> None:  # noqa: FBT001
    """WCAG 2.2, 1.4.3: 4.5 to 1; 1.4.11, for what is drawn: 3 to 1."""
    style = status_file(STYLE).decode()
    light, night = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", light))
    if dark:
        colours |= dict(re.findall(r"--([\w-]+): (#\w+)", night))
    for text, ground in (
        ("text", "ground"),
        ("text", "card"),
        ("quiet", "card"),
        ("quiet", "ground"),
        ("accent", "card"),
        ("accent", "hover"),
        ("failed", "card"),
        ("failed", "hover"),
        ("on-accent", "accent"),
        *((state, f"{state}-ground") for state in ("ok", "refused", "failed")),
        *(("text", f"{state}-ground") for state in ("ok", "refused", "failed")),
        *(("quiet", "hover"),),
    ):
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    fills = ("ok-fill", "moved", "refused-fill", "failed-fill")
    for drawn in (*fills, "p50", "p90", "p99"):
        assert contrast(colours[drawn], colours["card"]) >= 3, drawn
