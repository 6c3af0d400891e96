"""Components of one family that may need others of it: each made once, in no circle."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from sso_proxy.config.model import ComponentConfig
from sso_proxy.config.suggest import unknown
from sso_proxy.errors import ConfigError, Mistake

T = TypeVar("T")


class NamedParts(Generic[T]):
    """
    Makes the components of one family, those first that others need.

    Args:
        family: What their tables are called: ``token``, ``mapper``.
        configured: The tables.
        make: Makes the component of this name; it may ask for others by `give`.

    Attributes:
        mistakes: Why some cannot be made.
        made: Those that were made, by name.
        needs: Which others each has asked for.
    """

    def __init__(
        self,
        family: str,
        configured: Mapping[str, ComponentConfig],
        make: Callable[[str, ComponentConfig], T],
    ) -> None:
        self.mistakes: list[Mistake] = []
        self.made: dict[str, T] = {}
        self.needs: dict[str, list[str]] = {}
        self._family = family
        self._configured = configured
        self._make = make
        self._tried: set[str] = set()
        self._under_way: list[str] = []

    def make_all(self) -> None:
        """Make all that are configured, whether anything names them or not."""
        for name in self._configured:
            self.find(name)

    def give(self, name: str) -> T:
        """
        Give the component *name* to another one that is being made.

        Raises:
            ConfigError: There is none, it cannot be made, or it needs the other one.
        """
        family = self._family
        if name not in self._configured:
            raise ConfigError(Mistake("", unknown(family, name, self._configured)))
        if name in self._under_way:
            way = " needs ".join(repr(each) for each in (*self._under_way, name))
            raise ConfigError(Mistake("", f"goes round in a circle: {way}"))
        if self._under_way:
            self.needs.setdefault(self._under_way[-1], []).append(name)
        made = self.find(name)
        if made is None:
            problem = f"needs {family}.{name}, which cannot be used"
            raise ConfigError(Mistake("", problem))
        return made

    def find(self, name: str) -> T | None:
        """Give the component *name*, made now if need be; None if that cannot be."""
        if name not in self._tried and name in self._configured:
            self._tried.add(name)
            self._under_way.append(name)
            try:
                self.made[name] = self._make(name, self._configured[name])
            except ConfigError as e:
                self.mistakes.extend(e.mistakes)
            finally:
                self._under_way.pop()
        return self.made.get(name)
