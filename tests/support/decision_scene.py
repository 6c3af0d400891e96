"""A decision point of ours that is asked without a network."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import attrs

from sso_proxy.authz.rules import RulesPolicy
from sso_proxy.authz.rules_config import RulesConfig
from sso_proxy.endpoints.decision_point import DecisionPoint
from sso_proxy.interfaces import ILocalPolicy
from sso_proxy.model import Caller
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request

DATA: Final = Path(__file__).parents[1] / "data" / "authzen"
EVALUATION: Final = "/access/v1/evaluation"
EVALUATIONS: Final = "/access/v1/evaluations"
HOST: Final = "pdp.example.com"
JSON: Final = "application/json"


def rules_of(name: str) -> RulesPolicy:
    """Give the policy of a file."""
    config = RulesConfig(files=(str(DATA / name),))
    return RulesPolicy.from_config(config, FakeTools())


def gateway_cases() -> list[tuple[dict[str, Any], bool]]:
    """Give the requests of the API gateway scenario, and what is expected."""
    document = json.loads((DATA / "api-gateway-decisions.json").read_text())
    return [(each["request"], each["expected"]) for each in document["evaluation"]]


@attrs.define
class Heard:
    """What a decision point answers."""

    status: int = 200
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = b""

    @property
    def members(self) -> Any:  # noqa: ANN401
        """Give the JSON."""
        assert self.headers["content-type"] == JSON
        return json.loads(self.body)


class _Web:
    """A request to a resource hosted here."""

    def __init__(self, caller: Caller, body: bytes) -> None:
        self.caller = caller
        self.content = BytesIO(body)
        self.heard = Heard()
        self.finished = False

    def finish(self) -> None:
        self.finished = True

    def setResponseCode(self, status: int) -> None:  # noqa: N802
        self.heard.status = status

    def setHeader(self, name: bytes, value: bytes) -> None:  # noqa: N802
        self.heard.headers[name.decode()] = value.decode()


class DecisionScene:
    """A decision point with one policy."""

    def __init__(self, policy: ILocalPolicy) -> None:
        self.point = DecisionPoint("main", policy, SettableClock())

    def ask(  # noqa: PLR0913
        self,
        members: object = None,
        path: str = EVALUATION,
        *,
        body: bytes | None = None,
        method: str = "POST",
        kind: str | None = JSON,
        host: str = HOST,
        tls: bool = True,
    ) -> Heard:
        """Ask it."""
        headers = {} if kind is None else {"content-type": kind}
        request = make_request(method, path, host=host, headers=headers, tls=tls)
        caller = Caller(request=request, identity=make_identity(), user="gateway")
        octets = json.dumps(members).encode() if body is None else body
        web: Any = _Web(caller, octets)
        answer = self.point.render(web)
        if isinstance(answer, bytes):
            web.heard.body = answer
        else:
            assert web.finished
        heard: Heard = web.heard
        assert heard.headers["cache-control"] == "no-store"
        return heard

    def decides(self, members: object) -> bool:
        """Give the answer to one question."""
        heard = self.ask(members)
        assert heard.status == 200, heard
        decision: bool = heard.members["decision"]
        assert isinstance(decision, bool)
        return decision
