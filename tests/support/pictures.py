"""Make the pictures of the documentation: our pages, always with the same data."""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from sso_proxy.endpoints.status_view import build_view
from sso_proxy.pages import default_pages
from sso_proxy.pages.status_page import STYLE, render_status, status_file
from sso_proxy.testing.fakes import make_request
from tests.support.chromium import Chromium
from tests.support.running import ROOT
from tests.support.status_document import NOW, busy_status

PICTURES: Final = {"status-page": (1280, 1180), "device-missing": (560, 480)}
"""What they are called, and the size of the screen."""
SCRIPTED: Final = "document.querySelectorAll('#pause').forEach(e => e.hidden = false)"
"""Shows what our scripts would; those would also ask for news of a proxy."""


def pages() -> Iterator[tuple[str, bytes]]:
    """Give the pages that are seen, with all that they need."""
    ours = {"root": "/", "token": "", "said": "", "look": "ok"}
    text = render_status("status", **build_view(busy_status(), NOW), **ours)
    style = f"<style>{status_file(STYLE).decode()}</style></head>"
    yield "status-page", text.replace("</head>", style, 1).encode()
    fields = {"Accept": "text/html", "Accept-Language": "en"}
    head = make_request(headers=fields).head
    number, again = "dd586cbc1147-96", "/orders/"
    yield (
        "device-missing",
        default_pages().error("device-missing", 403, head, number, again)[1],
    )


def make_pictures(directory: Path) -> None:
    """Write all of them into *directory*."""
    with tempfile.TemporaryDirectory() as name, Chromium() as browser:
        for picture, page in pages():
            file = Path(name, f"{picture}.html")
            file.write_bytes(page)
            width, height = PICTURES[picture]
            with browser.tab(width=width, height=height, script=False) as tab:
                tab.go(file.as_uri())
                tab.run(SCRIPTED)
                tab.screenshot(directory / f"{picture}.png")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path)
    chosen: Path | None = parser.parse_args(arguments).directory
    make_pictures(chosen or ROOT / "docs" / "howto")


if __name__ == "__main__":
    main()
