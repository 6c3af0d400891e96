"""
How much is logged, by namespace, changed at run time.

A namespace is a module's name, or a part of it from its beginning: ``sso_proxy.authn``.
What is changed goes back by itself, so that nobody has to remember to do it.
"""

from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.logger import LogEvent, LogLevel

USUAL: Final = "info"
MOST: Final = 64
"""Namespaces with a level of their own."""
LONGEST: Final = 86400.0
_MOST_NAME: Final = 200


@attrs.frozen(kw_only=True)
class Change:
    """
    A level for a namespace.

    Attributes:
        namespace: Of this and those below it.
        level: The least that is logged: ``debug`` to ``critical``.
        seconds: How long.
    """

    namespace: str
    level: str
    seconds: float

    @classmethod
    def read(cls, document: object) -> "Change | str":
        """Read what an operator says; gives what is wrong with it otherwise."""
        match document:
            case {"namespace": str(name), "level": str(level), **rest}:
                seconds = rest.pop("seconds", 600.0)
            case _:
                return "say namespace, level and, perhaps, seconds"
        names = [known.name for known in LogLevel.iterconstants()]
        if rest or isinstance(seconds, bool) or not isinstance(seconds, int | float):
            return "say namespace, level and, perhaps, seconds"
        if level not in names:
            return f"level must be one of {', '.join(names)}"
        if not 0 < seconds <= LONGEST:
            return f"seconds must be from 1 to {LONGEST:g}"
        parts = name.split(".")
        if len(name) > _MOST_NAME or not all(part.isidentifier() for part in parts):
            return "namespace must be the name of a module, or how it begins"
        return cls(namespace=name, level=level, seconds=float(seconds))


class Levels:
    """
    The levels of this process.

    Args:
        seconds: Gives the time, which never goes back.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._usual = LogLevel.levelWithName(USUAL)
        self._changed: dict[str, tuple[Any, float]] = {}

    def change(self, change: Change) -> bool:
        """Let *change* hold from now on; False if there are too many."""
        self._forget()
        if change.namespace not in self._changed and len(self._changed) >= MOST:
            return False
        until = self._seconds() + change.seconds
        level = LogLevel.levelWithName(change.level)
        self._changed[change.namespace] = level, until
        return True

    def show(self) -> list[dict[str, Any]]:
        """Give those that are not the usual, in the types of JSON."""
        self._forget()
        now = self._seconds()
        return [
            {"namespace": name, "level": level.name, "seconds": round(until - now, 1)}
            for name, (level, until) in sorted(self._changed.items())
        ]

    def wants(self, event: LogEvent) -> bool:
        """Say whether *event* is to be logged."""
        level = event.get("log_level")
        if level is None:
            return True
        if self._changed:
            self._forget()
        return bool(level >= self._least(event.get("log_namespace") or ""))

    def _least(self, namespace: str) -> Any:  # noqa: ANN401
        """Give the level of the longest name that *namespace* begins with."""
        while self._changed and namespace:
            if namespace in self._changed:
                return self._changed[namespace][0]
            namespace = namespace.rpartition(".")[0]
        return self._usual

    def _forget(self) -> None:
        now = self._seconds()
        for name in [n for n, (_, until) in self._changed.items() if until <= now]:
            del self._changed[name]
