"""Explanations, written for people and programs."""

import json

from sso_proxy.explain.report import (
    Explanation,
    Step,
    lines_of,
    plain,
    step_to_json,
    to_json,
    write_text,
)

RULE = Step(phase="rule", text="permit a", outcome="may")
STEPS = (
    Step(phase="route", text="route[0]", outcome="hit"),
    Step(phase="policy", text="main", outcome="miss", decides=True, parts=(RULE,)),
)
DENIED = Explanation(
    request="GET https://a/",
    verdict="deny",
    status=403,
    reason="main/no-rule",
    decided_by=("main/no-rule",),
    steps=STEPS,
)


def test_what_decides_and_what_might_are_marked() -> None:
    first, route, policy, rule, last = write_text(DENIED)
    assert (first, last) == ("GET https://a/", "=> denied: 403 main/no-rule")
    assert route.startswith("  route        hit")
    assert policy.startswith("* policy       miss")
    assert rule.startswith("~   rule")


def test_a_refusal_without_an_answer_has_a_reason() -> None:
    ended = Explanation(request="", verdict="deny", reason="handshake", steps=())
    assert ended.summary == "denied: handshake"


def test_what_permits_is_named() -> None:
    permitted = Explanation(
        request="", verdict="permit", decided_by=("main/rule:a",), steps=()
    )
    assert permitted.summary == "permitted by main/rule:a"


def test_further_lines_stand_below_the_first() -> None:
    first, second = lines_of(Step(phase="part", text="asks\nbody"))
    assert first.index("asks") == second.index("body")


def test_nothing_of_a_claim_reaches_the_terminal() -> None:
    assert plain("a\x1b[2Jb\nc\x9b") == "a\\x1b[2Jb\nc\\x9b"


def test_neither_do_urls_and_reasons() -> None:
    spoilt = Explanation(
        request="GET https://a/\x1b",
        verdict="deny",
        status=403,
        reason="\x9b",
        steps=(),
    )
    assert "".join(write_text(spoilt)).isprintable()


def test_json_has_all_of_it_and_is_read_back() -> None:
    document = json.loads(json.dumps(to_json(DENIED)))
    assert document["v"] == 1
    assert document["verdict"] == "deny"
    read = tuple(Step.from_json(step) for step in document["steps"])
    assert read == STEPS
    assert step_to_json(read[1]) == document["steps"][1]
