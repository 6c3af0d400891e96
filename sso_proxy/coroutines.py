"""
Which methods of an interface are ``async def``: zope.interface does not remember.

``verifyObject`` sees no difference between a method and a coroutine function.  A plain
one in place of a coroutine function fails at its first call; the other way round its
result is a coroutine, which nobody awaits and which is true.
"""

import ast
import inspect
import sys
from functools import lru_cache

from zope.interface.interface import InterfaceClass, Method


def colour_problems(interface: InterfaceClass, thing: object) -> list[str]:
    """Say which methods of *thing* should be coroutine functions, or should not be."""
    problems = []
    for base in interface.__iro__:
        declared = _coroutine_methods(base.__module__).get(base.__name__)
        if declared is None:
            continue
        for name, attribute in base.namesAndDescriptions(all=False):
            if not isinstance(attribute, Method):
                continue
            is_coroutine = inspect.iscoroutinefunction(getattr(thing, name))
            if name in declared and not is_coroutine:
                problems.append(f"{name} must be declared with async def")
            elif name not in declared and is_coroutine:
                problems.append(f"{name} must not be declared with async def")
    return problems


@lru_cache(maxsize=32)
def _coroutine_methods(module_name: str) -> dict[str, frozenset[str]]:
    """Read from a module's source which methods of its classes are ``async def``."""
    tree = ast.parse(inspect.getsource(sys.modules[module_name]))
    return {
        node.name: frozenset(
            item.name for item in node.body if isinstance(item, ast.AsyncFunctionDef)
        )
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
