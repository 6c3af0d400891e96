"""
Values that are told to a decision point, and their data types.

What has no exact form there is refused: a policy that is not told a value decides as
if there were none, and what two sides read differently is decided about wrongly.
"""

import datetime as dt
import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.xacml.names import DATA_TYPES, DOUBLE

Scalar: TypeAlias = str | int | float | bool

_MOST: Final = 2**53 - 1
"""Beyond this JSON readers disagree about whole numbers (RFC 7493 section 2.2)."""


@attrs.frozen
class UnfitError(SsoProxyError):
    """
    A value cannot be told.

    Attributes:
        detail: Why, for the log; never the value.
    """

    detail: str


@attrs.frozen
class Bag:
    """
    Values of one attribute, all of one type.

    Attributes:
        values: The values.
        data_type: The URI of their type; empty where every reader infers the same from
            JSON's own types: strings, booleans and whole numbers.
    """

    values: tuple[Scalar, ...]
    data_type: str = ""


def read_bag(found: Any, data_type: str = "") -> Bag:  # noqa: ANN401
    """
    Give the values that *found* stands for.

    Args:
        found: A value, a list of values, or None for no value at all.
        data_type: Their type: a word of `DATA_TYPES`, a URI, whose values are text, or
            empty to infer it.

    Raises:
        UnfitError: One is nothing that can be told, or not as *data_type*.
    """
    items = list(found) if isinstance(found, list | tuple) else [found]
    if found is None or not items:
        return Bag(())
    if not data_type:
        return _inferred(items)
    convert = _FORMS.get(data_type, _text)
    uri = DATA_TYPES.get(data_type, data_type)
    return Bag(_sorted(map(convert, items)), uri)


def _inferred(items: list[Any]) -> Bag:
    """Give values whose type is JSON's (JSON Profile 1.1 section 3.3.1)."""
    kinds = set(map(type, items))
    if kinds == {str}:
        return Bag(_sorted(map(_text, items)))
    if kinds == {bool}:
        return Bag(_sorted(items))
    if kinds == {int}:
        return Bag(_sorted(map(_integer, items)))
    if kinds in ({float}, {int, float}):
        return Bag(_sorted(map(_double, items)), DOUBLE)
    raise UnfitError("it is no text, number, truth or list of one of these")


def _sorted(values: Iterable[Any]) -> tuple[Scalar, ...]:
    """Give values in one order: a bag has none, and scopes come in any."""
    return tuple(sorted(values))


def _text(item: Any) -> str:  # noqa: ANN401
    if not isinstance(item, str):
        raise UnfitError("it is no text")
    try:
        item.encode()
    except UnicodeEncodeError:
        raise UnfitError("it has half a character") from None
    return item


def _boolean(item: Any) -> bool:  # noqa: ANN401
    if not isinstance(item, bool):
        raise UnfitError("it is neither true nor false")
    return item


_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,14}", re.ASCII)


def _integer(item: Any) -> int:  # noqa: ANN401
    if isinstance(item, str) and _WHOLE.fullmatch(item):
        item = int(item)
    if type(item) is not int or abs(item) > _MOST:
        raise UnfitError("it is no whole number that all sides read alike")
    return item


def _double(item: Any) -> float:  # noqa: ANN401
    if isinstance(item, float) and math.isfinite(item):
        return item
    return float(_integer(item))


def _fits(pattern: str, what: str) -> Callable[[Any], str]:
    """Make what takes text of one form."""
    match = re.compile(pattern, re.ASCII).fullmatch

    def read(item: Any) -> str:  # noqa: ANN401
        if not isinstance(item, str) or not match(item):
            raise UnfitError(f"it is no {what}")
        return item

    return read


def _address(item: Any) -> str:  # noqa: ANN401
    """Give an address as XACML 3.0 appendix A.2 writes it: IPv6 in brackets."""
    try:
        address = ipaddress.ip_address(_text(item))
    except ValueError:
        raise UnfitError("it is no address") from None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.scope_id is not None:
        raise UnfitError("an address with a zone means something here alone")
    return f"[{address}]"


def _moment(item: Any) -> dt.datetime | None:  # noqa: ANN401
    """Read seconds since the epoch, as UTC; None for what is no number."""
    if type(item) not in {int, float}:
        return None
    try:
        moment = dt.datetime.fromtimestamp(item, dt.UTC)
    except (ValueError, OverflowError, OSError):
        raise UnfitError("it is no moment") from None
    return moment.replace(microsecond=0, tzinfo=None)


def _date_time(item: Any) -> str:  # noqa: ANN401
    moment = _moment(item)
    if moment is not None:
        return f"{moment.isoformat()}Z"
    return _checked(item, _DATE_TIME, dt.datetime.fromisoformat)


def _date(item: Any) -> str:  # noqa: ANN401
    moment = _moment(item)
    if moment is not None:
        return f"{moment.date().isoformat()}Z"
    text = _checked(item, _DATE, lambda text: text)
    _checked(text[:10], _DATE, dt.date.fromisoformat)
    return text


def _time(item: Any) -> str:  # noqa: ANN401
    moment = _moment(item)
    if moment is not None:
        return f"{moment.time().isoformat()}Z"
    return _checked(item, _TIME, dt.time.fromisoformat)


_ZONE: Final = r"(?:Z|[+-][0-9]{2}:[0-9]{2})?"
_DAY: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
_DATE_TIME: Final = re.compile(f"{_DAY}T{_CLOCK}{_ZONE}", re.ASCII)
_DATE: Final = re.compile(f"{_DAY}{_ZONE}", re.ASCII)
_TIME: Final = re.compile(f"{_CLOCK}{_ZONE}", re.ASCII)


def _checked(
    item: Any,  # noqa: ANN401
    form: re.Pattern[str],
    read: Callable[[str], object],
) -> str:
    """Give text of this form that means something."""
    if not isinstance(item, str) or not form.fullmatch(item):
        raise UnfitError("it is no such date or time")
    try:
        read(item)
    except ValueError:
        raise UnfitError("there is no such date or time") from None
    return item


_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN: Final = rf"{_LABEL}(?:\.{_LABEL})*"
_NUMBERS: Final = r"[0-9]{1,9}"

_FORMS: Final[Mapping[str, Callable[[Any], Scalar]]] = {
    "string": _text,
    "boolean": _boolean,
    "integer": _integer,
    "double": _double,
    "time": _time,
    "date": _date,
    "dateTime": _date_time,
    "dayTimeDuration": _fits(
        rf"-?P(?=.)(?:{_NUMBERS}D)?(?:T(?=.)(?:{_NUMBERS}H)?(?:{_NUMBERS}M)?"
        rf"(?:{_NUMBERS}(?:\.{_NUMBERS})?S)?)?",
        "duration of days and seconds",
    ),
    "yearMonthDuration": _fits(
        rf"-?P(?=.)(?:{_NUMBERS}Y)?(?:{_NUMBERS}M)?", "duration of years and months"
    ),
    "anyURI": _fits(r"[!#-;=?-Z_a-z~\[\]]+|(?:)", "URI"),
    "hexBinary": _fits(r"(?:[0-9A-Fa-f]{2})*", "hexadecimal text"),
    "base64Binary": _fits(
        r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", "base64"
    ),
    "rfc822Name": _fits(rf"[!#-'*+\-./0-9=?A-Z^-~]{{1,64}}@{_DOMAIN}", "mail address"),
    "x500Name": _fits(r"[^\x00-\x1f\x7f\ud800-\udfff]+", "distinguished name"),
    "ipAddress": _address,
    "dnsName": _fits(rf"(?:\*\.)?{_DOMAIN}", "name of a host"),
}
"""What gives a value as each type writes it; numbers are moments for three of them."""
