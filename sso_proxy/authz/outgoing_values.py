"""What decision points are told: values of a request and its identity, by a word."""

from collections.abc import Mapping
from typing import Final

from sso_proxy.authz.facts import NOTHING, Context, Getter, UndefinedError, make_getter
from sso_proxy.authz.rule import split_path
from sso_proxy.model import Identity, Request
from sso_proxy.specs.expression import parse
from sso_proxy.specs.expression_tokens import ExpressionError, Token, read_tokens
from sso_proxy.specs.expression_tree import (
    CellOperand,
    Exists,
    Operand,
    PartOperand,
)
from sso_proxy.specs.http.target import matching_path

_BEFORE: Final = "exists "
_WANTED: Final = (
    "expected a value: claims.NAME, a fact such as method, text in quotes, a number,"
    " true, false, url, scheme or now"
)


def _url(_identity: Identity, request: Request) -> str | None:
    """Give scheme, host, port and path; the query is for the backend alone."""
    head = request.head
    if not head.path.startswith("/"):
        return None
    usual = {"https": 443, "http": 80}.get(head.scheme)
    port = "" if head.port == usual else f":{head.port}"
    return f"{head.scheme}://{head.host}{port}{matching_path(head.path)}"


_WORDS: Final[Mapping[str, Getter]] = {
    "url": _url,
    "scheme": lambda _identity, request: request.head.scheme,
    "now": lambda _identity, request: request.time,
}


def check_value(text: str) -> None:
    """
    Check a word for a value.

    Raises:
        ValueError: It is none of `make_value`.
    """
    _read(text)


def is_changing(text: str) -> bool:
    """Say whether it is another one each time."""
    return text == "now"


def make_value(text: str, context: Context = NOTHING) -> Getter:
    """
    Give what finds the value that *text* stands for.

    Args:
        text: An operand of conditions (`sso_proxy.specs.expression`); a value of its
            own: text in quotes, a whole number, ``true`` or ``false``; or ``url``,
            ``scheme``, ``now`` (seconds since the epoch).
        context: Named parts and tables that it may be of.  Named parts are there only
            if the path begins as the template does.

    Raises:
        ValueError: It is nothing of that.
    """
    found = _read(text)
    if callable(found):
        return found
    try:
        get = make_getter(found, context)
    except UndefinedError as e:
        raise ValueError(str(e)) from None
    return _if_fitting(get, context.template) if _has_part(found) else get


def _read(text: str) -> Getter | Operand:
    if text in _WORDS:
        return _WORDS[text]
    try:
        tokens = read_tokens(text)
        constant = _constant(tokens[0]) if len(tokens) == 2 else None
        if constant is not None:
            return constant
        node = parse(_BEFORE + text)
    except ExpressionError as e:
        column = max(1, e.column - len(_BEFORE))
        raise ValueError(f"at column {column}: {_WANTED}") from None
    if isinstance(node, Exists):
        return node.operand
    raise ValueError(f"that is a condition; {_WANTED}")


def _constant(token: Token) -> Getter | None:
    """Give a value that is always the same, if it is one."""
    value: str | int | bool
    match token.kind:
        case "string":
            value = token.text
        case "number":
            value = int(token.text)
        case "word" if token.text in {"true", "false"}:
            value = token.text == "true"
        case _:
            return None
    return lambda _identity, _request: value


def _has_part(operand: Operand) -> bool:
    match operand:
        case PartOperand():
            return True
        case CellOperand(_, key):
            return _has_part(key)
        case _:
            return False


def _if_fitting(get: Getter, template: str) -> Getter:
    """Find a value only where the path is what its template is about."""
    wanted = split_path(template)

    def found(identity: Identity, request: Request) -> object:
        given = split_path(request.head.path)
        fits = len(given) >= len(wanted) and all(
            one.startswith("{") or one == other
            for one, other in zip(wanted, given, strict=False)
        )
        return get(identity, request) if fits else None

    return found
