"""The ``pattern`` mapper: regular expressions make a user name of a string."""

import re
from typing import ClassVar, Self

import attrs
from zope.interface import implementer

from sso_proxy.config.checks import Attribute, non_empty
from sso_proxy.config.expressions import compile_expression
from sso_proxy.interfaces import ITools, IUserMapper
from sso_proxy.mappers.claim import one_string
from sso_proxy.model import DECLINED, REFUSED, Identity, MapperVerdict, UserName
from sso_proxy.specs.claims import read_claim_path
from sso_proxy.specs.user_name import is_safe_user_name

_PART = re.compile(r"[^$]+|\$[1-9$]")

Template = tuple[str | int, ...]
"""Literal text, and the numbers of groups, in their order."""


def read_template(text: str, groups: int) -> Template:
    """
    Read ``$1`` to ``$9`` and ``$$`` (a dollar sign) in *text*.

    Raises:
        ValueError: Another ``$``, or a group that an expression with that many
            *groups* has not.
    """
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        found = _PART.match(text, position)
        if found is None:
            raise ValueError(f"{text!r}: after $ stands 1 to 9, or $ for a dollar sign")
        part = found[0]
        if part == "$$":
            parts.append("$")
        elif part.startswith("$"):
            parts.append(int(part[1]))
        else:
            parts.append(part)
        position = found.end()
    highest = max((part for part in parts if isinstance(part, int)), default=0)
    if highest > groups:
        raise ValueError(
            f"{text!r}: there is no group {highest}; the expression has {groups}"
        )
    return tuple(parts)


def fill_template(template: Template, captures: tuple[str | None, ...]) -> str:
    """Put *captures* in; a group that took no part in the match is empty."""
    return "".join(
        part if isinstance(part, str) else captures[part - 1] or "" for part in template
    )


def _expression(_instance: object, _attribute: Attribute, value: str) -> None:
    compile_expression(value)


def _template(instance: "PatternRule", _attribute: Attribute, value: str) -> None:
    read_template(value, compile_expression(instance.match).groups)


def _source(_instance: object, _attribute: Attribute, value: str) -> None:
    read_claim_path(value)


@attrs.frozen(kw_only=True)
class PatternRule:
    """
    One rule of the ``pattern`` mapper.

    Attributes:
        match: A regular expression (RE2) that the whole string must match.
        user: The user's name: text with ``$1`` to ``$9`` for the expression's
            groups, ``$$`` for a dollar sign.  A group that took no part is empty.
    """

    match: str = attrs.field(validator=_expression)
    user: str = attrs.field(validator=[non_empty, _template])


@attrs.frozen(kw_only=True)
class PatternMapperConfig:
    """
    The ``pattern`` mapper's part of the configuration file.

    Attributes:
        source: What is matched: ``subject``, or a claim, written as in the
            ``claim`` mapper (``'subject'`` in quotes is the claim of that name).
        rules: Tried in this order; the first that matches names the user.  If none
            does, the next mapper is asked.
    """

    source: str = attrs.field(default="subject", validator=_source)
    rules: tuple[PatternRule, ...] = attrs.field(validator=non_empty)


@implementer(IUserMapper)
class PatternMapper:
    """Makes the user's name of what an expression captures."""

    config_class: ClassVar = PatternMapperConfig

    def __init__(self, config: PatternMapperConfig) -> None:
        self._path = (
            None if config.source == "subject" else read_claim_path(config.source)
        )
        self._rules = []
        for rule in config.rules:
            expression = compile_expression(rule.match)
            template = read_template(rule.user, expression.groups)
            self._rules.append((expression, template))

    @classmethod
    def from_config(cls, config: PatternMapperConfig, _tools: ITools) -> Self:
        """Make the mapper that *config* describes."""
        return cls(config)

    async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
        """Give what the first rule that matches makes of the string, or DECLINED."""
        text = self._text(identity)
        if isinstance(text, MapperVerdict):
            return text
        # Control characters and lone surrogates (which are no UTF-8) do not get as
        # far as an expression: whoever wrote it did not think of them.
        if not text.isprintable():
            return REFUSED
        for expression, template in self._rules:
            found = expression.fullmatch(text)
            if found is not None:
                # Of this match alone: what an earlier rule captured is gone.
                name = fill_template(template, found.groups())
                return UserName(name) if is_safe_user_name(name) else REFUSED
        return DECLINED

    def _text(self, identity: Identity) -> str | MapperVerdict:
        if self._path is None:
            return identity.subject
        return one_string(identity.claims, self._path)
