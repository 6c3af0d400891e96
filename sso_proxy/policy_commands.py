"""``sso-proxy test`` and ``sso-proxy diff``: policies, tried before they count."""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sso_proxy.answered import AnsweredError
from sso_proxy.config.load import load_config
from sso_proxy.errors import ConfigError, Mistake

if TYPE_CHECKING:
    from sso_proxy.explain.compare import Asked, Explain


def add_test_command(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``test`` to the commands that *add_parser* adds to."""
    parser = add_parser(
        "test",
        help="see whether a configuration decides cases as is expected",
        epilog="0: all as expected; 1: not all; 2: something is wrong.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument("cases", type=Path, metavar="CASES", help="[[case]] tables")
    parser.add_argument("--junit", type=Path, metavar="XML", help="write results there")
    parser.set_defaults(run=run_test, mistaken=2)


def add_diff_command(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``diff`` likewise."""
    parser = add_parser(
        "diff",
        help="say who gains and who loses by a new configuration",
        epilog="0: nobody; 1: somebody; 2: something is wrong.",
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="a configuration")
    parser.add_argument("new", type=Path, metavar="NEW", help="another")
    parser.add_argument(
        "requests",
        type=Path,
        metavar="CASES",
        help="[[case]] tables (.toml), or else an audit log",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run_diff, mistaken=2)


def run_test(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Try all cases.

    Raises:
        ConfigError: A file is wrong.
        AnsweredError: Something is not as expected.
    """
    from sso_proxy.explain.cases import (  # noqa: PLC0415 - only this command needs it
        Result,
        problems,
        read_cases,
        write_junit,
    )
    from sso_proxy.explain.report import plain, write_text  # noqa: PLC0415

    explain = _explainer(chosen.file)
    results = []
    for case in read_cases(chosen.cases, time.time()):
        began = time.monotonic()
        explanation = explain(case.situation)
        found = problems(case, explanation)
        results.append(Result(case, explanation, found, time.monotonic() - began))
        yield f"{'FAILED' if found else 'ok    '}  {plain(case.name)}"
        for line in found:
            yield f"    {plain(line)}"
        if found:
            yield from (f"    {line}" for line in write_text(explanation))
    failed = sum(bool(result.problems) for result in results)
    yield f"{len(results)} cases, {failed} failed"
    if chosen.junit is not None:
        try:
            chosen.junit.write_bytes(write_junit(results, chosen.cases.name))
        except OSError as e:
            problem = f"cannot be written: {e.strerror}"
            raise ConfigError(Mistake(str(chosen.junit), problem)) from e
    if failed:
        raise AnsweredError(1)


def run_diff(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Compare two configurations.

    Raises:
        ConfigError: A file is wrong.
        AnsweredError: They differ.
    """
    from sso_proxy.explain.compare import (  # noqa: PLC0415 - only this command needs it
        compare,
        comparison_to_json,
        write_comparison,
    )
    from sso_proxy.explain.report import plain  # noqa: PLC0415

    skipped: Counter[str] = Counter()
    requests = _requests(chosen.requests, skipped)
    comparison = compare(requests, _explainer(chosen.old), _explainer(chosen.new))
    comparison.skipped = skipped
    if chosen.json:
        yield json.dumps(comparison_to_json(comparison), indent=2)
    else:
        yield from map(plain, write_comparison(comparison))
    if comparison.changes:
        raise AnsweredError(1)


def _requests(file: Path, skipped: Counter[str]) -> "list[Asked]":
    from sso_proxy.explain.cases import read_cases  # noqa: PLC0415
    from sso_proxy.explain.compare import Asked, read_audit_log  # noqa: PLC0415

    if file.suffix != ".toml":
        return read_audit_log(file, skipped)
    cases = read_cases(file, time.time())
    return [Asked(name=case.name, situation=case.situation) for case in cases]


def _explainer(file: Path) -> "Explain":
    """Give what explains by the configuration *file*."""
    # The whole proxy; the other commands do not need it, and are quick without it.
    from sso_proxy.explain.running import make_explainer  # noqa: PLC0415

    return make_explainer(load_config(file))
