"""
Apache's ``Require``, as conditions that are true for nobody whom Apache refuses.

Apache knows three answers: granted, denied and neutral, and combines them as the
documentation of mod_authz_core says.  So does this: for each requirement, what is true
when it grants, and what is true when it does not.  Both may be false where we cannot
tell; then nobody gets in by it, in whatever way it is combined.

https://httpd.apache.org/docs/2.4/mod/mod_authz_core.html
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from sso_proxy.specs.apache_conditions import (
    FALSE,
    TRUE,
    Condition,
    all_of,
    any_of,
)
from sso_proxy.specs.apache_config import Directive
from sso_proxy.specs.expression_patterns import PatternError, compile_pattern

CONTAINERS: Final = frozenset({"requireall", "requireany", "requirenone"})

WORDS: Final = frozenset({"require", "order", "allow", "deny", "satisfy", *CONTAINERS})
"""Directives that say who gets in."""

_MOST_DOTS: Final = 5
_KEY = re.compile(r"[A-Za-z0-9_:/@#.+-]+")
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_CLAIM_WORDS: Final = frozenset({"claim", "oauth2_claim"})
_TEXT_IN_ANY: Final = "(?s:.*)"


@attrs.frozen
class Finding:
    """
    What became of a line.

    Attributes:
        line: Its number.
        kind: ``translated``; ``approximated``: nobody gets in whom Apache refuses, but
            some may be refused whom Apache lets in; or ``unsupported``: nobody gets in.
        text: The line.
        why: What is different.
    """

    line: int
    kind: str
    text: str
    why: str = ""


@attrs.frozen
class Requirement:
    """
    When a requirement is granted, denied, and neither; each a condition.

    Attributes:
        granted: True if Apache grants it.
        not_granted: True if Apache does not.
        denied: True if Apache denies it.
        not_denied: True if Apache does not.
    """

    granted: Condition
    not_granted: Condition
    denied: Condition
    not_denied: Condition


@attrs.frozen(kw_only=True)
class Login:
    """
    How users are called in a section.

    Attributes:
        claim: The claim; empty: the subject.
        with_issuer: ``@`` and the issuer follow.
        known: Whether the section says how they log in.
    """

    claim: str = ""
    with_issuer: bool = False
    known: bool = True


def leaf(true: Condition, untrue: Condition) -> Requirement:
    """Make a requirement that is granted or denied."""
    return Requirement(granted=true, not_granted=untrue, denied=untrue, not_denied=true)


NEVER: Final = leaf(FALSE, FALSE)
"""What nobody gets in by, not even if it is negated."""


def combine(kind: str, parts: list[Requirement]) -> Requirement:
    """Combine requirements as a section of *kind* does: ``requireall`` and so on."""
    granted = [p.granted for p in parts]
    not_granted = [p.not_granted for p in parts]
    denied = [p.denied for p in parts]
    not_denied = [p.not_denied for p in parts]
    if kind == "requireall":
        # Where one is granted if not denied, there is one that is granted.
        plain = any(p.granted == p.not_denied for p in parts)
        return Requirement(
            granted=all_of([*not_denied, *([] if plain else [any_of(granted)])]),
            not_granted=any_of([*denied, all_of(not_granted)]),
            denied=any_of(denied),
            not_denied=all_of(not_denied),
        )
    if kind == "requireany":
        return Requirement(
            granted=any_of(granted),
            not_granted=all_of(not_granted),
            denied=all_of([*not_granted, any_of(denied)]),
            not_denied=any_of([*granted, all_of(not_denied)]),
        )
    return Requirement(
        granted=FALSE,
        not_granted=TRUE,
        denied=any_of(granted),
        not_denied=all_of(not_granted),
    )


def requires(directives: Iterable[Directive]) -> bool:
    """Say whether any of *directives* says who gets in."""
    return any(
        each.name in WORDS or (each.inside is not None and requires(each.inside))
        for each in directives
    )


def _read(directive: Directive) -> tuple[bool, str, list[str]]:
    """Read whether it is negated, its kind, and the words behind that."""
    words = list(directive.words)
    negated = bool(words) and words[0].lower() == "not"
    name, *values = words[negated:] or [""]
    return negated, name.lower(), values


class Translator:
    """
    Translates requirements, and notes what becomes of each.

    Args:
        login: How users are called.

    Attributes:
        findings: What became of each line.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        self.findings: list[Finding] = []

    def translate(self, directives: Iterable[Directive], kind: str) -> Requirement:
        """
        Translate what stands in a section of *kind*, as far as it requires.

        Raises:
            TooLargeError: It would be too much.
        """
        parts = []
        for each in directives:
            if each.name in CONTAINERS and each.inside is not None:
                parts.append(self.translate(each.inside, each.name))
            elif each.name == "require":
                parts.append(self._require(each))
            elif each.inside is not None and requires(each.inside):
                why = "holds for some requests only, or adds to what was before"
                self.note(each, "unsupported", f"<{each.name}> {why}")
                parts.append(NEVER)
        return combine(kind, parts)

    def _require(self, directive: Directive) -> Requirement:
        negated, name, values = _read(directive)
        try:
            found, why = self._leaf(name, values, directive.text)
        except (ValueError, PatternError) as e:
            self.note(directive, "unsupported", str(e))
            return combine("requirenone", [NEVER]) if negated else NEVER
        self.note(directive, "approximated" if why else "translated", why)
        return combine("requirenone", [found]) if negated else found

    def note(self, directive: Directive, kind: str, why: str) -> None:
        """Note what becomes of *directive*."""
        self.findings.append(Finding(directive.line, kind, str(directive), why))

    def _leaf(  # noqa: PLR0911, C901 - one for each kind
        self, name: str, values: list[str], text: str
    ) -> tuple[Requirement, str]:
        """
        Translate one requirement, and say what is different about it.

        Raises:
            ValueError: It cannot be translated.
        """
        if "%{" in text:
            raise ValueError("has an expression in it")
        match name:
            case "all" if [v.lower() for v in values] == ["granted"]:
                return leaf(TRUE, FALSE), ""
            case "all" if [v.lower() for v in values] == ["denied"]:
                return leaf(FALSE, TRUE), ""
            case "valid-user":
                return leaf("issuer != 'anonymous'", "issuer == 'anonymous'"), ""
            case "user" if values:
                return self._user(values)
            case "method" if values:
                return _methods(values)
            case "ip" if values:
                return _one_of("client", map(_network, values)), ""
            case "local":
                ours = _one_of("client", ["127.0.0.0/8", "::1"])
                return ours, "Apache's own other addresses are not local"
            case "ssl":
                return leaf("exists tls.version", "not exists tls.version"), ""
            case word if word in _CLAIM_WORDS and values:
                return _claims(values)
        raise ValueError(f"there is nothing like 'Require {name}' here")

    def _user(self, names: list[str]) -> tuple[Requirement, str]:
        login = self._login
        if not login.known:
            raise ValueError("what users are called here does not follow from the file")
        if login.claim:
            path = _quoted_name(login.claim)
            have = [_quoted(name) for name in names]
            inside = f"claims.{path} in [{', '.join(have)}]"
            outside = any_of(
                [
                    f"claims.{path} not in [{', '.join(have)}]",
                    f"not exists claims.{path}",
                ]
            )
            return leaf(inside, outside), ""
        if not login.with_issuer:
            return _one_of("subject", names), ""
        are, are_not = [], []
        for name in names:
            subject, _, issuer = name.rpartition("@")
            if not subject:
                raise ValueError(f"{name!r} has no issuer, as sub@issuer")
            issuers = (
                f"[{_quoted(f'https://{issuer}')}, {_quoted(f'https://{issuer}/')}]"
            )
            are.append(f"(subject == {_quoted(subject)} and issuer in {issuers})")
            are_not.append(
                f"(subject != {_quoted(subject)} or issuer not in {issuers})"
            )
        return leaf(any_of(are), all_of(are_not)), ""


def _one_of(fact: str, values: Iterable[str]) -> Requirement:
    listed = ", ".join(map(_quoted, values))
    return leaf(f"{fact} in [{listed}]", f"{fact} not in [{listed}]")


def _methods(values: list[str]) -> tuple[Requirement, str]:
    """GET and HEAD are one method there."""
    if unfit := [v for v in values if not re.fullmatch("[A-Z][A-Z-]*", v)]:
        raise ValueError(f"{unfit[0]!r} is no method")
    both = ["GET", "HEAD"]
    wanted = [m for v in values for m in (both if v in both else [v])]
    return _one_of("method", dict.fromkeys(wanted)), ""


def _network(text: str) -> str:
    """
    Read an address, a network, or the beginning of an address.

    Raises:
        ValueError: It is none.
    """
    if re.fullmatch(r"\d{1,3}(\.\d{1,3}){0,2}\.?", text):
        parts = text.rstrip(".").split(".")
        text = f"{'.'.join((*parts, *['0'] * (4 - len(parts))))}/{8 * len(parts)}"
    return str(ipaddress.ip_network(text))


def _quoted(text: str) -> str:
    """
    Write *text* as a string of the grammar of conditions.

    Raises:
        ValueError: It has control characters.
    """
    if not text.isprintable():
        raise ValueError("has control characters")
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _quoted_name(name: str) -> str:
    """Write the name of a claim."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else f"'{name}'"


def _claims(specs: list[str]) -> tuple[Requirement, str]:
    """Translate what claims are compared with; one of *specs* is enough."""
    are: list[Condition] = []
    are_not: list[Condition] = []
    whys = set()
    for spec in specs:
        head, tilde, _ = spec.partition("~")
        names = head if tilde else head.rpartition(":")[0]
        if names.count(".") > _MOST_DOTS:  # each of which doubles the readings
            raise ValueError(f"{spec!r} can be read in too many ways")
        readings = list(_readings(spec))
        if not readings:
            raise ValueError(f"{spec!r} is no claim:value or claim~expression")
        for path, sign, value in readings:
            is_it, is_not = (
                _pattern(path, value) if sign == "~" else _value(path, value)
            )
            are.append(is_it)
            are_not.append(is_not)
            if sign == "~":
                whys.add("an expression of RE2; what $ and \\s mean differs a little")
    return leaf(any_of(are), all_of(are_not)), "; ".join(whys)


def _readings(spec: str, above: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str]]:
    """
    Read ``name:value`` in every way that Apache may.

    It looks for a claim whose name the text begins with, up to a colon, a tilde or a
    dot; the name may have dots and colons itself.
    """
    for end in range(1, len(spec)):
        if spec[end] not in ":~.":
            continue
        if not _KEY.fullmatch(spec[:end]) or not re.search("[:~]", spec[end:]):
            return
        path = (*above, spec[:end])
        if spec[end] == ".":
            yield from _readings(spec[end + 1 :], path)
        else:
            yield ".".join(map(_quoted_name, path)), spec[end], spec[end + 1 :]


def _value(path: str, value: str) -> tuple[Condition, Condition]:
    """Compare with text, a whole number or a truth; in a list, with each element."""
    claim, text = f"claims.{path}", _quoted(value)
    values = [text]
    number = value if _INTEGER.fullmatch(value) else None
    truth = value if value in {"true", "false"} else None
    values += [str(int(number))] if number is not None else []
    values += [truth] if truth is not None else []
    are = [f"{claim} == {v}" for v in values] + [
        f"{claim} contains {v}" for v in values
    ]
    # Each is true of values of one type only; together they say "anything else".
    # Apache reads 0 in what is no number.
    other = str(int(number or 0))
    lacks = all_of(f"{claim} not contains {v}" for v in (*values, other))
    are_not = [
        f"not exists {claim}",
        f"{claim} != {text}",
        f"{claim} != {other}",
        f"{claim} == {'false' if truth == 'true' else 'true'}",
        *([] if truth is not None else [f"{claim} == false"]),
        lacks,
    ]
    return any_of(are), any_of(are_not)


def _pattern(path: str, expression: str) -> tuple[Condition, Condition]:
    """Find *expression* in text, or in an element of a list."""
    claim = f"claims.{path}"
    whole = f"{_TEXT_IN_ANY}(?:{expression}){_TEXT_IN_ANY}"
    compile_pattern("matches", whole)
    text = _quoted(whole)
    are = [f"{claim} matches {text}", f"{claim} contains matches {text}"]
    are_not = [
        f"not exists {claim}",
        f"{claim} not matches {text}",
        f"{claim} not contains matches {text}",
        *(f"{claim} {other}" for other in ("< 0", ">= 0", "== true", "== false")),
    ]
    return any_of(are), any_of(are_not)
