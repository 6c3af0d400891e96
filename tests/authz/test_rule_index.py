"""The index finds what all rules say one by one."""

from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.authz.rule import Rule, compile_rule
from sso_proxy.authz.rule_index import RuleIndex
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
    assert RuleIndex(rules).find(host, path) == wanted


def test_clients_that_choose_names_make_no_work_and_fill_no_memory() -> None:
    """Ten thousand rules looked through for each new name would be a lever."""
    rules = [make(n, ("*.example",), f"/{n}/") for n in range(1000)]
    index = RuleIndex(rules)
    before = dict(index._patterns)  # noqa: SLF001
    for number in range(3000):
        assert index.find(f"h{number}.example", "/7/x") == [rules[7]]
    assert index._patterns == before  # noqa: SLF001
