"""Why requests were refused lately: bounded, redacted, forgotten in time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.admission import Trail
from sso_proxy.authz.conditions import compile_requirements
from sso_proxy.cli import main
from sso_proxy.explain.judging import at_once
from sso_proxy.model import Response
from sso_proxy.recent_refusals import EACH_SECOND, LIFE, MOST, RecentRefusals
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_identity, make_request
from tests.support.deciding import PEER, Asked, read
from tests.support.doubles import FakeUpstream, make_route
from tests.support.explain_scene import CONFIG
from tests.support.programs import RealProxy

SECRET = "never-to-be-seen"


def make_trail(id_: str, *, known: bool = True, **route: Any) -> Trail:  # noqa: ANN401
    trail = Trail()
    request = make_request(path=f"/orders/{SECRET}", query=f"token={SECRET}")
    trail.request = attrs.evolve(request, id=id_)
    trail.route = make_route(FakeUpstream(), **route)
    if known:
        trail.identity = make_identity(
            SECRET, claims={"department": SECRET}, token=SECRET
        )
    return trail


class Kept:
    """The refusals of one worker, at a time that can be set."""

    def __init__(self) -> None:
        self.clock = SettableClock()
        self.refusals = RecentRefusals(self.clock)

    def note(self, *ids: str, status: int = 403, **trail: Any) -> None:  # noqa: ANN401
        for id_ in ids:
            response = Response(status=status, reason="main/no-rule")
            self.refusals.note(make_trail(id_, **trail), response)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def requirements(*texts: str) -> Any:  # noqa: ANN401
    return compile_requirements(texts, "require")


def test_conditions_are_told_and_nothing_of_the_caller(kept: Kept) -> None:
    wanted = requirements("claims.department == 'sales'", "exists claims.department")
    kept.note("a-1", requirements=wanted)
    found = kept.refusals.find("a-1")
    assert found is not None
    assert (found["status"], found["reason"]) == (403, "main/no-rule")
    assert [step["outcome"] for step in found["steps"]] == ["miss", "hit"]
    assert SECRET not in json.dumps(found)


def test_what_was_not_refused_is_not_known(kept: Kept) -> None:
    kept.note("a-1")
    assert kept.refusals.find("a-2") is None


def test_refusals_are_forgotten_after_a_while(kept: Kept) -> None:
    kept.note("a-1")
    kept.clock.advance(LIFE + 1)
    assert kept.refusals.find("a-1") is None


def test_strangers_push_out_only_strangers(kept: Kept) -> None:
    kept.note("known-1")
    kept.note("first-1", known=False, status=401)
    kept.note(*(f"s-{n}" for n in range(MOST)), known=False, status=401)
    assert kept.refusals.find("known-1") is not None
    assert kept.refusals.find("first-1") is None
    assert kept.refusals.find(f"s-{MOST - 1}") is not None


def test_only_so_many_are_explained_in_a_second(kept: Kept) -> None:
    ids = [f"a-{n}" for n in range(EACH_SECOND + 1)]
    kept.note(*ids, requirements=requirements("scope:a"))
    last = kept.refusals.find(ids[-1])
    assert last is not None
    assert (last["steps"], last["note"][:16]) == ([], "too many at once")
    before = kept.refusals.find(ids[-2])
    assert before is not None
    assert len(before["steps"]) == 1
    kept.clock.advance(1)
    kept.note("b-1", requirements=requirements("scope:a"))
    later = kept.refusals.find("b-1")
    assert later is not None
    assert len(later["steps"]) == 1


def test_what_could_not_be_read_has_nothing_to_keep(kept: Kept) -> None:
    kept.refusals.note(Trail(), Response(status=400, reason="head"))


def test_the_pipeline_tells_of_each_refusal_and_of_nothing_else() -> None:
    told: list[tuple[str, int]] = []

    def refused(trail: Trail, response: Response) -> None:
        assert trail.request is not None
        told.append((trail.request.id, response.status))

    for needed in (requirements("scope:a"), requirements()):
        pipeline = Asked(requirements=needed).pipeline
        pipeline._refused = refused  # noqa: SLF001
        at_once(pipeline.decide(read(), PEER, Trail()))
    assert told == [("new-id", 403)]


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[RealProxy]:
    text = CONFIG.replace("port = 8080", "port = 0").replace(
        'authenticate = ["api"]', 'authenticate = ["anonymous"]'
    )
    text = text.replace('require = ["exists claims.email"]\n', "")
    text = text.replace('"app.example.com"', '"*"')
    state = str(tmp_path / "state")
    with RealProxy(tmp_path, text, workers=2, state_dir=state).serve() as proxy:
        yield proxy


def test_the_operator_gets_an_answer_whichever_worker_refused(
    proxy: RealProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    ids: dict[str, str] = {}
    for _ in range(200):
        connection = proxy.connect()
        connection.request("GET", "/orders/17?token=never-to-be-seen")
        answer = connection.getresponse()
        page = answer.read().decode()
        connection.close()
        assert answer.status == 403
        id_ = answer.headers["X-Request-Id"]
        assert id_ in page
        ids[id_.partition("-")[0]] = id_
        if len(ids) == 2:
            break
    assert len(ids) == 2
    for id_ in ids.values():
        assert main(["explain", str(proxy.config), "--id", id_]) == 1
        out = capsys.readouterr().out
        assert "main: deny (no-rule)" in out
        assert "miss claims.department == 'sales' and scope:orders.read" in out
        assert SECRET not in out
    assert main(["explain", str(proxy.config), "--id", id_, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["id"] == id_
    assert main(["explain", str(proxy.config), "--id", "none-1"]) == 2
    assert "or it is forgotten" in capsys.readouterr().err
