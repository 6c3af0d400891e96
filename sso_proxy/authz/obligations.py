"""
What policies oblige us to: a request passes only if all of it can be done.

Names are ours.  Policies of other makes say in their configuration which of their
obligations is which of these.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.config.names import FIELD_NAME
from sso_proxy.equipment import Equipment
from sso_proxy.interfaces import IObligation
from sso_proxy.model import Decision, Request
from sso_proxy.specs.http.names import fold

_log = Logger()

_MOST_TEXT: Final = 1000


class ObligationError(Exception):
    """An obligation cannot be carried out; says why."""


@implementer(IObligation)
class SetHeader:
    """``set-header``: the backend gets the field *name* with *value*."""

    async def fulfil(
        self,
        parameters: Mapping[str, Any],
        request: Request,  # noqa: ARG002
        equipment: Equipment,
    ) -> None:
        """Add the field."""
        name, value = _text(parameters, "name"), _text(parameters, "value")
        if name.lower() not in equipment.settable:
            raise ObligationError(f"the field {name!r} is not one that we may set")
        others = [v for n, v in equipment.fields if fold(n) == fold(name)]
        if any(other != value for other in others):
            raise ObligationError(f"the field {name!r} would have two values")
        if not others:
            equipment.fields.append((name, value))


@implementer(IObligation)
class RemoveHeader:
    """``remove-header``: the backend does not get the field *name*."""

    async def fulfil(
        self,
        parameters: Mapping[str, Any],
        request: Request,  # noqa: ARG002
        equipment: Equipment,
    ) -> None:
        """Note the field."""
        name = _text(parameters, "name")
        if not FIELD_NAME.fullmatch(name):
            raise ObligationError(f"{name!r} is no header field's name")
        equipment.removed.add(fold(name))


@implementer(IObligation)
class Log:
    """``log``: our log has the *message*."""

    async def fulfil(
        self,
        parameters: Mapping[str, Any],
        request: Request,
        equipment: Equipment,  # noqa: ARG002
    ) -> None:
        """Log it."""
        message = _text(parameters, "message")[:_MOST_TEXT]
        _log.info("Request {id}: policy: {message}", id=request.id, message=message)


@implementer(IObligation)
class RequireBinding:
    """``require-binding``: the caller has proved to hold a key of this *kind*."""

    async def fulfil(
        self,
        parameters: Mapping[str, Any],
        request: Request,
        equipment: Equipment,  # noqa: ARG002
    ) -> None:
        """Look whether that was proved."""
        kind = _text(parameters, "kind")
        if kind not in request.bindings:
            raise ObligationError(f"the caller has not proved to hold a key: {kind}")


@implementer(IObligation)
class EndSession:
    """``end-session``: the caller's browser session is over."""

    async def fulfil(
        self,
        parameters: Mapping[str, Any],  # noqa: ARG002
        request: Request,
        equipment: Equipment,
    ) -> None:
        """End it, if there is one."""
        if request.session is not None:
            equipment.answer.extend(await request.sessions.end(request))


OURS: Final[Mapping[str, IObligation]] = {
    "set-header": SetHeader(),
    "remove-header": RemoveHeader(),
    "log": Log(),
    "require-binding": RequireBinding(),
    "end-session": EndSession(),
}
"""What every configuration has."""


class Obligations:
    """
    All obligations that can be carried out.

    Args:
        others: Those of plugins, by name.
    """

    def __init__(self, others: Mapping[str, IObligation] | None = None) -> None:
        self._known = {**OURS, **(others or {})}

    async def fulfil(
        self, decision: Decision, request: Request, equipment: Equipment
    ) -> str | None:
        """
        Carry out what *decision* obliges us to, as much of it as is possible.

        Returns:
            The name of the first that could not be, or None.
        """
        undone = None
        for name, parameters in decision.obligations:
            if not await self._fulfil_one(name, parameters, request, equipment):
                undone = undone or name
        return undone

    async def _fulfil_one(
        self,
        name: str,
        parameters: Mapping[str, Any],
        request: Request,
        equipment: Equipment,
    ) -> bool:
        handler = self._known.get(name)
        if handler is None:
            _log.warn(
                "Request {id}: obligation {name} is unknown.", id=request.id, name=name
            )
            return False
        try:
            await handler.fulfil(parameters, request, equipment)
        except ObligationError as e:
            _log.warn(
                "Request {id}: obligation {name}: {why}.",
                id=request.id,
                name=name,
                why=str(e),
            )
            return False
        except Exception:  # noqa: BLE001
            _log.failure(
                "Request {id}: obligation {name} failed.", id=request.id, name=name
            )
            return False
        return True


_is_plain = re.compile(r"[^\x00-\x1f\x7f]+").fullmatch


def _text(parameters: Mapping[str, Any], name: str) -> str:
    """
    Read a parameter that has to be a line of text.

    Raises:
        ObligationError: It is missing, or something else.
    """
    value = parameters.get(name)
    if not isinstance(value, str) or not _is_plain(value):
        raise ObligationError(f"its {name!r} is no line of text")
    return value
