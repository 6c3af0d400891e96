"""Cases that a configuration has to decide as is expected."""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import attrs

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.explain.report import Explanation, plain, write_text
from sso_proxy.explain.situation import (
    NO_CERTIFICATE,
    NOBODY,
    Situation,
    Who,
    read_client_certificate,
    read_time,
    read_who,
    read_who_file,
    with_scopes,
)

VERDICTS: Final = ("permit", "deny", "step_up", "unknown")
_TEXTS: Final = ("name", "url", "method", "cert", "from", "sni", "expect_rule")
_MEMBERS: Final = frozenset(
    {*_TEXTS, "as", "at", "scopes", "binding", "expect", "expect_header"}
)
_MOST: Final = 10_000


@attrs.frozen(kw_only=True)
class Case:
    """
    A request, and what has to become of it.

    Attributes:
        name: Its name.
        situation: The request.
        expect: A verdict, or our answer's status; empty: whatever comes of it.
        rule: What has to decide, such as ``main/rule:sales-read``.
        headers: Fields that the backend has to get, by their names; None: must not.
    """

    name: str
    situation: Situation
    expect: str = ""
    rule: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict)


def read_cases(file: Path, now: float) -> list[Case]:
    """
    Read cases from a file: ``[[case]]`` tables.

    Args:
        file: Its name; other files are found from where it is.
        now: The time of cases that name none.

    Raises:
        ConfigError: With every mistake.
    """
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except OSError as e:
        problem = f"cannot be read: {e.strerror}"
        raise ConfigError(Mistake(str(file), problem)) from e
    except ValueError as e:
        raise ConfigError(Mistake(str(file), f"is not TOML: {e}")) from e
    tables = document.get("case")
    if document.keys() != {"case"} or not isinstance(tables, list):
        raise ConfigError(Mistake(str(file), "must have [[case]] tables only"))
    if len(tables) > _MOST:
        raise ConfigError(Mistake(str(file), f"has more than {_MOST} cases"))
    cases: list[Case] = []
    mistakes: list[Mistake] = []
    for number, table in enumerate(tables):
        try:
            cases.append(_read_case(table, f"case[{number}]", file.parent, now))
        except ConfigError as e:
            mistakes += e.mistakes
    if mistakes:
        raise ConfigError(*mistakes)
    return cases


def _read_case(table: object, path: str, directory: Path, now: float) -> Case:
    if not isinstance(table, dict):
        raise ConfigError(Mistake(path, "must be a table"))
    _check(table, path)
    who = _who(table, path, directory)
    cert = table.get("cert", "")
    at = table.get("at")
    certificate = None
    if cert not in {"", NO_CERTIFICATE}:
        certificate = read_client_certificate(directory / cert)
    binding = table.get("binding", ())
    return Case(
        name=table.get("name", f"{table.get('method', 'GET')} {table['url']}"),
        situation=Situation(
            url=table["url"],
            method=table.get("method", "GET"),
            who=who,
            certificate=certificate,
            certificate_known=bool(cert),
            client=table.get("from", ""),
            at=now if at is None else _time(at, f"{path}.at"),
            bindings=(binding,) if isinstance(binding, str) else tuple(binding),
            server_name=table.get("sni", ""),
        ),
        expect=str(table.get("expect", "")),
        rule=table.get("expect_rule", ""),
        headers=table.get("expect_header", {}),
    )


def _time(at: object, path: str) -> float:
    return read_time(at.isoformat() if isinstance(at, datetime) else str(at), path)


def _check(table: dict[str, Any], path: str) -> None:
    """Refuse what is unknown or of a wrong type."""
    mistakes = [
        Mistake(f"{path}.{name}", f"is unknown; known: {', '.join(sorted(_MEMBERS))}")
        for name in table
        if name not in _MEMBERS
    ]
    mistakes += [
        Mistake(f"{path}.{name}", "must be a string")
        for name in _TEXTS
        if not isinstance(table.get(name, ""), str)
    ]
    if "url" not in table:
        mistakes.append(Mistake(f"{path}.url", "is missing"))
    expect = str(table.get("expect", "permit"))
    is_status = len(expect) == 3 and expect.isascii() and expect.isdecimal()
    if expect not in VERDICTS and not is_status:
        known = ", ".join(VERDICTS)
        mistakes.append(Mistake(f"{path}.expect", f"must be {known}, or a status"))
    if not {"expect", "expect_rule", "expect_header"} & table.keys():
        mistakes.append(Mistake(f"{path}.expect", "is missing"))
    headers = table.get("expect_header", {})
    if not isinstance(headers, dict) or not all(
        isinstance(value, str) for value in headers.values()
    ):
        mistakes.append(Mistake(f"{path}.expect_header", "must be a table of strings"))
    binding = table.get("binding", ())
    if not isinstance(binding, str | list | tuple) or not all(
        isinstance(kind, str) for kind in binding
    ):
        mistakes.append(Mistake(f"{path}.binding", "must be kinds of bindings"))
    if mistakes:
        raise ConfigError(*mistakes)


def _who(table: dict[str, Any], path: str, directory: Path) -> Who:
    given = table.get("as")
    if given is None:
        who = Who()
    elif isinstance(given, str) and given != NOBODY:
        who = read_who_file(directory / given)
    else:
        who = read_who(given, f"{path}.as")
    scopes = table.get("scopes")
    if scopes is None:
        return who
    if isinstance(scopes, list) and all(isinstance(scope, str) for scope in scopes):
        scopes = " ".join(scopes)
    if not isinstance(scopes, str):
        raise ConfigError(Mistake(f"{path}.scopes", "must be scopes"))
    return with_scopes(who, scopes)


def problems(case: Case, explanation: Explanation) -> list[str]:
    """Say in what *explanation* is not as *case* expects; empty if in nothing."""
    found = []
    expect = case.expect
    got = str(explanation.status) if expect.isdecimal() else explanation.verdict
    if expect and got != expect:
        found.append(f"expected {expect}, got {explanation.summary}")
    if case.rule and case.rule not in explanation.decided_by:
        by = ", ".join(explanation.decided_by) or "nothing"
        found.append(f"expected that {case.rule} decides, not {by}")
    given = {name.lower(): value for name, value in explanation.headers}
    for name, value in case.headers.items():
        if given.get(name.lower(), "") != value:
            had = given.get(name.lower())
            got = "none" if had is None else repr(had)
            found.append(f"expected {name}: {value!r}, got {got}")
    return found


@attrs.frozen
class Result:
    """
    What has become of a case.

    Attributes:
        case: It.
        explanation: Why.
        problems: In what that is not as expected.
        seconds: How long it took.
    """

    case: Case
    explanation: Explanation
    problems: list[str]
    seconds: float


def write_junit(results: list[Result], name: str) -> bytes:
    """Give the results in the XML that continuous integration reads."""
    failed = sum(bool(result.problems) for result in results)
    suite = ET.Element(
        "testsuite",
        name=name,
        tests=str(len(results)),
        failures=str(failed),
        errors="0",
        skipped="0",
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=name,
            name=plain(result.case.name),
            time=f"{result.seconds:.3f}",
        )
        if result.problems:
            message = plain("; ".join(result.problems))
            failure = ET.SubElement(case, "failure", message=message)
            failure.text = "\n".join(write_text(result.explanation))
    whole = ET.Element("testsuites")
    whole.append(suite)
    written: bytes = ET.tostring(whole, "utf-8", xml_declaration=True)
    return written
