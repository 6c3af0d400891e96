"""What the contract checks in `sso_proxy.testing.checks` are made of."""

import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface.exceptions import Invalid
from zope.interface.interface import InterfaceClass
from zope.interface.verify import verifyObject

from sso_proxy.config.documented import option_sentences
from sso_proxy.coroutines import colour_problems
from sso_proxy.model import Identity
from sso_proxy.testing.fakes import make_identity

T = TypeVar("T")

_CODE = re.compile(r"[a-z0-9][a-z0-9._:/\[\]-]*")


class ContractError(AssertionError):
    """A component does not do what its interface says."""


def outcome_of(awaitable: Awaitable[T]) -> T:
    """
    Give what *awaitable* results in, without a reactor.

    Raises:
        ContractError: It still waits for something: give the component doubles that
            answer at once.
        Exception: Whatever it raised.
    """
    coroutine = _as_coroutine(awaitable)
    results: list[Any] = []
    deferred = Deferred.fromCoroutine(coroutine)
    deferred.addBoth(results.append)
    if not results:
        deferred.cancel()
        raise ContractError("waits for something that does not come")
    result = results[0]
    if isinstance(result, Failure):
        result.raiseException()
    answer: T = result
    return answer


async def _as_coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable


def require(condition: object, problem: str) -> None:
    """Raise ContractError with *problem* unless *condition* is true."""
    if not condition:
        raise ContractError(problem)


def check_shape(component: object, interface: InterfaceClass) -> None:
    """Check what can be seen without a call."""
    try:
        verifyObject(interface, component)
    except Invalid as e:
        raise ContractError(str(e)) from e
    problems = colour_problems(interface, component)
    require(not problems, "; ".join(problems))
    if hasattr(component, "config_class"):
        check_config_class(type(component))


def check_config_class(component_class: type[Any]) -> None:
    """
    Check that a component's class can be configured.

    ``config_class`` is a frozen attrs class whose docstring has, under
    ``Attributes:``, every option, or that of a base; ``from_config(config, tools)`` is
    a class method.

    Raises:
        ContractError: It is otherwise.
    """
    config_class = component_class.config_class
    require(attrs.has(config_class), "config_class is no attrs class")
    options = [field.alias or field.name for field in attrs.fields(config_class)]
    blank = config_class.__new__(config_class)
    try:
        setattr(blank, options[0] if options else "anything", None)
    except AttributeError:  # attrs' FrozenInstanceError is one
        pass
    else:
        raise ContractError("config_class is not frozen; write @attrs.frozen")
    documented = option_sentences(config_class)
    for option in options:
        require(
            documented.get(option),
            f"the docstring of config_class has no sentence about {option!r} below"
            " 'Attributes:'",
        )
    method = inspect.getattr_static(component_class, "from_config", None)
    require(isinstance(method, classmethod), "from_config is no class method")
    parameters = inspect.signature(component_class.from_config).parameters
    require(len(parameters) == 2, "from_config does not take config and tools")


HOSTILE_TEXTS: Final = (
    "",
    " ",
    "a\r\nX-Remote-User: root",
    "a\x00b",
    "\u202eecila",
    "\ud800",
    "../../etc/passwd",
    "$1${2}%s{0}",
    "*)(uid=*",
    "A" * 10000,
)
HOSTILE_VALUES: Final[tuple[Any, ...]] = (
    *HOSTILE_TEXTS,
    None,
    True,
    -1,
    1.5,
    [],
    ["alice", "root"],
    [None],
    {},
    {"a": {"b": []}},
)


def hostile_identities() -> Iterable[Identity]:
    """Make identities that a bad issuer, or a careless one, could vouch for."""
    names = ("sub", "email", "preferred_username", "groups", "name")
    for text in HOSTILE_TEXTS:
        yield make_identity(text)
    for value in HOSTILE_VALUES:
        yield make_identity(claims=dict.fromkeys(names, value))


def made(component: Any, interface: InterfaceClass) -> Any:  # noqa: ANN401
    """Give *component*, made first if it only makes one."""
    if not interface.providedBy(component) and callable(component):
        return component()
    return component


def called(
    what: str, method: Callable[..., Coroutine[Any, Any, T]], *arguments: object
) -> T:
    """Call *method*, for which nothing is a reason to raise; *what* names the call."""
    try:
        return outcome_of(method(*arguments))
    except ContractError as e:
        raise ContractError(f"{what}: {e}") from e
    except Exception as e:
        raise ContractError(f"{what} raises {e!r:.200}") from e


def check_code(code: object) -> None:
    """Check that *code* is fit for a log and an audit record."""
    require(
        isinstance(code, str) and _CODE.fullmatch(code),
        f"{code!r:.200} is no short code such as token-expired",
    )
