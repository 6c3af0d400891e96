"""An operator's files are tried before anybody sees them."""

from pathlib import Path

import pytest

from sso_proxy.config.model import PagesConfig
from sso_proxy.errors import ConfigError
from sso_proxy.pages.kit import hash_source
from sso_proxy.pages.load import LARGEST_FILE, LARGEST_LOGO, default_pages, load_pages
from sso_proxy.testing.fakes import make_request

BROWSER = make_request(headers={"Accept": "text/html"}).head
FRENCH = make_request(headers={"Accept": "text/html", "Accept-Language": "fr"}).head
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
SVG = b'<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'


def write(directory: Path, **files: str | bytes) -> str:
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (directory / name.replace("_", ".")).write_bytes(data)
    return str(directory)


def problems(config: PagesConfig) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_pages(config)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_the_default_pages_are_made_once() -> None:
    assert default_pages() is default_pages()


def test_a_template_is_replaced(tmp_path: Path) -> None:
    directory = write(tmp_path, error_html="<p>{{ title }} {{ words.again }}")
    pages = load_pages(PagesConfig(templates=directory))
    _, body = pages.error("", 404, BROWSER, "id-1")
    assert body == b"<p>Not Found Try again"


def test_a_template_of_an_operator_escapes_too(tmp_path: Path) -> None:
    directory = write(tmp_path, error_html="{{ request_id }}")
    pages = load_pages(PagesConfig(templates=directory))
    assert pages.error("", 404, BROWSER, "<b>")[1] == b"&lt;b&gt;"


def test_a_style_is_replaced_and_allowed_by_its_hash(tmp_path: Path) -> None:
    directory = write(tmp_path, style_css="p {}\r\nb {}\r\n")
    pages = load_pages(PagesConfig(templates=directory))
    headers, body = pages.error("", 404, BROWSER, "id-1")
    assert b"<style>p {}\nb {}\n</style>" in body
    assert hash_source("p {}\nb {}\n") in dict(headers)["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("eror_html", "", "pages.templates: eror.html is none of error.html,"),
        ("error_html", "a\n{% if %}", "pages.templates: error.html, line 2: "),
        ("error_html", "{{ nothing }}", "pages.templates: error.html: 'nothing' is"),
        ("error_html", "{% include 'x' %}", "pages.templates: x: x"),
        ("error_html", "{{ 1 / 0 }}", "pages.templates: error.html: ZeroDivision"),
        ("error_html", b"\xff", "pages.templates: error.html is not UTF-8"),
        ("error_html", "a" * (LARGEST_FILE + 1), "must not have more than 262144"),
        ("style_css", "</STYLE>", "pages.templates: style.css must not hold </style"),
        ("layout_html", "{% block main %}", "pages.templates: layout.html, line 1: "),
    ],
)
def test_a_template_that_cannot_be_used_stops_the_start(
    tmp_path: Path, name: str, content: str | bytes, problem: str
) -> None:
    directory = write(tmp_path, **{name: content})
    found = problems(PagesConfig(templates=directory))
    assert any(problem in line for line in found), found


def test_what_editors_leave_behind_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".error.html.swp").write_bytes(b"\xff")
    load_pages(PagesConfig(templates=str(tmp_path), messages=str(tmp_path)))


def test_a_text_is_replaced(tmp_path: Path) -> None:
    directory = write(tmp_path, en_toml='[status.404]\ntitle = "Nope"')
    pages = load_pages(PagesConfig(messages=directory))
    page = pages.error("", 404, BROWSER, "id-1")[1].decode()
    assert "Nope" in page
    assert "There is nothing here." in page


def test_a_language_is_added(tmp_path: Path) -> None:
    english = default_pages().catalogues["en"].texts
    lines = [f"{name} = 'bonjour'" for name in english]
    directory = write(tmp_path, fr_toml="\n".join(lines))
    pages = load_pages(PagesConfig(messages=directory, language="fr"))
    page = pages.error("", 404, FRENCH, "id-1")[1].decode()
    assert '<html lang="fr"' in page
    assert "bonjour" in page


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("fr_toml", "words.again = 'a'", "fr.toml: these messages are missing: "),
        ("en_toml", "words.agian = 'a'", "en.toml: words.agian is no message"),
        ("en_toml", "=", "en.toml is not TOML"),
        ("en_txt", "", "en.txt must be called after a language"),
        ("english-words_toml", "", "english-words.toml: these messages"),
        ("1_toml", "", "1.toml must be called after a language"),
    ],
)
def test_messages_that_cannot_be_used_stop_the_start(
    tmp_path: Path, name: str, content: str, problem: str
) -> None:
    directory = write(tmp_path, **{name: content})
    (line, *_) = problems(PagesConfig(messages=directory))
    assert line.startswith("pages.messages: ")
    assert problem in line


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    config = PagesConfig(templates=gone, messages=gone, logo=gone, language="xx")
    places = {line.partition(":")[0] for line in problems(config)}
    assert places == {
        f"pages.{n}" for n in ("templates", "messages", "logo", "language")
    }


@pytest.mark.parametrize(("logo", "kind"), [(PNG, "png"), (SVG, "svg+xml")])
def test_a_logo_is_in_every_page_and_allowed(
    tmp_path: Path, logo: bytes, kind: str
) -> None:
    file = tmp_path / "logo"
    file.write_bytes(logo)
    pages = load_pages(PagesConfig(logo=str(file), title="Example & Sons"))
    headers, body = pages.error("", 404, BROWSER, "id-1")
    assert f'src="data:image/{kind};base64,'.encode() in body
    assert b"<span>Example &amp; Sons</span>" in body
    assert "img-src data:;" in dict(headers)["content-security-policy"]


def test_a_logo_without_a_title_has_a_name(tmp_path: Path) -> None:
    file = tmp_path / "logo"
    file.write_bytes(PNG)
    _, body = load_pages(PagesConfig(logo=str(file))).error("", 404, BROWSER, "i")
    assert b'alt="Logo"' in body


@pytest.mark.parametrize(
    "logo", [b"GIF89a", b"<html><svg>", b"", PNG + b"\0" * LARGEST_LOGO]
)
def test_another_logo_is_refused(tmp_path: Path, logo: bytes) -> None:
    file = tmp_path / "logo"
    file.write_bytes(logo)
    (line,) = problems(PagesConfig(logo=str(file)))
    assert line.startswith("pages.logo: ")
