"""What pages say in a language: texts by name, as ``reason.login-expired.title``."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from sso_proxy.errors import SsoProxyError

_RIGHT_TO_LEFT: Final = frozenset({"ar", "dv", "fa", "he", "ps", "ur", "yi"})


@attrs.frozen
class CatalogueError(SsoProxyError):
    """
    A file of messages cannot be used.

    Attributes:
        problems: All that is wrong with it.
    """

    problems: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Catalogue:
    """
    The texts of one language.

    Attributes:
        language: Its tag (RFC 5646), lower-case.
        texts: By name.
        words: Those under ``words``, by the rest of their names.
    """

    language: str
    texts: Mapping[str, str] = attrs.field(repr=False)
    words: Mapping[str, str] = attrs.field(init=False, repr=False)

    @words.default
    def _words(self) -> Mapping[str, str]:
        return {
            name.removeprefix("words."): text
            for name, text in self.texts.items()
            if name.startswith("words.")
        }

    @property
    def direction(self) -> str:
        """Give ``rtl`` for languages that are written from right to left."""
        primary = self.language.partition("-")[0]
        return "rtl" if primary in _RIGHT_TO_LEFT else "ltr"

    def find(self, *names: str) -> str:
        """Give the first of the texts called *names* that there is, or nothing."""
        return next((self.texts[name] for name in names if name in self.texts), "")


def read_catalogue(
    language: str,
    raw: Mapping[str, Any],
    *,
    names: frozenset[str] | None = None,
    below: Catalogue | None = None,
) -> Catalogue:
    """
    Make the catalogue of *language* from a file of messages.

    Args:
        language: The language's tag, lower-case.
        raw: The file, as ``tomllib`` gives it.
        names: The names that there are; None takes those of the file.
        below: Has what the file leaves out.

    Raises:
        CatalogueError: There is something in it that no page says, or that is no text;
            or something is missing.
    """
    found = dict(_flatten(raw))
    problems = [
        f"{name} must be a text that is not empty"
        for name, text in found.items()
        if not isinstance(text, str) or not text.strip()
    ]
    texts = {**(below.texts if below else {}), **found}
    if names is not None:
        problems += [f"{n} is no message" for n in sorted(found.keys() - names)]
        missing = sorted(names - texts.keys())
        if missing:
            problems.append(f"these messages are missing: {', '.join(missing)}")
    if problems:
        raise CatalogueError(tuple(problems))
    return Catalogue(language=language, texts=texts)


def _flatten(raw: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give each leaf with its whole name."""
    for key, value in raw.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
