"""etc/decision-point.toml runs: a real proxy decides for others."""

import json
from pathlib import Path
from typing import Any

import attrs

from tests.support.decision_scene import DATA
from tests.support.issuing import Issuer
from tests.support.programs import CurlAnswer, curl
from tests.test_etc_tokens import Example

ONE, SEVERAL = "/authz/access/v1/evaluation", "/authz/access/v1/evaluations"
DISCOVERY = "/.well-known/authzen-configuration/authz"


@attrs.frozen
class Asking:
    """Who asks the decision point of the example."""

    example: Example
    token: str

    def ask(
        self, members: object, path: str = ONE, *fields: str, token: str | None = None
    ) -> CurlAnswer:
        """Ask."""
        given = self.token if token is None else token
        more = [f"Authorization: Bearer {given}"] if given else []
        headers = [*fields, *more, "Content-Type: application/json"]
        options: list[Any] = [part for each in headers for part in ("-H", each)]
        body = [] if members is None else ["-d", json.dumps(members)]
        port = self.example.port
        return curl(
            *("--cacert", self.example.tls / "ca.crt"),
            *("--resolve", f"api.example.com:{port}:127.0.0.1"),
            *options,
            *body,
            f"https://api.example.com:{port}{path}",
        )

    def hear(self, members: object, path: str = ONE) -> Any:  # noqa: ANN401
        """Give the answer."""
        answer = self.ask(members, path)
        assert answer.status == 200, answer
        return json.loads(answer.text)


def asked(subject: str, action: str, kind: str, id_: str, **more: object) -> Any:  # noqa: ANN401
    return {
        "subject": {"type": "user", "id": subject},
        "action": {"name": action},
        "resource": {"type": kind, "id": id_, "properties": more},
    }


RECORD = {"type": "record", "id": "record-1"}
ARCHIVED = {"type": "record", "id": "record-2", "properties": {"status": "archived"}}
ALICE, BOB = {"type": "user", "id": "alice"}, {"type": "user", "id": "bob"}


def certified(
    subject: object, action: str, resource: object, **more: object
) -> dict[str, Any]:
    return {
        "subject": subject,
        "action": {"name": action, "properties": more},
        "resource": resource,
    }


FIXTURE = [
    (certified(ALICE, "read", RECORD), True),
    (certified(ALICE, "write", RECORD), True),
    (certified(BOB, "read", RECORD), True),
    (certified(BOB, "write", RECORD), False),
    (certified(ALICE, "write", ARCHIVED), False),
    (certified({**BOB, "properties": {"role": "admin"}}, "write", ARCHIVED), True),
    (certified(ALICE, "delete", RECORD, soft=True), True),
    (certified(ALICE, "delete", RECORD, soft=False), False),
]


def check_example(asking: Asking) -> None:
    """Check what the example says."""
    rows = [
        (asked("morty", "PUT", "route", "/todos/{id}"), True),
        (asked("beth", "PUT", "route", "/todos/1"), False),
        (asked("beth", "GET", "route", "/todos"), True),
        (asked("beth", "delete", "record", "7", owned=True), True),
        (asked("beth", "delete", "record", "7", owned="true"), False),
    ]
    for members, decision in rows:
        assert asking.hear(members)["decision"] is decision, members
    assert asking.hear(asked("rick", "pay", "payment", "1")) == {
        "decision": False,
        "context": {
            "acr_values": ["gold"],
            "reason_admin": {"401": "rule:payments"},
        },
    }


def check_scenario(asking: Asking) -> None:
    """Check the decisions of the certification scenario, alone and together."""
    for members, decision in FIXTURE:
        assert asking.hear(members) == {"decision": decision} or not decision
    batch = {"evaluations": [members for members, _ in FIXTURE]}
    found = asking.hear(batch, SEVERAL)["evaluations"]
    assert [each["decision"] for each in found] == [d for _, d in FIXTURE]


def check_transport(asking: Asking) -> None:
    """Check what is not a decision."""
    good = FIXTURE[0][0]
    for id_ in ("bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "second"):
        named = asking.ask(good, ONE, f"X-Request-ID: {id_}")
        assert named.values("x-request-id") == [id_]
        assert named.values("content-type") == ["application/json"]
    assert len(asking.ask(good).values("x-request-id")) == 1
    assert asking.ask({"subject": ALICE}).status == 400
    assert asking.ask(None).status == 405
    assert asking.ask(good, token="").status == 401


def test_decision_point(tmp_path: Path) -> None:
    """etc/decision-point.toml, with the rules of the certification scenario besides."""
    issuer = Issuer()
    example = Example(
        "decision-point.toml", tmp_path, {"https://login.example.com": issuer}
    )
    config = example.proxy.config
    text, head = config.read_text(), '[policy.main]\ntype = "rules"\n'
    assert text.count(head) == 1
    files = f'files = ["{DATA / "record-rules.toml"}"]\n'
    config.write_text(text.replace(head, head + files))
    with example.running(issuer):
        asking = Asking(example, issuer.token(scope="decisions"))
        check_example(asking)
        check_scenario(asking)
        check_transport(asking)
        assert asking.ask(FIXTURE[0][0], token=issuer.token()).status == 403

        base = f"https://api.example.com:{example.port}/authz"
        found = json.loads(asking.ask(None, DISCOVERY, token="").text)
        assert found["policy_decision_point"] == base
        assert found["access_evaluation_endpoint"] == f"{base}/access/v1/evaluation"
        sneaking = f"{DISCOVERY}/access/v1/evaluation"
        assert asking.ask(FIXTURE[0][0], sneaking, token="").status == 405
