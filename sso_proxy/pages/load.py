"""Reads templates and messages, ours and the operator's, and tries them all."""

import re
import tomllib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined, TemplateError

from sso_proxy.config.model import PagesConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.pages.catalogue import Catalogue, CatalogueError, read_catalogue
from sso_proxy.pages.kit import KINDS, Pages

LARGEST_LOGO: Final = 65536
"""Octets: the logo is in every page."""
LARGEST_FILE: Final = 262144
"""Octets of a template or of messages."""

_FALLBACK: Final = "en"
_TEMPLATES: Final = (*(f"{name}.html" for name in KINDS), "layout.html", "style.css")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_tag = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,8})*").fullmatch
_svg = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<svg[\s>]", re.DOTALL
).match


@lru_cache(maxsize=1)
def default_pages() -> Pages:
    """Give the pages of a configuration that says nothing about them."""
    return _make_pages(PagesConfig())


def load_pages(config: PagesConfig) -> Pages:
    """
    Make the pages that *config* asks for; each is made once, to see that it can be.

    Raises:
        ConfigError: Files cannot be read, or are not what they have to be: all of them.
    """
    if config == PagesConfig():  # ours are the same each time
        return default_pages()
    return _make_pages(config)


def _make_pages(config: PagesConfig) -> Pages:
    reader = _Reader()
    sources = reader.templates(config.templates)
    catalogues = reader.catalogues(config.messages)
    logo = reader.logo(config.logo)
    if config.language not in catalogues:
        known = ", ".join(sorted(catalogues))
        reader.say("pages.language", f"must be one of {known}")
    pages = Pages(
        environment=Environment(
            autoescape=True,
            loader=DictLoader(sources),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        ),
        catalogues=catalogues,
        language=config.language if config.language in catalogues else _FALLBACK,
        title=config.title,
        reasons=config.reasons,
        logo=logo,
        style=sources["style.css"],
        scripts={
            kind.script: _own_file("templates", kind.script)
            for kind in KINDS.values()
            if kind.script
        },
    )
    mistakes = (*reader.mistakes, *_try_all(pages))
    if mistakes:
        raise ConfigError(*dict.fromkeys(mistakes))
    return pages


class _Reader:
    """Reads files and remembers what is wrong."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def say(self, path: str, problem: str) -> None:
        """Remember a mistake."""
        self.mistakes.append(Mistake(path, problem))

    def templates(self, directory: str | None) -> dict[str, str]:
        """Give our templates, with the operator's in their place."""
        sources = {name: _own_file("templates", name) for name in _TEMPLATES}
        for file in self._files("pages.templates", directory):
            if file.name not in _TEMPLATES:
                known = ", ".join(_TEMPLATES)
                self.say("pages.templates", f"{file.name} is none of {known}")
            elif (text := self._text("pages.templates", file)) is not None:
                sources[file.name] = text
        if "</style" in sources["style.css"].lower():
            self.say("pages.templates", "style.css must not hold </style")
        return sources

    def catalogues(self, directory: str | None) -> dict[str, Catalogue]:
        """Give our catalogues, with the operator's texts in them, and further ones."""
        found = dict(_own_catalogues())
        names = frozenset(found[_FALLBACK].texts)
        for file in self._files("pages.messages", directory):
            language = file.name.removesuffix(".toml").lower()
            if file.suffix != ".toml" or not _tag(language):
                what = "must be called after a language, as in fr.toml"
                self.say("pages.messages", f"{file.name} {what}")
                continue
            raw = self._toml("pages.messages", file)
            if raw is None:
                continue
            try:
                found[language] = read_catalogue(
                    language, raw, names=names, below=found.get(language)
                )
            except CatalogueError as e:
                for problem in e.problems:
                    self.say("pages.messages", f"{file.name}: {problem}")
        return found

    def logo(self, name: str | None) -> str:
        """Give the logo as a ``data:`` URI, in which an SVG runs nothing."""
        if name is None:
            return ""
        data = self._read("pages.logo", Path(name), LARGEST_LOGO)
        if data is None:
            return ""
        if data.startswith(_PNG):
            kind = "png"
        elif _svg(data):
            kind = "svg+xml"
        else:
            self.say("pages.logo", "must be an SVG or a PNG file")
            return ""
        return f"data:image/{kind};base64,{b64encode(data).decode()}"

    def _files(self, path: str, directory: str | None) -> list[Path]:
        """Give the files in *directory*, but not those that editors leave."""
        if directory is None:
            return []
        try:
            listed = sorted(Path(directory).iterdir())
        except OSError as e:
            self.say(path, f"{directory} cannot be read: {e.strerror}")
            return []
        return [file for file in listed if not file.name.startswith(".")]

    def _toml(self, path: str, file: Path) -> dict[str, Any] | None:
        text = self._text(path, file)
        if text is None:
            return None
        try:
            return tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as e:
            self.say(path, f"{file.name} is not TOML: {e}")
            return None

    def _text(self, path: str, file: Path) -> str | None:
        data = self._read(path, file, LARGEST_FILE)
        if data is None:
            return None
        try:
            # Browsers hash what they have read, and read CR LF as LF.
            return data.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError as e:
            self.say(path, f"{file.name} is not UTF-8: {e}")
            return None

    def _read(self, path: str, file: Path, most: int) -> bytes | None:
        try:
            with file.open("rb") as opened:
                data = opened.read(most + 1)
        except OSError as e:
            self.say(path, f"{file} cannot be read: {e.strerror}")
            return None
        if len(data) > most:
            self.say(path, f"{file.name} must not have more than {most} octets")
            return None
        return data


def _own_file(*names: str) -> str:
    """Read a file of this package."""
    return files("sso_proxy.pages").joinpath(*names).read_text("utf-8")


@lru_cache(maxsize=1)
def _own_catalogues() -> Mapping[str, Catalogue]:
    """Read the catalogues of this package; each says what the English one does."""
    raw = {
        language: tomllib.loads(_own_file("messages", f"{language}.toml"))
        for language in (_FALLBACK, "de")
    }
    english = read_catalogue(_FALLBACK, raw[_FALLBACK])
    names = frozenset(english.texts)
    return {
        language: read_catalogue(language, found, names=names)
        for language, found in raw.items()
    }


def _try_all(pages: Pages) -> Iterator[Mistake]:
    """Make each page once, so that a template that fails stops the start."""
    for name, values in _samples():
        try:
            pages.render(name, head=None, request_id="x", **values)
        except TemplateError as e:
            line = f", line {e.lineno}" if hasattr(e, "lineno") else ""
            where = getattr(e, "name", None) or f"{name}.html"
            yield Mistake("pages.templates", f"{where}{line}: {e.message}")
        except Exception as e:  # noqa: BLE001 - a template can raise anything
            problem = f"{name}.html: {type(e).__name__}: {e}"
            yield Mistake("pages.templates", problem)


def _samples() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give for each page what it may be told."""
    said = {"status": 400, "title": "a", "text": "b", "reason": "d", "again_label": "c"}
    yield "error", {**said, "again": "/"}
    yield "error", {**said, "again": "", "text": "", "reason": ""}
    yield "choose", {"choices": (("a", "/a"), ("b", "/b"))}
    typed = {"choices": (), "action": "/", "fields": (("a", "b"),), "problem": "c"}
    yield "discover", {**typed, "openid": True}
    for known in (True, False):
        yield "openid", {"identifier": "a", "known": known, "again": "/"}
    chosen = {"choices": (("a", "/a"),), "action": "", "problem": "", "openid": False}
    yield "discover", {**typed, **chosen}
    asked = {"action": "/", "login": "a", "user": "b"}
    yield "login-form", {**asked, "problem": "wrong"}
    yield "login-form", {**asked, "user": "", "problem": ""}
    yield "restore", {"action": "/", "method": "post", "fields": (("a", "b"),)}
    yield "away", {"action": "https://a.example/", "fields": (("a", "b"),)}
    yield "fragment", {"action": "/", "field": "a"}
    yield "logout", {"action": "/", "target": "/"}
    yield "logout", {"action": "/", "target": ""}
    told = {"title": "a", "here": "b", "again": "/", "again_label": "c"}
    yield "logged-out", {**told, "confirmed": ("d",), "unknown": ("e",)}
    yield "logged-out", {**told, "confirmed": (), "unknown": ()}
    yield from _account_samples()


def _account_samples() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give what the page about somebody's sessions may be told."""
    moment = {"iso": "2026-01-31T13:45:00Z", "unit": "now", "count": 0}
    line = {"id": "a", "created": moment, "used": moment, "bound": True, "this": True}
    other = {**line, "used": None, "bound": None, "this": False}
    account = {"person": "x", "names": ("a",), "provider": "b", "bound": ("device",)}
    times = {"created": moment, "expires": moment, "idle": moment}
    places = {"action": "/", "logout": "/"}
    one = {**account, **times, "sessions": (line, other), "more": 3}
    nobody = {
        **one,
        "person": "",
        "names": (),
        "bound": (),
        "sessions": (line,),
        "more": 0,
    }
    hidden = {**one, "names": None, "sessions": None}
    every = {"accounts": (one, nobody, hidden), "outcome": "ended"}
    yield "account", {**places, **every, "everywhere": True, "but": True}
    plain = {"accounts": (one,), "outcome": "", "everywhere": False, "but": False}
    yield "account", {**places, **plain}
