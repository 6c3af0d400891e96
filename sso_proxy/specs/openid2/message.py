"""Messages: fields as queries, as forms, and as lines (section 4)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.openid2.names import NS

MOST_FIELDS: Final = 100
"""Fields of a message."""
MAX_MESSAGE: Final = 65536
"""Octets of a message."""
MAX_ANSWER: Final = 16384
"""Octets of what a provider answers to ourselves."""

_PREFIX: Final = "openid."
_name = re.compile(r"[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_.-]{1,128})?").fullmatch
_alias = re.compile(r"ns\.([A-Za-z0-9_-]{1,64})").fullmatch
_control = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]").search
_escapes = re.compile("(?:[^%]|%[0-9A-Fa-f]{2})*+").fullmatch
_RESERVED: Final = frozenset({"ns", "mode", "signed", "sig", "identity", "claimed_id"})

FormFields = tuple[tuple[str, str], ...]


@attrs.frozen
class MessageError(SsoProxyError):
    """
    A message cannot be read in exactly one way.

    Attributes:
        reason: A short code: ``openid-message``, ``openid-version``.
        detail: Why, for the log; holds nothing of the message.
    """

    reason: str
    detail: str


@attrs.frozen(kw_only=True)
class Message:
    """
    A message, which nobody has proved to come from anybody.

    Attributes:
        fields: Values by their names, without ``openid.``.
        others: Parameters that came along and are none of OpenID's, in their order.
    """

    fields: Mapping[str, str] = attrs.field(repr=False)
    others: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)

    @property
    def mode(self) -> str:
        """Give ``openid.mode``; empty if there is none."""
        return self.fields.get("mode", "")

    @property
    def names(self) -> frozenset[str]:
        """Give the names of all fields."""
        return frozenset(self.fields)

    def get(self, name: str) -> str | None:
        """Give the value of ``openid.name``."""
        return self.fields.get(name)

    def alias_of(self, namespace: str) -> str | None:
        """
        Say what an extension is called in this message (section 12).

        Raises:
            MessageError: Two things: some would read the one, some the other.
        """
        found = [
            match[1]
            for name, value in self.fields.items()
            if value == namespace and (match := _alias(name))
        ]
        if len(found) > 1:
            raise _refused("one extension has two names")
        return found[0] if found else None


def read_message(query: str | None, form: str | None = None) -> Message:
    """
    Read a message that a browser brings (section 5.2.1).

    Args:
        query: Of the URL, still escaped.
        form: The body, if it is one; still escaped.

    Raises:
        MessageError: A field is there twice (parameter pollution), or there are fields
            in query and form, one has a control character, with which it would be
            two lines of what is signed, it is too long, is no UTF-8, or the message
            is of another version.
    """
    if len(query or "") + len(form or "") > MAX_MESSAGE:
        raise _refused("the message is too long")
    if (query or "").count("&") + (form or "").count("&") > 2 * MOST_FIELDS:
        raise _refused("too many parameters")
    outside, inside = [*_pairs(query or "")], [*_pairs(form or "")]
    if _has_fields(outside) and _has_fields(inside):
        raise _refused("fields in the query and in the form")
    fields: dict[str, str] = {}
    for name, value in (*outside, *inside):
        if not name.startswith(_PREFIX):
            continue
        short = name.removeprefix(_PREFIX)
        if short in fields:
            raise _refused("a field is there twice")
        _check_field(short, value)
        fields[short] = value
    if len(fields) > MOST_FIELDS:
        raise _refused("too many fields")
    # What is no URL's is nobody's business but the form's.
    others = tuple(each for each in outside if not each[0].startswith(_PREFIX))
    if fields.get("ns") != NS:
        raise MessageError("openid-version", "no message of OpenID 2.0")
    return Message(fields=fields, others=others)


def build_fields(pairs: Iterable[tuple[str, str]]) -> FormFields:
    """Give the parameters of a message: *pairs*, and before them the namespace."""
    return tuple((_PREFIX + name, value) for name, value in (("ns", NS), *pairs))


def read_key_values(body: bytes) -> dict[str, str]:
    """
    Read lines of names and values (section 4.1.1).

    White space around them is cut off, and a last line may lack its end, both as other
    readers have it.

    Raises:
        MessageError: It is too long, is no UTF-8, a line is none, a name is there
            twice, or a value has a control character.
    """
    if len(body) > MAX_ANSWER:
        raise _refused("the answer is too long")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused("the answer is no UTF-8") from None
    fields: dict[str, str] = {}
    lines = text.removesuffix("\n").split("\n") if text else []
    if len(lines) > MOST_FIELDS:
        raise _refused("too many fields")
    for line in lines:
        name, colon, value = line.removesuffix("\r").partition(":")
        name, value = name.strip(" \t"), value.strip(" \t")
        if not colon:
            raise _refused("a line is no field")
        if name in fields:
            raise _refused("a field is there twice")
        _check_field(name, value)
        fields[name] = value
    return fields


def write_key_values(pairs: Iterable[tuple[str, str]]) -> bytes:
    """
    Write lines of names and values: what is signed (section 6.1).

    Raises:
        MessageError: One would be two lines, or another name.
    """
    lines = []
    for name, value in pairs:
        _check_field(name, value)
        lines.append(f"{name}:{value}\n")
    return "".join(lines).encode("utf-8")


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Read a query or a form; what stands after a ``;`` is a part of a value."""
    for part in text.split("&") if text else ():
        name, _, value = part.partition("=")
        yield _decode(name), _decode(value)


def _decode(text: str) -> str:
    if not text.isascii() or not _escapes(text):
        raise _refused("an escape that is none")
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise _refused("no UTF-8") from None


def _check_field(name: str, value: str) -> None:
    if not _name(name):
        raise _refused("a field has a name that none has")
    if _control(value):
        raise _refused("a field has a control character")
    if (match := _alias(name)) and match[1] in _RESERVED:
        raise _refused("an extension has the name of a field")


def _has_fields(pairs: Iterable[tuple[str, str]]) -> bool:
    return any(name.startswith(_PREFIX) for name, _ in pairs)


def _refused(detail: str) -> MessageError:
    return MessageError("openid-message", detail)
