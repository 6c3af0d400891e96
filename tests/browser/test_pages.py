"""Our pages in a browser: on a phone and a desk, light and dark, by keyboard."""

import itertools
import os
from pathlib import Path
from typing import Any, Final

import pytest

from sso_proxy.config.model import PagesConfig
from sso_proxy.endpoints.accounts import Account, Line, moment
from sso_proxy.pages import Pages, default_pages, load_pages
from sso_proxy.testing.fakes import make_request
from tests.support.chromium import Chromium
from tests.support.page_checks import check_page

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">'
    '<circle cx="20" cy="20" r="20" fill="#0b7285"/></svg>'
)
LONG = "Unternehmensanmeldedienst" * 4
CHOICES = [
    ("Staff", "/.sso/login?with=staff&to=%2F"),
    ("Customers and partners", "/.sso/login?with=customers&to=%2F"),
    (LONG, "/.sso/login?with=long"),
]
PAGES: Final = ("error", "login", "choose", "restore", "fragment", "account")
LOOKS: Final[dict[str, dict[str, Any]]] = {
    f"{name}-{'dark' if dark else 'light'}": {
        "width": width,
        "height": height,
        "dark": dark,
    }
    for name, width, height in (("phone", 360, 740), ("desk", 1280, 800))
    for dark in (False, True)
}
SCREENSHOTS = os.environ.get("SCREENSHOTS")  # a directory to keep what was seen


def make(pages: Pages, name: str, language: str = "en") -> Any:  # noqa: ANN401
    fields = {"Accept": "text/html", "Accept-Language": language}
    head = make_request(headers=fields).head
    number = "01jd3v7w-5yk2m8q4r6t9x0z1a3c5e7g9"
    match name:
        case "error":
            return pages.error("", 503, head, number)
        case "login":
            return pages.error("login-loop", 429, head, number, "/orders/?page=2")
        case "choose":
            return pages.choose(CHOICES, head, number)
        case "account":
            return make_account(pages, head, number)
        case "fragment":
            return pages.fragment("/done", "answer", head, number)
        case _:
            return pages.restore(
                "/done", "post", [("submit", "ü"), ("b", "")], head, "1"
            )


def make_account(pages: Pages, head: Any, number: str) -> Any:  # noqa: ANN401
    now = 1_800_000_000.0

    def line(seconds: float, *, this: bool = False, bound: bool = True) -> Line:
        used = moment(now - seconds / 9, now)
        since = moment(now - seconds, now)
        return Line(id=f"id{seconds}", this=this, created=since, used=used, bound=bound)

    account = Account(
        person="Alice Archer",
        names=("alice.archer@example.com",),
        provider="Corporate login",
        created=moment(now - 185, now),
        expires=moment(now + 28_000, now),
        idle=moment(now + 1800, now),
        bound=("device",),
        sessions=(line(185, this=True), line(9000), line(300_000, bound=False)),
    )
    return pages.render(
        "account",
        head=head,
        request_id=number,
        accounts=(account,),
        action="/done",
        logout="/out",
        everywhere=True,
        but=False,
        outcome="ended",
    )


@pytest.fixture
def branded(tmp_path: Path) -> Pages:
    (tmp_path / "logo.svg").write_text(SVG)
    logo = str(tmp_path / "logo.svg")
    return load_pages(PagesConfig(title="Example & Daughters", logo=logo))


@pytest.mark.parametrize("look", LOOKS)
def test_pages_are_good_for_everybody(
    chromium: Chromium,
    shown: Any,  # noqa: ANN401
    branded: Pages,
    look: str,
) -> None:
    # Without scripts, so that the form stays to be looked at.
    with chromium.tab(**LOOKS[look], script=False) as tab:
        for name, kind in itertools.product(PAGES, ("plain", "branded")):
            pages = branded if kind == "branded" else default_pages()
            language = "de" if kind == "branded" else "en"
            tab.go(shown.show(make(pages, name, language)))
            if SCREENSHOTS:
                tab.screenshot(Path(SCREENSHOTS, f"{name}-{look}-{kind}.png"))
            check_page(tab)


def test_a_form_sends_itself(chromium: Chromium, shown: Any) -> None:  # noqa: ANN401
    url = shown.show(make(default_pages(), "restore"))
    shown.show(((), b"<p>arrived"), "/done")
    with chromium.tab() as tab:
        tab.go(url)
        tab.wait("document.body.innerText == 'arrived'")
        assert shown.posted == ["submit=%C3%BC&b="]


def test_without_scripts_a_button_sends_the_form(
    chromium: Chromium,
    shown: Any,  # noqa: ANN401
) -> None:
    url = shown.show(make(default_pages(), "restore"))
    shown.show(((), b"<p>arrived"), "/done")
    with chromium.tab(script=False) as tab:
        tab.go(url)
        assert shown.posted == []
        tab.press("Tab")
        tab.press("Enter")
        tab.wait("document.body.innerText == 'arrived'")
        assert shown.posted == ["submit=%C3%BC&b="]


def test_what_is_behind_the_number_sign_is_sent_and_goes_away(
    chromium: Chromium,
    shown: Any,  # noqa: ANN401
) -> None:
    """Neither the address bar nor the history has it then."""
    url = shown.show(make(default_pages(), "fragment"))
    shown.show(((), b"<p>arrived"), "/done")
    with chromium.tab() as tab:
        tab.go(shown.show(((), b"<p>before"), "/before"))
        tab.go(f"{url}#id_token=a.b&state=%C3%BC%2B&x=1+2")
        tab.wait("document.body.innerText == 'arrived'")
        assert shown.posted == [
            "answer=id_token%3Da.b%26state%3D%25C3%25BC%252B%26x%3D1%2B2"
        ]
        seen = tab.call("Page.getNavigationHistory")["entries"]
        assert "id_token" not in str(seen)


def test_what_answers_a_form_may_lead_to_another_host(
    chromium: Chromium,
    shown: Any,  # noqa: ANN401
) -> None:
    url = shown.show(make(default_pages(), "restore"))
    elsewhere = shown.origin.replace("127.0.0.1", "localhost") + "/there"
    shown.show(((("location", elsewhere),), b""), "/done")
    shown.show(((), b"<p>arrived"), "/there")
    with chromium.tab() as tab:
        tab.go(url)
        tab.wait("document.body.innerText == 'arrived'")
        assert tab.url == elsewhere


def test_one_session_of_several_is_ended_by_keyboard(
    chromium: Chromium,
    shown: Any,  # noqa: ANN401
) -> None:
    url = shown.show(make(default_pages(), "account"))
    shown.show(((), b"<p>arrived"), "/done")
    with chromium.tab(script=False) as tab:
        tab.go(url)
        for _ in range(3):  # Log out, End, End
            tab.press("Tab")
        tab.press("Enter")
        tab.wait("document.body.innerText == 'arrived'")
        assert shown.posted == ["session=id300000&do=end"]
