"""What is asked and answered (AuthZEN Authorization API 1.0, sections 5 and 6)."""

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import attrs

from sso_proxy.errors import SsoProxyError

EVALUATION_PATH: Final = "/access/v1/evaluation"
EVALUATIONS_PATH: Final = "/access/v1/evaluations"
WELL_KNOWN: Final = "/.well-known/authzen-configuration"
JSON_TYPE: Final = "application/json"

Semantic = Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"]
"""When the answers to several questions end."""

SEMANTICS: Final[tuple[str, ...]] = get_args(Semantic)
LAST: Final[Mapping[Semantic, bool]] = {
    "deny_on_first_deny": False,
    "permit_on_first_permit": True,
}
"""The decision after which there is no other answer."""


@attrs.frozen
class AuthzenError(SsoProxyError):
    """
    A message says nothing, or not in one way.

    Attributes:
        detail: Why; nothing that the other side said.
    """

    detail: str


@attrs.frozen(kw_only=True)
class Entity:
    """
    A subject or a resource.

    Attributes:
        type: Of what kind it is.
        id: Which of these it is.
        properties: What else is known of it.
    """

    type: str
    id: str
    properties: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    @property
    def members(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        found: dict[str, Any] = {"type": self.type, "id": self.id}
        if self.properties:
            found["properties"] = self.properties
        return found


@attrs.frozen(kw_only=True)
class Action:
    """
    What the subject would do.

    Attributes:
        name: That.
        properties: What else is known of it.
    """

    name: str
    properties: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    @property
    def members(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        found: dict[str, Any] = {"name": self.name}
        if self.properties:
            found["properties"] = self.properties
        return found


@attrs.frozen(kw_only=True)
class Evaluation:
    """
    One question.

    Attributes:
        subject: Who.
        action: Would do what.
        resource: With what.
        context: Under which circumstances.
    """

    subject: Entity
    action: Action
    resource: Entity
    context: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    @property
    def members(self) -> dict[str, Any]:
        """Give it as JSON has it, with no member that the standard has no word for."""
        return {
            "subject": self.subject.members,
            "action": self.action.members,
            "resource": self.resource.members,
            "context": self.context,
        }


@attrs.frozen
class Evaluated:
    """
    One answer.

    Attributes:
        decision: Yes or no.
        context: What else is said, or has to be done.
    """

    decision: bool
    context: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    @property
    def members(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        found: dict[str, Any] = {"decision": self.decision}
        if self.context:
            found["context"] = self.context
        return found
