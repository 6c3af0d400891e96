"""The index finds what all rules say one by one."""

from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.authz.rule import Rule, compile_rule
from sso_proxy.authz.rule_index import MOST_PLACES, MOST_REMEMBERED, RuleIndex
from sso_proxy.authz.rules_config import MatchConfig, RuleConfig

HOSTS = st.sampled_from([(), ("a.example",), ("*.example",), ("*", "b.example")])
PATHS = st.lists(st.sampled_from(["a", "b", "{x}"]), max_size=3).map(
    lambda parts: "/" + "".join(f"{part}/" for part in parts)
)
ASKED = st.lists(st.sampled_from(["a", "b", "c", "%40"]), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


def make(number: int, host: tuple[str, ...], path: str) -> Rule:
    match = MatchConfig(host=host, path=path)
    config = RuleConfig(name=f"r{number}", effect="permit", match=match)
    return compile_rule(config, number=number, path="rule", groups={}, tables={})


@given(
    st.lists(st.tuples(HOSTS, PATHS), max_size=8),
    st.sampled_from(["a.example", "b.example", "x.a.example", "other"]),
    ASKED,
)
def test_it_finds_what_rules_say_themselves(
    given_rules: list[tuple[tuple[str, ...], str]], host: str, path: str
) -> None:
    rules = [make(n, *each) for n, each in enumerate(given_rules)]
    wanted = [r for r in rules if r.is_about_host(host) and r.is_about_path(path)]
    index = RuleIndex(rules)
    place = index.find(host, path)
    assert list(place.rules) == wanted
    assert index.find(host, path) is place


def test_places_with_the_same_rules_are_one_place() -> None:
    """What is remembered of callers there is good for all of it."""
    index = RuleIndex([make(0, (), "/a/{x}/"), make(1, (), "/b/")])
    at = index.find("app.example", "/a/1")
    assert index.find("other.example", "/a/2/deep") is at
    assert index.find("app.example", "/b/") is not at


def test_clients_that_choose_names_make_no_work_and_fill_no_memory() -> None:
    """Ten thousand rules looked through for each new name would be a lever."""
    rules = [make(n, ("*.example",), f"/{n}/") for n in range(1000)]
    index = RuleIndex(rules)
    before = dict(index._patterns)  # noqa: SLF001
    for number in range(3000):
        assert index.find(f"h{number}.example", "/7/x").rules == (rules[7],)
        assert len(index._known) <= MOST_REMEMBERED  # noqa: SLF001
    assert index._patterns == before  # noqa: SLF001


def test_long_paths_are_not_remembered() -> None:
    index = RuleIndex([make(0, (), "/a/")])
    assert index.find("app.example", "/a/" + "x" * 8000).rules
    assert not index._known  # noqa: SLF001


def test_many_combinations_of_rules_are_forgotten_in_time() -> None:
    segments = [f"{n}" for n in range(70)]
    rules = [make(n, (), f"/{text}/") for n, text in enumerate(segments)]
    rules += [make(70 + n, (), f"/{{x}}/{text}/") for n, text in enumerate(segments)]
    index = RuleIndex(rules)
    for first in range(70):
        for second in range(70):
            place = index.find("a", f"/{first}/{second}")
            assert place.rules == (rules[first], rules[70 + second])
    assert len(index._places) <= MOST_PLACES  # noqa: SLF001
