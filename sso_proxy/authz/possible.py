"""
What a condition may come to where some facts are not given.

Somebody who asks why wants to be told two things apart that are one to the running
code: what a caller is known not to have, and what nobody has said.  So a part of a
condition that looks at something not given may be any of true, false and neither; what
the whole may be follows from that.  Each single comparison is made by the closure that
the running code has for it.
"""

import itertools
from collections.abc import Set as AbstractSet
from typing import Final, Literal, TypeAlias

from sso_proxy.authz.compiling import compile_tree
from sso_proxy.authz.facts import Context
from sso_proxy.model import Identity, Request
from sso_proxy.specs import expression_tree as tree
from sso_proxy.specs.expression_tree import Comparison, FactOperand, children

Outcome: TypeAlias = Literal["hit", "miss", "may"]
"""It is true; it is not; that depends on what is not given."""

Answers: TypeAlias = frozenset[bool | None]

ANY: Final[Answers] = frozenset({True, False, None})
NONE_MISSING: Final[frozenset[str]] = frozenset()
"""Everything is given."""

_CLAIMS: Final = {"acr": "claims", "amr": "claims"}


def outcome_of(answers: Answers) -> Outcome:
    """Say in a word what may come of it."""
    if True not in answers:
        return "miss"
    return "may" if len(answers) > 1 else "hit"


def facts_of(node: tree.Node) -> frozenset[str]:
    """
    Name what *node* looks at, without the conditions that it is made of.

    Facts have the names of the grammar; claims those of their sources, ``claims``,
    ``id_token``, ``userinfo`` and ``token``; all of a certificate is ``certificate``.
    """
    match node:
        case tree.Scope():
            return frozenset({"scopes"})
        case tree.AuthAge():
            return frozenset({"claims", "time"})
        case tree.Within():
            return frozenset({"time"})
        case Comparison(operand, _, values):
            now = any(isinstance(value, tree.Now) for value in values)
            return _of_operand(operand) | ({"time"} if now else NONE_MISSING)
        case tree.Exists(operand) | tree.Member(operand):
            return _of_operand(operand)
        case _:
            return NONE_MISSING


def _of_operand(operand: tree.Operand) -> frozenset[str]:
    match operand:
        case tree.ClaimOperand(_, source):
            return frozenset({source})
        case FactOperand(name):
            whole = name.partition(".")[0]
            return frozenset({_CLAIMS.get(name, name), whole})
        case tree.CellOperand(_, key):
            return _of_operand(key)
        case _:
            return NONE_MISSING  # a part of the path


def find_answers(
    node: tree.Node,
    context: Context,
    identity: Identity,
    request: Request,
    missing: AbstractSet[str],
) -> Answers:
    """
    Give all that *node* may come to.

    Args:
        node: The condition.
        context: What it may name.
        identity: Who calls, as far as is known.
        request: The request likewise.
        missing: What is not known of them, in the words of `facts_of`.
    """
    if not missing:
        return frozenset({compile_tree(node, context)(identity, request)})
    below = [
        find_answers(child, context, identity, request, missing)
        for child in children(node)
    ]
    match node:
        case tree.Not():
            return frozenset(_opposite(answer) for answer in below[0])
        case tree.All():
            return frozenset(_all(each) for each in itertools.product(*_few(below)))
        case tree.Any():
            nots = [frozenset(map(_opposite, answers)) for answers in _few(below)]
            return frozenset(_opposite(_all(e)) for e in itertools.product(*nots))
        case _:
            if facts_of(node) & missing:
                return ANY
            return frozenset({compile_tree(node, context)(identity, request)})


def _few(below: list[Answers]) -> tuple[Answers, ...]:
    """Drop what is there twice: products of many would be long."""
    return tuple(dict.fromkeys(below))


def _opposite(answer: bool | None) -> bool | None:  # noqa: FBT001
    return None if answer is None else not answer


def _all(answers: tuple[bool | None, ...]) -> bool | None:
    if False in answers:
        return False
    return None if None in answers else True
