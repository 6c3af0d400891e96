"""What AuthZEN decision points are asked about a request."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sso_proxy.authz.authzen_config import AuthzenConfig
from sso_proxy.authz.facts import Getter
from sso_proxy.authz.outgoing_values import is_changing, make_value
from sso_proxy.authz.remote_policy import UnfitError
from sso_proxy.authz.rule import split_path
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.model import Identity, Request
from sso_proxy.specs.authzen.meaning import SUPPORTED
from sso_proxy.specs.authzen.values import Action, Entity, Evaluation
from sso_proxy.specs.http.target import matching_path

_GATEWAY: Final[Mapping[str, str]] = {
    "subject.type": "'identity'",
    "subject.id": "subject",
    "action.name": "method",
    "resource.type": "'route'",
    "resource.properties.uri": "url",
    "resource.properties.schema": "scheme",
    "resource.properties.hostname": "host",
    "resource.properties.path": "path",
    "resource.properties.ip": "client",
}
"""The API gateway profile of the interoperability events."""

_ID: Final = "resource.id"
_PARAMS: Final = "resource.properties.params"
_CONTEXT: Final = "context"


class PathTemplates:
    """
    Tells which template a path fits, all of it.

    Args:
        templates: Templates, ``/todos/{id}``.
    """

    def __init__(self, templates: Iterable[str]) -> None:
        split = [(template, tuple(split_path(template))) for template in templates]
        # The more of it is written out, and the earlier, the better it fits.
        self._templates = sorted(
            split, key=lambda each: [_is_part(segment) for segment in each[1]]
        )

    def find(self, path: str) -> tuple[str, dict[str, str]]:
        """Give the template that *path* fits, or else it; and what its parts are."""
        given = split_path(path)
        for template, wanted in self._templates:
            if len(wanted) == len(given) and all(
                _is_part(one) or one == other
                for one, other in zip(wanted, given, strict=True)
            ):
                pairs = zip(wanted, given, strict=True)
                return template, {one[1:-1]: is_ for one, is_ in pairs if _is_part(one)}
        return matching_path(path), {}


class AuthzenQuestions:
    """
    Says what is asked about requests.

    Args:
        config: The options.

    Attributes:
        changing: Whether something is sent that is another one each time.

    Raises:
        ConfigError: What is to be sent is not there.
    """

    def __init__(self, config: AuthzenConfig) -> None:
        self._templates = PathTemplates(config.paths)
        self._announce = config.announce_obligations
        self._types = (*SUPPORTED, *config.obligations)
        texts = {**_GATEWAY, **config.attributes}
        self._has_params = texts.pop(_PARAMS, None) is None
        self.changing = any(map(is_changing, texts.values()))
        self._get: list[tuple[str, Getter]] = []
        mistakes: list[Mistake] = []
        for place, text in texts.items():
            if not text:
                continue
            try:
                self._get.append((place, make_value(text)))
            except ValueError as e:
                mistakes.append(Mistake(f"attributes.{place}", str(e)))
        if mistakes:
            raise ConfigError(*mistakes)

    def build(self, identity: Identity, request: Request) -> Evaluation:
        """
        Build the question about *request*.

        Raises:
            UnfitError: Something that has to be there is not.
        """
        template, params = self._templates.find(request.head.path)
        found: dict[str, Any] = {_ID: template}
        if self._has_params and params:
            found[_PARAMS] = params
        for place, get in self._get:
            value = get(identity, request)
            if value is not None:
                found[place] = value
        context = _below(found, _CONTEXT)
        if self._announce:
            context = {"supported_obligations": self._types, **context}
        return Evaluation(
            subject=_entity(found, "subject"),
            action=Action(
                name=_text(found, "action.name"),
                properties=_below(found, "action.properties"),
            ),
            resource=_entity(found, "resource"),
            context=context,
        )


def _is_part(segment: str) -> bool:
    """Say whether a segment of a template stands for any one."""
    return segment.startswith("{")


def _entity(found: Mapping[str, Any], what: str) -> Entity:
    return Entity(
        type=_text(found, f"{what}.type"),
        id=_text(found, f"{what}.id"),
        properties=_below(found, f"{what}.properties"),
    )


def _below(found: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Give what stands below *place*, by the names that it has there."""
    before = f"{place}."
    return {
        name.removeprefix(before): value
        for name, value in found.items()
        if name.startswith(before)
    }


def _text(found: Mapping[str, Any], place: str) -> str:
    """Give what has to be text."""
    value = found.get(place)
    if not isinstance(value, str) or not value:
        raise UnfitError(f"{place} is no text")
    return value
