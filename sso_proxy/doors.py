"""
Find the announcements of components, at the doors where plugins come in.

Twisted's ``getPlugins`` is not used: it skips a broken file with a log line, imports
every plugin of every package and writes a pickle next to them.
"""

import importlib
import importlib.util
import stat
import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import attrs
import twisted.plugins

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IPluginFactory

GROUP = "sso_proxy.plugins"
"""The entry point group."""

_MARK = b"PluginFactory"
"""
Modules of ``twisted.plugins`` whose source does not hold this are left alone.

They announce something to other programs (Twisted's own modules do, and importing all
of them costs a second), or nothing at all; if they are broken, it is not our start that
has to stop.  ``IPluginFactory`` and `sso_proxy.plugin.PluginFactory` both hold it.
"""


@attrs.frozen
class Found:
    """
    An announcement.

    Attributes:
        factory: What was announced.
        origin: Where: a file's name, or an entry point and its distribution.
    """

    factory: IPluginFactory
    origin: str


def find_announcements(plugin_path: Sequence[str]) -> list[Found]:
    """
    Import what announces components, and collect the announcements.

    Args:
        plugin_path: Directories of the option ``server.plugin_path``.

    Raises:
        ConfigError: A directory is not there, a file or an entry point cannot be
            imported or is no announcement: all of them, each with the reason.
    """
    found: list[Found] = []
    mistakes: list[Mistake] = []
    for door in (_installed(), _in_plugin_path(plugin_path), _behind_entry_points()):
        for item in door:
            if isinstance(item, Mistake):
                mistakes.append(item)
            elif all(item.factory is not known.factory for known in found):
                found.append(item)
    if mistakes:
        raise ConfigError(*mistakes)
    return found


def _installed() -> Iterator[Found | Mistake]:
    """Look into the modules of ``twisted.plugins`` that distributions installed."""
    seen = set()
    for directory in map(Path, twisted.plugins.__path__):
        for file in _modules(directory):
            # The import system, too, takes the first of several of one name.
            if file.stem not in seen and _MARK in file.read_bytes():
                seen.add(file.stem)
                yield from _import_installed(file)


def _modules(directory: Path) -> list[Path]:
    """List the modules in *directory*; one that cannot be read has none."""
    try:
        return sorted(directory.glob("*.py"))
    except OSError:
        # As in the import system: after privileges are dropped, parts of sys.path may
        # be out of reach.  What was looked for there is then said to be missing.
        return []


def _import_installed(file: Path) -> Iterator[Found | Mistake]:
    name = f"twisted.plugins.{file.stem}"
    try:
        module = importlib.import_module(name)
    except Exception as e:  # noqa: BLE001
        yield Mistake(str(file), _reason(e))
    else:
        yield from _announced_in(module, str(file))


def _in_plugin_path(plugin_path: Sequence[str]) -> Iterator[Found | Mistake]:
    """Look into each file of the configured directories, marked or not."""
    for number, name in enumerate(plugin_path):
        path = f"server.plugin_path[{number}]"
        directory = Path(name)
        if not directory.is_dir():
            yield Mistake(path, f"{name!r} is no directory")
            continue
        for file in (directory, *sorted(directory.glob("*.py"))):
            if file.stat().st_mode & stat.S_IWOTH:
                problem = f"everybody on this machine may write to '{file}'; chmod o-w"
                yield Mistake(path, problem)
            elif file != directory:
                yield from _import_file(file, path)


def _import_file(file: Path, path: str) -> Iterator[Found | Mistake]:
    """
    Import *file*, anew each time: it may have been changed since the last start.

    The module gets a name of its own, so that a file cannot stand in for a module of
    the same name, and is registered under it, so that ``f"{__name__}:Class"`` works as
    a target.
    """
    digest = sha256(str(file.absolute()).encode()).hexdigest()[:8]
    name = f"sso_proxy_plugin_path_{digest}_{file.stem}"
    loader = SourceFileLoader(name, str(file))
    module = importlib.util.module_from_spec(ModuleSpec(name, loader, origin=str(file)))
    module.__file__ = str(file)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except Exception as e:  # noqa: BLE001
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        yield Mistake(path, f"'{file}' {_reason(e)}")
    else:
        yield from _announced_in(module, str(file))


def _announced_in(module: ModuleType, origin: str) -> Iterator[Found]:
    for value in vars(module).values():
        if IPluginFactory.providedBy(value):
            yield Found(value, origin)


def _behind_entry_points() -> Iterator[Found | Mistake]:
    """Load the entry points of our group; each has to be an announcement."""
    for entry in entry_points(group=GROUP):
        origin = _describe(entry)
        try:
            value = entry.load()
        except Exception as e:  # noqa: BLE001
            yield Mistake(origin, _reason(e))
            continue
        if IPluginFactory.providedBy(value):
            yield Found(value, origin)
        else:
            problem = f"{entry.value} does not provide IPluginFactory"
            yield Mistake(origin, problem)


def _describe(entry: EntryPoint) -> str:
    owner = f" of {entry.dist.name}" if entry.dist else ""
    return f"entry point {entry.name!r}{owner}"


def _reason(e: Exception) -> str:
    """Say why an import failed, in one line."""
    where = f" (line {e.lineno})" if isinstance(e, SyntaxError) and e.lineno else ""
    return f"cannot be imported: {type(e).__name__}: {e}{where}"
