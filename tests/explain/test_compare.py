"""Who gains and who loses, by cases and by what was audited."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sso_proxy.audit import audit_line, caller_part, place_part
from sso_proxy.errors import ConfigError
from sso_proxy.explain.compare import (
    Asked,
    compare,
    comparison_to_json,
    read_audit_log,
    write_comparison,
)
from sso_proxy.explain.report import Explanation, Verdict
from sso_proxy.explain.situation import Situation
from sso_proxy.testing.fakes import NOW
from tests.support.explain_scene import make_situation


def says(verdicts: dict[str, Verdict]) -> Any:  # noqa: ANN401
    def explain(situation: Situation) -> Explanation:
        verdict = verdicts[situation.url.rpartition("/")[2]]
        status = 403 if verdict == "deny" else 0
        return Explanation(request="", verdict=verdict, status=status, steps=())

    return explain


def test_changes_are_sorted_and_counted() -> None:
    requests = [Asked(name=n, situation=make_situation(f"/{n}")) for n in "abcd"]
    requests[0] = Asked(name="a", situation=requests[0].situation, count=3)
    old = says({"a": "permit", "b": "deny", "c": "unknown", "d": "permit"})
    new = says({"a": "deny", "b": "permit", "c": "permit", "d": "permit"})
    comparison = compare(requests, old, new)
    comparison.skipped["no audit record"] += 1
    assert list(write_comparison(comparison)) == [
        "loses: a (3 times)",
        "    old: permitted",
        "    new: denied: 403",
        "gains: b",
        "    old: denied: 403",
        "    new: permitted",
        "3 loses, 1 gains, 0 changes, 1 the same, 1 cannot be told",
        "note: 1 records left out: no audit record",
    ]
    document = json.loads(json.dumps(comparison_to_json(comparison)))
    assert [each["kind"] for each in document["changes"]] == ["loses", "gains"]
    assert (document["same"], document["untold"]) == (1, 1)


def line(**other: Any) -> bytes:  # noqa: ANN401
    stable = place_part(
        listener="l",
        client="192.0.2.1",
        peer="192.0.2.1",
        host="app.example.com",
        route="r",
    )
    who = {"authenticator": "api", "issuer": "https://i", "subject": "alice"} | {
        name: other.pop(name) for name in ("issuer", "subject") if name in other
    }
    given: dict[str, Any] = {
        "time": NOW,
        "id": "1",
        "method": "GET",
        "path": "/orders/1",
        "status": 200,
        "reason": "",
        "sent": 0,
        "received": 0,
        "duration": 0.1,
        "upstream_status": 200,
        "upstream": "u",
    }
    return audit_line(stable + caller_part(**who), **(given | other))


def read(directory: Path, *lines: bytes) -> tuple[list[Asked], Counter[str]]:
    file = directory / "audit.log"
    file.write_bytes(b"".join(lines))
    skipped: Counter[str] = Counter()
    return read_audit_log(file, skipped), skipped


def test_equal_requests_of_a_log_are_asked_about_once(tmp_path: Path) -> None:
    found, skipped = read(tmp_path, line(), line(id="2"), line(path="/orders/2"))
    assert [asked.count for asked in found] == [2, 1]
    assert not skipped
    situation = found[0].situation
    assert situation.url == "http://app.example.com/orders/1"
    assert (situation.client, situation.at) == ("192.0.2.1", NOW)
    assert situation.who.identity.subject == "alice"
    assert "claims" in situation.who.missing
    assert "subject" not in situation.who.missing


def test_who_came_without_a_credential_is_nobody(tmp_path: Path) -> None:
    nobody = line(issuer="", subject="", reason="no-credential", status=401)
    found, _ = read(tmp_path, nobody)
    assert found[0].situation.who.is_nobody


def test_what_says_nothing_is_counted(tmp_path: Path) -> None:
    found, skipped = read(
        tmp_path,
        b"nonsense\n",
        b'{"v": 2}\n',
        line(issuer="", subject="", reason="token-expired", status=401),
        line(path="*"),
        line(subject="a" * 600),
        b"x" * 70000 + b"\n",
    )
    assert found == []
    assert skipped == {
        "no audit record": 3,
        "refused before it was known who calls": 1,
        "the request could not be read": 1,
        "a text that was cut": 1,
    }


def test_a_log_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_audit_log(tmp_path / "none", Counter())
