"""
Files of Apache's configuration, as files of rules.

Of several ``<Location>`` that fit a request, the last that requires anything counts;
those of a ``<VirtualHost>`` come after those outside.  So rules stand in the opposite
order, each section ends with a rule that denies, and the first that applies decides.

What cannot be translated denies, for all requests that it may be about.

https://httpd.apache.org/docs/2.4/sections.html#merging
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.apache_conditions import FALSE, TooLargeError, write_each
from sso_proxy.specs.apache_config import Directive, read_apache_config
from sso_proxy.specs.apache_require import (
    CONTAINERS,
    Finding,
    Login,
    Translator,
    requires,
)
from sso_proxy.specs.expression import parse
from sso_proxy.specs.expression_tokens import ExpressionError
from sso_proxy.specs.http.target import canonical_path

_HOST = re.compile(r"(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()+,=:@/-]*")
_OLD: Final = frozenset({"order", "allow", "deny", "satisfy"})
_INCLUDES: Final = frozenset({"include", "includeoptional"})
_OVERRIDDEN: Final = frozenset(
    {"directory", "directorymatch", "files", "filesmatch", "proxy", "proxymatch"}
)
"""Sections that each ``<Location>`` that requires anything overrides."""

_HEAD: Final = """\
# {name}, as rules.  The policy that has this file among its `files` needs
#
#     combine = "first_applicable"
#
# Requests that no section here is about are denied, whatever Apache did with them.
"""


@attrs.frozen
class Imported:
    """
    What a file of Apache's came to.

    Attributes:
        rules: A file of rules.
        findings: What became of each line that requires something, in their order.
    """

    rules: str
    findings: tuple[Finding, ...]


def import_rules(text: str, name: str) -> Imported:
    """
    Translate the file *text*, which is called *name*.

    Raises:
        ApacheConfigError: It has not the form of one.
    """
    importer = _Importer()
    blocks = list(importer.translate(_flat(read_apache_config(text))))
    findings = tuple(sorted(importer.findings, key=lambda f: f.line))
    return Imported("\n".join([_HEAD.format(name=_plain(name)), *blocks]), findings)


def _flat(directives: Iterable[Directive]) -> tuple[Directive, ...]:
    """Take ``<IfModule mod_x.c>`` away from what stands in it: the module is there."""
    found: list[Directive] = []
    for each in directives:
        if each.inside is None:
            found.append(each)
        elif each.name == "ifmodule" and not each.text.startswith("!"):
            found += _flat(each.inside)
        else:
            found.append(attrs.evolve(each, inside=_flat(each.inside)))
    return tuple(found)


@attrs.frozen
class _Scope:
    """Where sections stand: for which hosts, and how users log in."""

    hosts: tuple[str, ...]
    logins: "_Logins"


@attrs.frozen
class _Logins:
    """What says how users are called, with their words, as they were seen."""

    kind: str = ""
    session: tuple[str, ...] = ("sub@",)
    token: tuple[str, ...] = ("sub",)
    other: bool = False

    def seen(self, directives: Iterable[Directive]) -> "_Logins":
        found = self
        for each in directives:
            match each.name:
                case "authtype":
                    found = attrs.evolve(found, kind=each.text.strip("\"'").lower())
                case "oidcremoteuserclaim":
                    found = attrs.evolve(found, session=each.words)
                case "oidcoauthremoteuserclaim":
                    found = attrs.evolve(found, token=each.words)
                case "oauth2targetpass" if "remote_user_claim" in each.text:
                    found = attrs.evolve(found, other=True)
        return found

    def login(self) -> Login:
        words = {
            "openid-connect": self.session,
            "oauth20": self.token,
            "oauth2": () if self.other else ("sub",),
        }.get(self.kind, ())
        if words in {("sub",), ("sub@",)}:
            return Login(with_issuer=words == ("sub@",))
        if len(words) == 1 and re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", words[0]):
            return Login(claim=words[0])
        return Login(known=False)


class _Importer:
    """Translates a whole file, and notes what becomes of its lines."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def translate(self, whole: tuple[Directive, ...]) -> Iterator[str]:
        sites = [each for each in whole if each.name == "virtualhost"]
        named = [(site, *self._names(site)) for site in sites]
        deciding = [names for site, names, _ in named if self._decides(site)]
        times = Counter(name for names in deciding for name in set(names))
        twice = tuple(name for name, count in times.items() if count > 1)
        if twice:
            why = (
                "stands in several <VirtualHost>; which of them counts depends on ports"
            )
            self.findings.append(Finding(0, "unsupported", " ".join(twice), why))
            yield _rule("line-0-twice", "deny", _match(twice))
        for number, like in enumerate(like for *_, found in named for like in found):
            when = [f"host like '{like}'"]
            yield _rule(f"line-0-names-{number}", "deny", "", when)
        logins = _Logins().seen(whole)
        for site, names, _ in named:
            inside = site.inside or ()
            if names:
                yield from self._sections(inside, _Scope(names, logins.seen(inside)))
        known = tuple(dict.fromkeys(name for _, names, _ in named for name in names))
        if known or not sites:
            rest = tuple(each for each in whole if each.name != "virtualhost")
            yield from self._sections(rest, _Scope(known, logins))

    def _decides(self, site: Directive) -> bool:
        return any(self._may_require(each) for each in site.inside or ())

    @staticmethod
    def _may_require(each: Directive) -> bool:
        return each.name in _INCLUDES or requires([each])

    def _names(self, site: Directive) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Give the names of a ``<VirtualHost>``, and patterns that rules have not."""
        names, others = [], []
        for each in site.inside or ():
            if each.name not in {"servername", "serveralias"}:
                continue
            for word in each.words:
                host = re.sub(r"^[a-z]+://|:\d+$", "", word.lower()).rstrip(".")
                if _HOST.fullmatch(host):
                    names.append(host)
                    continue
                why = "is no name that rules can have; it is denied"
                self.findings.append(Finding(each.line, "unsupported", str(each), why))
                plain = re.sub(r"[^a-z0-9._*?-]", "?", host)
                others.append(plain.replace("*", "**"))
        if not names and not others:
            why = "has no ServerName: requests for its hosts are denied"
            self.findings.append(Finding(site.line, "unsupported", str(site), why))
        return tuple(dict.fromkeys(names)), tuple(others)

    def _sections(
        self, directives: tuple[Directive, ...], scope: _Scope
    ) -> Iterator[str]:
        for each in reversed(directives):
            if each.name == "location" and not each.text.startswith("~"):
                yield from self._location(each, scope)
            elif each.name in {"location", "locationmatch"}:
                if requires(each.inside or ()):
                    yield self._pattern(each, scope)
            elif each.name in _OVERRIDDEN and requires(each.inside or ()):
                self._note(each, "is about files; a <Location> for them overrides it")
            elif each.name in _INCLUDES:
                why = "another file may require anything for everything before it"
                yield self._closed(each, scope, why)
            elif self._may_require(each):
                why = "stands where its meaning is not known"
                yield self._closed(each, scope, why)

    def _note(self, each: Directive, why: str) -> None:
        self.findings.append(Finding(each.line, "unsupported", str(each), why))

    def _closed(
        self, each: Directive, scope: _Scope, why: str, path: str = "", guard: str = ""
    ) -> str:
        """Deny all that a directive may be about."""
        self._note(each, why)
        rule = _rule(
            f"line-{each.line}",
            "deny",
            _match(scope.hosts, path),
            [guard],
        )
        return (
            f"# line {each.line}: {_plain(str(each))}\n#   unsupported: {why}\n{rule}"
        )

    def _pattern(self, each: Directive, scope: _Scope) -> str:
        """Deny what a pattern fits, and paths with escapes, which Apache decodes."""
        expression = (each.words or ("",))[-1]
        whole = f"(?s:.*)(?:{expression})(?s:.*)"
        text = whole.replace("\\", "\\\\").replace("'", "\\'")
        guard = f"path matches '{text}' or path like '**%**'"
        if _unreadable(guard):
            guard = ""
        return self._closed(each, scope, "write rules for these paths", guard=guard)

    def _location(self, each: Directive, scope: _Scope) -> Iterator[str]:
        inside = each.inside or ()
        if not requires(inside):
            return
        path = (each.words or ("",))[0]
        if not _is_plain(path):
            yield self._closed(each, scope, "is no path that rules can have")
            return
        guard = f"path starts with {_quoted(path)}" if len(path) > 1 else ""
        guard = guard if path.endswith("/") else ""
        if problem := _unsafe(inside):
            yield self._closed(each, scope, problem, path, guard)
            return
        translator = Translator(scope.logins.seen(inside).login())
        try:
            granted = translator.translate(inside, "requireany").granted
        except TooLargeError as e:
            yield self._closed(each, scope, str(e), path, guard)
            return
        self.findings += translator.findings
        when = write_each(granted)
        if granted != FALSE and (problem := _unreadable(*when)):
            yield self._closed(each, scope, problem, path, guard)
            return
        match, name = _match(scope.hosts, path), f"line-{each.line}"
        yield "\n".join(_comments(each, translator.findings))
        if granted != FALSE:
            yield _rule(name, "permit", match, (guard, *when))
        yield _rule(f"{name}-others", "deny", match, [guard])


def _unsafe(directives: tuple[Directive, ...]) -> str:
    """Say why a section cannot be translated as a whole."""
    for each in directives:
        if each.name in _OLD:
            return f"{each.name} is of Apache 2.2, and combined with Require otherwise"
        if each.name == "authmerging" and each.text.lower() != "off":
            return "AuthMerging adds to what was required before"
        if each.name in _INCLUDES:
            return "another file may require anything"
        is_section = each.inside is not None and each.name not in CONTAINERS
        if is_section and requires(each.inside or ()):
            return f"<{each.name}> holds for some requests only"
    return ""


def _unreadable(*conditions: str) -> str:
    try:
        for each in conditions:
            parse(each)
    except ExpressionError as e:
        return f"has no condition here: {e.problem}"
    return ""


def _is_plain(path: str) -> bool:
    try:
        return bool(_PATH.fullmatch(path)) and canonical_path(path) == path
    except BadMessageError:
        return False


def _comments(each: Directive, findings: Iterable[Finding]) -> Iterator[str]:
    yield f"# line {each.line}: {_plain(str(each))}"
    for found in findings:
        why = f" ({_plain(found.why)})" if found.why else ""
        yield f"#   {found.kind}: {_plain(found.text)}{why}"


def _match(hosts: Iterable[str], path: str = "") -> str:
    parts = []
    if hosts:
        parts.append(f"host = [{', '.join(map(json.dumps, hosts))}]")
    if len(path) > 1:
        parts.append(f"path = {json.dumps(path)}")
    return f"match = {{ {', '.join(parts)} }}\n" if parts else ""


def _rule(name: str, effect: str, match: str, when: Iterable[str] = ()) -> str:
    conditions = "".join(
        f"    {json.dumps(c, ensure_ascii=False)},\n" for c in when if c
    )
    holds = f"when = [\n{conditions}]\n" if conditions else ""
    return f'[[rule]]\nname = "{name}"\neffect = "{effect}"\n{match}{holds}'


def _quoted(text: str) -> str:
    escaped = text.replace("'", "\\'")
    return f"'{escaped}'"


def _plain(text: str) -> str:
    """Give *text* as a comment can have it."""
    return "".join(char if char.isprintable() else "?" for char in text)
