"""
Read what a decision point answers (XACML 3.0 JSON Profile 1.1 section 5).

Answers of version 1.0 are read, too: there an object stands where 1.1 has a list of
one.  Whatever could be read as something else is no answer.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from sso_proxy.errors import SsoProxyError, TokenError
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.xacml.names import MEDIA_TYPE, OK

_JSON: Final = "application/json"
_VERSIONS: Final = frozenset({"3.0", "1.0", "1.1"})
"""``version`` is that of XACML; some give that of the profile."""
_WRAPPED: Final = {"Obligations": "Obligation", "AssociatedAdvice": "Advice"}
_RESULT: Final = frozenset(
    {
        *("Decision", "Status", "Obligations", "AssociatedAdvice", "Category"),
        *("PolicyIdentifierList", "PolicyIdentifier"),
    }
)
_REFERENCES: Final = ("PolicyIdReference", "PolicySetIdReference")


class Verdict(enum.Enum):
    """What a decision point can say (XACML 3.0 section 5.53)."""

    PERMIT = "Permit"
    DENY = "Deny"
    NOT_APPLICABLE = "NotApplicable"
    INDETERMINATE = "Indeterminate"


@attrs.frozen
class ResponseError(SsoProxyError):
    """
    What came is no answer.

    Attributes:
        detail: Why, for the log; nothing of what came.
    """

    detail: str


@attrs.frozen
class Demand:
    """
    An obligation, or an advice.

    Attributes:
        id: What the decision point calls it.
        attributes: What it says, by name: a value, or a list of them.
    """

    id: str
    attributes: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Returned:
    """
    An attribute of ours that came back.

    Attributes:
        category: URI of what it is known of.
        id: Its URI.
        issuer: Who says so, or empty.
        values: Its values.
        data_type: Their type, or empty.
    """

    category: str
    id: str
    issuer: str
    values: tuple[Any, ...] = attrs.field(repr=False)
    data_type: str


@attrs.frozen(kw_only=True)
class Result:
    """
    One answer.

    Attributes:
        verdict: What it says.
        status: Status codes, the outermost first; empty if none was sent.
        message: Words about that, for people.
        obligations: What has to be done as well.
        advice: What may be.
        returned: The attributes that came back.
        policies: Policies that apply, each with its version.
    """

    verdict: Verdict
    status: tuple[str, ...] = ()
    message: str = ""
    obligations: tuple[Demand, ...] = ()
    advice: tuple[Demand, ...] = ()
    returned: tuple[Returned, ...] = ()
    policies: tuple[str, ...] = ()


def check_media_type(content_type: str | None) -> None:
    """
    Check what the answer says that it is.

    Raises:
        ResponseError: It is something else than XACML 3.0 in JSON, or just JSON.
    """
    kind, *parameters = (content_type or "").lower().split(";")
    if kind.strip() not in {MEDIA_TYPE, _JSON}:
        raise ResponseError(f"the answer is no {MEDIA_TYPE}")
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        value = value.strip('"')
        if name == "version" and value not in _VERSIONS:
            raise ResponseError("the answer is of another version")
        if name == "charset" and value not in {"utf-8", "utf8", "us-ascii"}:
            raise ResponseError("the answer is not in UTF-8")


def read_response(content_type: str | None, body: bytes) -> tuple[Result, ...]:
    """
    Read an answer; at least one result.

    Raises:
        ResponseError: It is none.
    """
    check_media_type(content_type)
    try:
        members = read_json_object(body)
    except TokenError as e:
        raise ResponseError(f"the answer is {e.detail}") from None
    _check_spelling(members, frozenset({"Response"}), "the answer")
    found = members.get("Response")
    if isinstance(found, dict) and "Decision" not in found:
        found = found.get("Result")
    results = _several(found, "Response")
    if not results:
        raise ResponseError("there is no result")
    return tuple(_result(one) for one in results)


def _result(members: Mapping[str, Any]) -> Result:
    _check_spelling(members, _RESULT, "a result")
    try:
        verdict = Verdict(members.get("Decision"))
    except ValueError:
        raise ResponseError("Decision is none that there is") from None
    status, message = _status(members.get("Status"))
    if verdict in {Verdict.PERMIT, Verdict.NOT_APPLICABLE} and not _is_ok(status):
        raise ResponseError("the status contradicts the decision")
    return Result(
        verdict=verdict,
        status=status,
        message=message,
        obligations=_demands(members, "Obligations"),
        advice=_demands(members, "AssociatedAdvice"),
        returned=tuple(_returned(members.get("Category"))),
        policies=tuple(_policies(members)),
    )


def _is_ok(status: Sequence[str]) -> bool:
    return not status or status[0] in {OK, "ok"}


def _check_spelling(
    members: Mapping[str, Any], known: frozenset[str], where: str
) -> None:
    """Refuse members that are not what we know, but look like it to other eyes."""
    folded = {_folded(name) for name in known}
    for name in members:
        if name not in known and _folded(name) in folded:
            raise ResponseError(f"{where} has a member that is spelt wrongly")


def _folded(name: str) -> str:
    """Give a name without case, plural and punctuation."""
    letters = "".join(character for character in name if character.isalnum())
    return letters.casefold().rstrip("s")


def _status(found: Any) -> tuple[tuple[str, ...], str]:  # noqa: ANN401
    """Read a status: its codes and its message (section 5.2.3)."""
    if found is None:
        return (), ""
    members = _object(found, "Status")
    codes = []
    code = members.get("StatusCode")
    while code is not None:
        inner = _object(code, "StatusCode")
        codes.append(_text(inner, "Value", "StatusCode"))
        code = inner.get("StatusCode")
    message = members.get("StatusMessage")
    if message is None:
        return tuple(codes), ""
    return tuple(codes), _text(members, "StatusMessage", "Status")


def _demands(members: Mapping[str, Any], name: str) -> tuple[Demand, ...]:
    """Read obligations or advice, in a list or in an object that has the list."""
    found = members.get(name)
    inner = _WRAPPED[name]
    if isinstance(found, dict) and "Id" not in found and set(found) == {inner}:
        found = found[inner]
    return tuple(_demand(one, name) for one in _several(found, name))


def _demand(members: Mapping[str, Any], where: str) -> Demand:
    _check_spelling(members, frozenset({"Id", "AttributeAssignment"}), where)
    attributes: dict[str, list[Any]] = {}
    for one in _several(members.get("AttributeAssignment"), "AttributeAssignment"):
        name = _text(one, "AttributeId", "AttributeAssignment")
        value = _value(one, "AttributeAssignment")
        for option in ("Category", "DataType", "Issuer"):
            _optional(one, option, "AttributeAssignment")
        values = attributes.setdefault(name, [])
        values += value if isinstance(value, list) else [value]
    single = {
        name: values[0] if len(values) == 1 else values
        for name, values in attributes.items()
    }
    return Demand(_text(members, "Id", where), single)


def _returned(found: Any) -> Sequence[Returned]:  # noqa: ANN401
    """Read the attributes that came back (section 5.2.9)."""
    returned = []
    for category in _several(found, "Category"):
        name = _text(category, "CategoryId", "Category")
        for one in _several(category.get("Attribute"), "Attribute"):
            value = _value(one, "Attribute")
            returned.append(
                Returned(
                    category=name,
                    id=_text(one, "AttributeId", "Attribute"),
                    issuer=_optional(one, "Issuer", "Attribute"),
                    values=tuple(value) if isinstance(value, list) else (value,),
                    data_type=_optional(one, "DataType", "Attribute"),
                )
            )
    return returned


def _policies(members: Mapping[str, Any]) -> Sequence[str]:
    """Read the policies that apply, by either version's name for the list."""
    found = []
    for name in ("PolicyIdentifierList", "PolicyIdentifier"):
        for lists in _several(members.get(name), name):
            for kind in _REFERENCES:
                for one in _several(lists.get(kind), kind):
                    version = _optional(one, "Version", kind)
                    found.append(f"{_text(one, 'Id', kind)} {version}".rstrip())
    return found


def _several(found: Any, where: str) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401
    """Give the objects of a list, or the one that stands instead of it."""
    if found is None:
        return ()
    if isinstance(found, dict):
        return (found,)
    if not isinstance(found, list):
        raise ResponseError(f"{where} is no list")
    return [_object(one, where) for one in found]


def _object(found: Any, where: str) -> Mapping[str, Any]:  # noqa: ANN401
    if not isinstance(found, dict):
        raise ResponseError(f"{where} is no object")
    return found


def _text(members: Mapping[str, Any], name: str, where: str) -> str:
    found = members.get(name)
    if not isinstance(found, str):
        raise ResponseError(f"{where} has no {name} that is text")
    return found


def _optional(members: Mapping[str, Any], name: str, where: str) -> str:
    return "" if members.get(name) is None else _text(members, name, where)


def _value(members: Mapping[str, Any], where: str) -> Any:  # noqa: ANN401
    """Give a value, or a list of values."""
    found = members.get("Value")
    inside = found if isinstance(found, list) else [found]
    if any(value is None or isinstance(value, list) for value in inside):
        raise ResponseError(f"{where} has no Value")
    return found
