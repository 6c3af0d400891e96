"""Medians, the table, and what it must show."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import attrs

from tests.bench.loads import (
    CHECKS,
    CONNECT,
    CONNECT_CERT,
    DPOP,
    EXCHANGED,
    HUNDRED,
    HUNDRED_EXCHANGED,
    HUNDRED_RULED,
    LOADS,
    MANY,
    NONE,
    ONE,
    OPEN,
    OPEN_ONE,
    RULED,
    SESSION_COOKIE,
    SESSION_DEVICE,
    SESSION_SERVER,
    SESSIONS_DEVICE,
    SESSIONS_SERVER,
    TICKET,
    TICKETS,
    Sample,
)
from tests.bench.peers import (
    APACHE,
    NGINX,
    OAUTH2,
    OPENIDC,
    OPENIDC_COOKIE,
    OURS,
    OURS_2,
    PUBTKT,
)

Cell = tuple[str, str]
"""A load and a target."""

Results = Mapping[Cell, Sequence[Sample]]
"""The samples of all rounds."""


@attrs.frozen
class Rule:
    """
    The median of the ratios of all rounds, and how large it may be.

    What is compared runs within seconds in each round; the host may be half as fast in
    the next one, and half of one row must not be compared with the other of another.

    Attributes:
        what: In words.
        ours: What stands above the line.
        theirs: What stands below.
        limit: The largest ratio that passes.
        latency: Compare the 99th percentile instead of CPU time.
    """

    what: str
    ours: Cell
    theirs: Cell
    limit: float
    latency: bool = False


RULES = (
    Rule("one token: mod_auth_openidc", (ONE, OURS), (ONE, OPENIDC), 1 / 4),
    Rule("one token: mod_oauth2", (ONE, OURS), (ONE, OAUTH2), 1 / 5),
    Rule("different tokens: mod_auth_openidc", (MANY, OURS), (MANY, OPENIDC), 1 / 1.6),
    Rule("no check: nginx", (NONE, OURS), (NONE, NGINX), 1.6),
    Rule("new connections: Apache", (CONNECT, OURS), (CONNECT, APACHE), 1.25),
    Rule(
        "new connections, client certificate: Apache",
        (CONNECT_CERT, OURS),
        (CONNECT_CERT, APACHE),
        1.25,
    ),
    Rule("p99, no check: Apache", (OPEN, OURS), (OPEN, APACHE), 1.0, latency=True),
    Rule(
        "p99, one token: Apache without a check",
        (OPEN_ONE, OURS),
        (OPEN, APACHE),
        1.0,
        latency=True,
    ),
    Rule("no check: two workers to one", (NONE, OURS_2), (NONE, OURS), 1.1),
    Rule("one token: two workers to one", (ONE, OURS_2), (ONE, OURS), 1.1),
    Rule("DPoP: two ES256 checks alone", (DPOP, OURS), (CHECKS, OURS), 2.5),
    Rule("one token, a hundred rules: none", (RULED, OURS), (ONE, OURS), 1.1),
    Rule(
        "a hundred tokens, a hundred rules: none",
        (HUNDRED_RULED, OURS),
        (HUNDRED, OURS),
        1.1,
    ),
    Rule("one exchanged token: not exchanged", (EXCHANGED, OURS), (ONE, OURS), 1.15),
    Rule(
        "a hundred exchanged tokens: not exchanged",
        (HUNDRED_EXCHANGED, OURS),
        (HUNDRED, OURS),
        1.15,
    ),
    Rule(
        "a session in a store: mod_auth_openidc",
        (SESSION_SERVER, OURS),
        (SESSION_SERVER, OPENIDC),
        1 / 3.5,
    ),
    Rule(
        "a session in its cookie: mod_auth_openidc",
        (SESSION_COOKIE, OURS),
        (SESSION_COOKIE, OPENIDC_COOKIE),
        1 / 3.5,
    ),
    Rule(
        "a session bound to its device: bound to nothing",
        (SESSION_DEVICE, OURS),
        (SESSION_SERVER, OURS),
        1.1,
    ),
    Rule(
        "different sessions bound to their devices: bound to nothing",
        (SESSIONS_DEVICE, OURS),
        (SESSIONS_SERVER, OURS),
        1.1,
    ),
    Rule("one ticket: mod_auth_pubtkt", (TICKET, OURS), (TICKET, PUBTKT), 1 / 3),
    Rule(
        "10,000 tickets: mod_auth_pubtkt",
        (TICKETS, OURS),
        (TICKETS, PUBTKT),
        1 / 1.5,
    ),
)


def median(samples: Sequence[Sample], value: Callable[[Sample], float | None]) -> float:
    """Give the median of what *value* reads of each sample; not a number if nothing."""
    values = [v for v in map(value, samples) if v is not None]
    return statistics.median(values) if values else float("nan")


def render_table(results: Results) -> str:
    """Give all medians as a Markdown table."""
    lines = [
        "| load | proxy | a second | CPU µs [least, most] | p50 | p99 ms | failures |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for (load, target), samples in results.items():
        costs = [sample.cpu_us for sample in samples]
        cells = [
            LOADS[load].title,
            target,
            f"{median(samples, lambda s: s.per_second):,.0f}",
            f"{statistics.median(costs):,.1f} [{min(costs):,.1f}, {max(costs):,.1f}]",
            _milliseconds(median(samples, lambda s: s.p50)),
            _milliseconds(median(samples, lambda s: s.p99)),
            _failures(samples),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _milliseconds(value: float) -> str:
    return "" if value != value else f"{value:.2f}"  # noqa: PLR0124 - not a number


def _failures(samples: Sequence[Sample]) -> str:
    total: Counter[str] = Counter()
    for sample in samples:
        total.update(sample.failures)
    return ", ".join(f"{kind}: {count}" for kind, count in total.items())


def ratio(rule: Rule, results: Results) -> float | None:
    """Give the ratio of *rule*, or None if one side was not measured."""
    if rule.ours not in results or rule.theirs not in results:
        return None

    def value(sample: Sample) -> float:
        cost = sample.p99 if rule.latency else sample.cpu_us
        return float("nan") if cost is None else cost

    rounds = zip(results[rule.ours], results[rule.theirs], strict=True)
    ratios = [value(ours) / value(theirs) for ours, theirs in rounds]
    if any(map(math.isnan, ratios)):
        return float("nan")  # it has no place in an order
    return statistics.median(ratios)


def render_ratios(results: Results) -> tuple[str, bool]:
    """Give the required ratios as a Markdown table, and whether all pass."""
    lines = ["| sso-proxy's share of | ratio | at most | |", "|---|--:|--:|---|"]
    passed = True
    for rule in RULES:
        got = ratio(rule, results)
        if got is None:
            verdict, shown = "not measured", ""
        else:
            verdict, shown = ("pass" if got <= rule.limit else "FAIL"), f"{got:.3f}"
            passed = passed and got <= rule.limit
        lines.append(f"| {rule.what} | {shown} | {rule.limit:.3f} | {verdict} |")
    return "\n".join(lines), passed


def lag(results: Results) -> float:
    """Give the median of how late the generator of the open loops was itself."""
    samples = [sample for row in results.values() for sample in row]
    return median(samples, lambda sample: sample.lag)


def any_failures(results: Results) -> bool:
    """Say whether any request of any run failed."""
    return any(s.failures for samples in results.values() for s in samples)
