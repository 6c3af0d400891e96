"""
Conditions mean the same to a second reader, who shares nothing with the first one.

The reader below takes a condition apart with one regular expression and answers at
once, in three values, without a tree or closures; rules are read one by one.
"""

import fnmatch
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sso_proxy.authz.compiling import compile_tree
from sso_proxy.authz.facts import Context
from sso_proxy.authz.rules import RulesPolicy
from sso_proxy.authz.rules_config import MatchConfig, RuleConfig, RulesConfig
from sso_proxy.model import Effect, Identity, Request
from sso_proxy.specs.expression import parse
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request

GROUPS = {"g": frozenset({"alice", "x"})}
Answer = bool | None


class Reader:
    """Reads a condition from left to right, and answers as it goes."""

    def __init__(self, text: str, who: Identity, what: Request) -> None:
        words = r"'[^']*'|scope:\w+|[\w.]+(?:\[\])?[\w.]*|[=!<>]=|[<>()\[\],]"
        self.words = re.findall(words, text)
        self.who, self.what = who, what

    def next(self, *wanted: str) -> bool:
        if self.words and self.words[0] in wanted:
            self.words.pop(0)
            return True
        return False

    def either(self) -> Answer:
        found = [self.both()]
        while self.next("or"):
            found.append(self.both())
        return some(found)

    def both(self) -> Answer:
        found = [self.one()]
        while self.next("and"):
            found.append(self.one())
        return every(found)

    def several(self) -> list[Answer]:
        found = [self.either()]
        while self.next(","):
            found.append(self.either())
        assert self.next(")")
        return found

    def one(self) -> Answer:
        if self.next("not"):
            return opposite(self.one())
        if self.next("("):
            return self.several()[0]
        word = self.words.pop(0)
        if word in {"any", "all"}:
            self.next("(")
            return (some if word == "any" else every)(self.several())
        if word.startswith("scope:"):
            return word[6:] in self.who.scopes
        if word == "exists":
            return self.value(self.words.pop(0)) is not None
        return self.compare(self.value(word))

    def value(self, word: str) -> Any:  # noqa: ANN401
        source, _, name = word.partition(".")
        if source == "claims":
            if "[]" in name:
                outer, inner = name.split("[].")
                items = self.who.claims.get(outer)
                if not isinstance(items, list):
                    return None
                inside = [i.get(inner) for i in items if isinstance(i, dict)]
                return [i for i in inside if i is not None]
            return self.who.claims.get(name)
        return {
            "subject": self.who.subject,
            "method": self.what.head.method,
            "path": self.what.head.path,
        }[source]

    def literal(self) -> Any:  # noqa: ANN401
        word = self.words.pop(0)
        if word[0] == "'":
            return word[1:-1]
        return (
            {"true": True, "false": False}.get(word, word)
            if word.isalpha()
            else int(word)
        )

    def compare(self, found: Any) -> Answer:  # noqa: ANN401
        turned = self.next("not")
        sign = self.words.pop(0)
        if sign == "contains":
            answer = self.contains(found)
        elif sign == "in":
            answer = self.inside(found)
        elif sign in {"starts", "like"}:
            answer = self.fits(sign, found)
        elif sign in {"==", "!="}:
            answer = equal(found, self.literal())
            turned = sign == "!="
        else:
            answer = ordered(sign, found, self.literal())
        return opposite(answer) if turned else answer

    def contains(self, found: Any) -> Answer:  # noqa: ANN401
        wanted = self.literal()
        if not isinstance(found, list):
            return None
        return any(equal(each, wanted) is True for each in found)

    def inside(self, found: Any) -> Answer:  # noqa: ANN401
        if self.next("groups.g"):
            if isinstance(found, list):
                return any(e in ("alice", "x") for e in found if isinstance(e, str))
            return found in ("alice", "x") if isinstance(found, str) else None
        self.next("[")
        answers = [equal(found, self.literal())]
        while self.next(","):
            answers.append(equal(found, self.literal()))
        self.next("]")
        return some(answers)

    def fits(self, sign: str, found: Any) -> Answer:  # noqa: ANN401
        self.next("with")
        wanted = self.literal()
        if not isinstance(found, str) or "\ud800" in found:
            return None
        if sign == "starts":
            return bool(found[: len(wanted)] == wanted)
        glob = wanted.replace("/", "\0")
        return bool(fnmatch.fnmatchcase(found.replace("/", "\0"), glob))


def every(found: list[Answer]) -> Answer:
    return False if False in found else None if None in found else True


def some(found: list[Answer]) -> Answer:
    return True if True in found else None if None in found else False


def opposite(answer: Answer) -> Answer:
    return None if answer is None else not answer


def equal(found: Any, wanted: Any) -> Answer:  # noqa: ANN401
    if isinstance(found, bool) or isinstance(wanted, bool):
        same = isinstance(found, bool) and isinstance(wanted, bool)
    elif isinstance(wanted, str):
        same = isinstance(found, str)
    else:
        same = isinstance(found, int | float)
    return bool(found == wanted) if same else None


def ordered(sign: str, found: Any, wanted: int) -> Answer:  # noqa: ANN401
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return {
        "<": found < wanted,
        "<=": found <= wanted,
        ">": found > wanted,
        ">=": found >= wanted,
    }[sign]


OPERANDS = st.sampled_from(["claims.a", "claims.b", "claims.l[].n"])
FACTS = st.sampled_from(["subject", "path"])
TEXTS = st.sampled_from(["'x'", "'alice'", "'1'", "'X'"])
VALUES = st.one_of(TEXTS, st.sampled_from(["1", "0", "true", "false"]))


def lists(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=3).map(lambda v: f"[{', '.join(v)}]")


def joined(*parts: Any) -> st.SearchStrategy[str]:  # noqa: ANN401
    strategies = [p if isinstance(p, st.SearchStrategy) else st.just(p) for p in parts]
    return st.tuples(*strategies).map(" ".join)


NOT = st.sampled_from(["", "not"])
SIMPLE = st.one_of(
    st.sampled_from(["scope:a", "scope:b", "method == GET", "path == '/x'"]),
    joined("exists", OPERANDS),
    joined(OPERANDS, st.sampled_from(["==", "!="]), VALUES),
    joined(OPERANDS, st.sampled_from(["<", "<=", ">", ">="]), st.sampled_from("012")),
    joined(OPERANDS, NOT, "in", lists(TEXTS)),
    joined(OPERANDS, NOT, "in", lists(st.sampled_from(["1", "0"]))),
    joined(OPERANDS, NOT, "contains", VALUES),
    joined(OPERANDS, NOT, "starts with", TEXTS),
    joined(OPERANDS, NOT, "like", st.sampled_from(["'*'", "'x*'", "'?'", "'a*e'"])),
    joined(st.one_of(OPERANDS, FACTS), NOT, "in groups.g"),
    joined("subject", st.sampled_from(["==", "!="]), TEXTS),
)
CONDITIONS = st.recursive(
    SIMPLE,
    lambda below: st.one_of(
        joined("not", below),
        joined("(", below, ")"),
        joined(below, "and", below),
        joined(below, "or", below),
        joined(st.sampled_from(["any (", "all ("]), below, ",", below, ")"),
    ),
    max_leaves=6,
)
CLAIMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 2),
    st.sampled_from(
        [1.0, 1.5, 10**400, "x", "X", "alice", "1", "", "x\ud800", "\uff58"]
    ),
    st.lists(st.sampled_from(["x", 1, True, 1.0, None, "alice", ["x"]]), max_size=3),
    st.dictionaries(st.sampled_from(["a", "n"]), st.integers(0, 1), max_size=1),
)
IDENTITIES = st.builds(
    lambda subject, scopes, claims: make_identity(
        subject, scopes=scopes, claims=claims
    ),
    subject=st.sampled_from(["alice", "x", "bob"]),
    scopes=st.frozensets(st.sampled_from("ab")),
    claims=st.fixed_dictionaries(
        {},
        optional={
            "a": CLAIMS,
            "b": CLAIMS,
            "l": st.one_of(
                CLAIMS, st.lists(st.dictionaries(st.just("n"), CLAIMS), max_size=2)
            ),
        },
    ),
)
REQUESTS = st.builds(
    make_request,
    method=st.sampled_from(["GET", "POST"]),
    path=st.sampled_from(["/x", "/y", "/x/y"]),
)


def naive(text: str, who: Identity, what: Request) -> Answer:
    reader = Reader(text, who, what)
    answer = reader.either()
    assert not reader.words
    return answer


@settings(max_examples=300)
@given(text=CONDITIONS, who=IDENTITIES, what=REQUESTS)
def test_both_readers_say_the_same(text: str, who: Identity, what: Request) -> None:
    compiled = compile_tree(parse(text), Context(groups=GROUPS))
    assert compiled(who, what) is naive(text, who, what)


RULES = st.builds(
    lambda effect, path, method, when: (effect, path, method, when),
    st.sampled_from(["permit", "deny", "step_up"]),
    st.sampled_from(["/", "/x/", "/x/y/"]),
    st.sampled_from([(), ("GET",), ("GET", "POST")]),
    st.lists(CONDITIONS, max_size=2).map(tuple),
)


def fits(rule: Any, who: Identity, what: Request) -> bool:  # noqa: ANN401
    effect, path, methods, when = rule
    return (
        f"{what.head.path}/".startswith(path)
        and (not methods or what.head.method in methods)
        and all(naive(text, who, what) is True for text in when)
        and not (effect == "step_up" and who.claims.get("acr") == "gold")
    )


@settings(max_examples=150)
@given(
    rules=st.lists(RULES, min_size=1, max_size=5),
    first=st.booleans(),
    gold=st.booleans(),
    who=IDENTITIES,
    what=REQUESTS,
)
def test_both_readers_of_whole_policies_say_the_same(
    rules: list[Any],
    first: bool,  # noqa: FBT001
    gold: bool,  # noqa: FBT001
    who: Identity,
    what: Request,
) -> None:
    if gold:
        who = make_identity(
            who.subject, scopes=who.scopes, claims={**who.claims, "acr": "gold"}
        )
    config = RulesConfig(
        groups={name: tuple(members) for name, members in GROUPS.items()},
        combine="first_applicable" if first else "deny_overrides",
        rule=tuple(
            RuleConfig(
                name=f"r{number}",
                effect=effect,
                match=MatchConfig(path=path, method=methods),
                when=when,
                acr_values=("gold",) if effect == "step_up" else (),
            )
            for number, (effect, path, methods, when) in enumerate(rules)
        ),
    )
    policy = RulesPolicy.from_config(config, FakeTools())
    found = policy.check(who, what)
    applying = [rule[0] for rule in rules if fits(rule, who, what)]
    order = (
        applying if first else sorted(applying, key=("deny", "step_up", "permit").index)
    )
    wanted = order[0] if order else "deny"
    assert found.effect is Effect(wanted.replace("_", "-"))
    assert policy.steady_for(who, what) > 0
