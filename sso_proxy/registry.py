"""
Make the component that a ``type`` in the configuration names.

A ``type`` is a name that a plugin announces in ``twisted.plugins``, in a file of
``server.plugin_path`` or by an entry point, or ``module:Class`` for a class that nobody
announces.  Only the chosen class is imported.
"""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

import attrs
from zope.interface.exceptions import Invalid
from zope.interface.interface import InterfaceClass
from zope.interface.verify import verifyObject

from sso_proxy import interfaces
from sso_proxy.config.model import ComponentConfig
from sso_proxy.config.structure import join, structure
from sso_proxy.config.suggest import unknown
from sso_proxy.coroutines import colour_problems
from sso_proxy.doors import Found, find_announcements
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IPluginFactory, ITools

_WORDS = {
    "IAuthenticator": "authenticator",
    "IBinding": "binding",
    "IUserMapper": "user mapper",
    "IPolicy": "policy",
    "ICache": "cache",
    "ISessionStore": "sessions",
    "ITokenSource": "token",
    "IObligation": "obligation",
    "IPasswordChecker": "password checker",
}

FAMILIES = {
    "authenticator": "IAuthenticator",
    "mapper": "IUserMapper",
    "binding": "IBinding",
    "cache": "ICache",
    "session": "ISessionStore",
    "token": "ITokenSource",
    "policy": "IPolicy",
    "obligation": "IObligation",
    "checker": "IPasswordChecker",
}
"""The interface that the components of each family of tables provide."""

_OURS = "sso_proxy."
"""What the targets of this distribution begin with."""


@attrs.frozen
class Registry:
    """All components that are announced, by interface and name."""

    _found: Mapping[tuple[str, str], Found]

    @classmethod
    def load(cls, plugin_path: Sequence[str] = ()) -> Self:
        """
        Collect what is announced.

        Raises:
            ConfigError: An announcement cannot be read, or two have the same name.
        """
        found: dict[tuple[str, str], Found] = {}
        mistakes = []
        for item in find_announcements(plugin_path):
            factory = item.factory
            key = (factory.makes, factory.name)
            if problem := _announcement_problem(factory):
                mistakes.append(Mistake(item.origin, problem))
            elif (other := found.setdefault(key, item)) is not item:
                problem = (
                    f"announces the {_word(factory.makes)} {factory.name!r}, and so"
                    f" does {other.origin}; take one of them away"
                )
                mistakes.append(Mistake(item.origin, problem))
        if mistakes:
            raise ConfigError(*mistakes)
        return cls(found)

    def names(self, interface_name: str) -> list[str]:
        """List the types there are for one interface."""
        return sorted(name for makes, name in self._found if makes == interface_name)

    def config_classes(self, *, own: bool = False) -> dict[str, dict[str, type]]:
        """
        Give the config classes of components, by table and ``type``.

        Args:
            own: Give only those of this distribution.

        Raises:
            ConfigError: A class cannot be imported.
        """
        classes: dict[str, dict[str, type]] = {}
        for family, interface_name in FAMILIES.items():
            for name in self.names(interface_name):
                target = self._found[interface_name, name].factory.target
                if not own or target.startswith(_OURS):
                    made = self.find(interface_name, name, family)
                    classes.setdefault(family, {})[name] = made.config_class
        return classes

    def own_config_class(self, interface_name: str, type_name: str) -> type | None:
        """Give the config class of a component of this distribution, else None."""
        found = self._found.get((interface_name, type_name))
        if found is None or not found.factory.target.startswith(_OURS):
            return None
        own: type = self.find(interface_name, type_name, type_name).config_class
        return own

    def find(self, interface_name: str, type_name: str, path: str) -> Any:  # noqa: ANN401
        """
        Import the class that a ``type`` names.

        Args:
            interface_name: What it makes.
            type_name: The ``type``.
            path: Where its table stands in the configuration file.

        Raises:
            ConfigError: There is no such type, or no such class.
        """
        target = type_name
        if ":" not in type_name:
            found = self._found.get((interface_name, type_name))
            if found is None:
                names = self.names(interface_name)
                problem = unknown(_word(interface_name), type_name, names)
                raise _error(path, problem)
            target = found.factory.target
        made = _import_target(target, path)
        if not attrs.has(getattr(made, "config_class", None)):  # type: ignore[arg-type]
            raise _error(path, f"{target!r} has no config_class that is an attrs class")
        if not callable(getattr(made, "from_config", None)):
            raise _error(path, f"{target!r} has no class method from_config")
        return made

    def read_options(
        self, interface_name: str, component: ComponentConfig, path: str
    ) -> tuple[Any, Any]:
        """
        Give the class that *component* names, and its options as that class wants them.

        Raises:
            ConfigError: There is no such class, or options are wrong: all of them.
        """
        made = self.find(interface_name, component.type, path)
        config = structure(
            component.options,
            made.config_class,
            path=path,
            directory=Path(component.directory),
        )
        return made, config

    def build(
        self,
        interface_name: str,
        component: ComponentConfig,
        tools: ITools,
        path: str,
    ) -> Any:  # noqa: ANN401
        """
        Make a component.

        Args:
            interface_name: What it has to provide: ``IUserMapper``.
            component: Its table in the configuration file.
            tools: What it may use of the proxy.
            path: Where its table stands: ``mapper.users``.

        Raises:
            ConfigError: It cannot be made, or is not what it has to be; with every
                mistake, each with its path.
        """
        made, config = self.read_options(interface_name, component, path)
        try:
            thing = made.from_config(config, tools)
        except ConfigError as e:
            placed = (attrs.evolve(m, path=_below(path, m.path)) for m in e.mistakes)
            raise ConfigError(*placed) from e
        except Exception as e:
            problem = (
                str(e) if isinstance(e, ValueError) else f"{type(e).__name__}: {e}"
            )
            raise ConfigError(Mistake(path, f"cannot be made: {problem}")) from e
        problems = provided_problems(interface_name, thing)
        if problems:
            raise ConfigError(*(Mistake(join(path, "type"), p) for p in problems))
        return thing


def provided_problems(interface_name: str, thing: object) -> list[str]:
    """
    Say in which respects *thing* is not what an interface of ours asks for.

    Beyond ``verifyObject``: that a method is a coroutine function where the interface
    has ``async def``, and only there.
    """
    interface = cast("InterfaceClass", getattr(interfaces, interface_name))
    try:
        verifyObject(interface, thing)
    except Invalid as e:
        return [" ".join(str(p).split()) for p in getattr(e, "exceptions", (e,))]
    return colour_problems(interface, thing)


def _announcement_problem(factory: IPluginFactory) -> str | None:
    """Say why an announcement is of no use."""
    for attribute in ("name", "makes", "target"):
        value = getattr(factory, attribute, None)
        if not isinstance(value, str) or not value:
            return f"announces a component whose {attribute!r} is no string"
    if not isinstance(getattr(interfaces, factory.makes, None), InterfaceClass):
        return (
            f"{factory.name!r} makes {factory.makes!r}, which is no interface of ours"
        )
    if ":" in factory.name:
        return f"the name {factory.name!r} has a colon; that is for 'module:Class'"
    return None


def _import_target(target: str, path: str) -> Any:  # noqa: ANN401
    """Import ``module:Class``."""
    module_name, _, names = target.partition(":")
    try:
        thing: Any = importlib.import_module(module_name)
        for name in names.split("."):
            thing = getattr(thing, name)
    except Exception as e:
        problem = f"{target!r} cannot be imported: {type(e).__name__}: {e}"
        raise _error(path, problem) from e
    return thing


def _word(interface_name: str) -> str:
    return _WORDS.get(interface_name, interface_name)


def _error(path: str, problem: str) -> ConfigError:
    return ConfigError(Mistake(join(path, "type"), problem))


def _below(path: str, inner: str) -> str:
    """Put a component's own path below its table's, unless it is there already."""
    if not inner or inner == path or inner.startswith((f"{path}.", f"{path}[")):
        return inner or path
    return join(path, inner)
