"""Read the configuration file, or say everything that is wrong with it."""

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from sso_proxy.config.draft import Draft, read_draft
from sso_proxy.config.model import Config, PagesConfig
from sso_proxy.config.rules import check_rules
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.pages import load_pages
from sso_proxy.registry import FAMILIES, Registry

_TABLES = [field.name for field in attrs.fields(Config)]


def load_config(path: Path | str) -> Config:
    """
    Read the configuration file at *path*, components' options included.

    This imports the plugins that announce components, and the classes chosen.

    Raises:
        ConfigError: It cannot be used, with every mistake.
    """
    draft = load_draft(path)
    found = (*check_components(draft), *check_pages(draft))
    return finish(add_mistakes(draft, found))


def parse_config(text: str, path: Path | str) -> Config:
    """
    Read *text*, which stands in the file *path*; relative file names start there.

    Components' options are not looked at, and no plugin is imported.

    Raises:
        ConfigError: It cannot be used, with every mistake.
    """
    return finish(parse_draft(text, path))


def load_draft(path: Path | str) -> Draft:
    """
    Read the file at *path* as far as it can be read.

    Raises:
        ConfigError: There is no such file, or it is not TOML at all.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigError(Mistake(str(path), f"cannot be read: {e.strerror}")) from e
    except UnicodeDecodeError as e:
        raise ConfigError(Mistake(str(path), f"is not UTF-8: {e}")) from e
    return parse_draft(text, path)


def parse_draft(text: str, path: Path | str) -> Draft:
    """
    Read *text* as far as it can be read; the mistakes include those between tables.

    Raises:
        ConfigError: It is not TOML at all.
    """
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        raise ConfigError(Mistake(str(path), f"is not TOML: {e}")) from e
    draft = read_draft(raw, Path(path).absolute().parent)
    return add_mistakes(draft, check_rules(draft))


def check_components(draft: Draft) -> Iterator[Mistake]:
    """Find what is wrong with the options of components, as their classes say."""
    if draft.server is None:
        return  # without plugin_path, types that are there would be missed
    try:
        registry = Registry.load(draft.server.value.plugin_path)
    except ConfigError as e:
        yield from e.mistakes
        return
    families = {
        "authenticator": draft.authenticators,
        "mapper": draft.mappers,
        "binding": draft.bindings,
        "cache": draft.caches,
        "session": draft.sessions,
        "token": draft.tokens,
        "policy": draft.policies,
        "obligation": draft.obligations,
        "checker": draft.checkers,
    }
    for family, interface_name in FAMILIES.items():
        for placed in families[family].values():
            try:
                registry.read_options(interface_name, placed.value, placed.path)
            except ConfigError as e:
                yield from e.mistakes


def check_pages(draft: Draft) -> Iterator[Mistake]:
    """Find what is wrong with the operator's templates and messages."""
    if draft.pages is None:
        return
    try:
        load_pages(draft.pages.value)
    except ConfigError as e:
        yield from e.mistakes


def add_mistakes(draft: Draft, mistakes: Iterable[Mistake]) -> Draft:
    """Give *draft* with further *mistakes*."""
    return attrs.evolve(draft, mistakes=(*draft.mistakes, *mistakes))


def finish(draft: Draft) -> Config:
    """
    Make the configuration of a *draft* that has no mistakes.

    Raises:
        ConfigError: It has.
    """
    if draft.mistakes or draft.server is None:
        mistakes = dict.fromkeys(draft.mistakes)
        raise ConfigError(*sorted(mistakes, key=_place_in_file))
    return Config(
        server=draft.server.value,
        listener=tuple(listener.value for listener in draft.listeners),
        authenticator={n: c.value for n, c in draft.authenticators.items()},
        mapper={n: c.value for n, c in draft.mappers.items()},
        binding={n: c.value for n, c in draft.bindings.items()},
        cache={n: c.value for n, c in draft.caches.items()},
        session={n: c.value for n, c in draft.sessions.items()},
        token={n: c.value for n, c in draft.tokens.items()},
        upstream={n: c.value for n, c in draft.upstreams.items()},
        policy={n: c.value for n, c in draft.policies.items()},
        obligation={n: c.value for n, c in draft.obligations.items()},
        checker={n: c.value for n, c in draft.checkers.items()},
        key_ring=draft.key_ring.value if draft.key_ring else None,
        pages=draft.pages.value if draft.pages else PagesConfig(),
        route=tuple(route.value for route in draft.routes),
    )


def _place_in_file(mistake: Mistake) -> tuple[int, int]:
    """Order by table, as in the reference, then by the number of one of several."""
    table, _, rest = mistake.path.partition("[")
    name = table.partition(".")[0]
    number = rest.partition("]")[0]
    return (
        _TABLES.index(name) if name in _TABLES else len(_TABLES),
        int(number) if number.isdecimal() else -1,
    )
