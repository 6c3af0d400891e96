"""What is explained is what happens: the pipeline decides the same requests alike."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_proxy.admission import Admission, Trail
from sso_proxy.checking import build_parts
from sso_proxy.config.load import load_config
from sso_proxy.config.model import Config
from sso_proxy.explain.judging import at_once
from sso_proxy.explain.walk import explain
from sso_proxy.model import Authenticated, Identity
from sso_proxy.parts import Parts
from sso_proxy.pipeline import Pipeline
from sso_proxy.routing import RouteTable
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.request import read_request
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeAuthenticator
from tests.support.deciding import PEER
from tests.support.explain_scene import CONFIG, make_situation, write_config

CLOCK = SettableClock()
FIRST = CONFIG.replace(
    'name = "main"', 'name = "main"\ncombine = "first_applicable"'
).replace('[policy.main]\ntype = "rules"', "[policy.main]\ntype = 'rules'\n%s")


@cache
def build(combine: str) -> tuple[Config, Parts]:
    with TemporaryDirectory() as directory:
        text = FIRST % f'combine = "{combine}"'
        config = load_config(write_config(Path(directory), text))
        return config, build_parts(config, CLOCK)


def decide(parts: Parts, who: Identity, path: str, method: str, client: str) -> Any:  # noqa: ANN401
    """Have the pipeline decide; gives what it says, or the backend's fields."""
    routes = parts.routes.of_host("app.example.com")
    assert routes is not None
    found = [routes.find(each) for each in ("/orders/", "/open/")]
    known = FakeAuthenticator(Authenticated(who))
    table = RouteTable(
        [
            attrs.evolve(route, authenticators=(known,))
            for route in found
            if route is not None
        ]
    )
    pipeline = Pipeline(
        table, clock=CLOCK, trusted=lambda _: False, via="p", new_id=lambda: "id"
    )
    incoming = read_request(
        f"{method} {path} HTTP/1.1\r\nHost: app.example.com\r\n\r\n".encode(),
        scheme="http",
        port=80,
        limits=HeadLimits(),
        managed=ManagedNames(),
    )
    connection = attrs.evolve(PEER, scheme="http", port=80, peer=client)
    verdict = at_once(pipeline.decide(incoming, connection, Trail()))
    if isinstance(verdict, Admission):
        return verdict.block.decode()
    return verdict.status, verdict.reason


@settings(deadline=None, max_examples=150)
@given(
    combine=st.sampled_from(["deny_overrides", "first_applicable"]),
    path=st.sampled_from(["/orders/17", "/orders/secret", "/orders/", "/no", "/open/"]),
    method=st.sampled_from(["GET", "HEAD", "PUT"]),
    client=st.sampled_from(["192.0.2.1", "10.1.2.3"]),
    claims=st.fixed_dictionaries(
        {},
        optional={
            "department": st.sampled_from(["sales", "it", 5]),
            "email": st.sampled_from(["a@b", None, ["a", "b"]]),
            "acr": st.sampled_from(["gold", "silver"]),
        },
    ),
    scopes=st.sampled_from(["", "orders.read", "orders.read x"]),
)
def test_an_explanation_is_what_happens(  # noqa: PLR0913, PLR0917
    combine: str,
    path: str,
    method: str,
    client: str,
    claims: dict[str, Any],
    scopes: str,
) -> None:
    config, parts = build(combine)
    document = {
        "claims": claims,
        "subject": "alice",
        "issuer": "https://i",
        "authenticator": "api",
    }
    asked = make_situation(path, document, scopes, method=method, client=client)
    told = at_once(explain(config, parts, asked))
    happened = decide(parts, asked.who.identity, path, method, client)
    if told.verdict == "permit":
        if told.headers or not path.startswith("/open/"):
            lines = [f"{name}: {value}\r\n" for name, value in told.headers]
            assert all(line in happened for line in lines)
        assert isinstance(happened, str)
    else:
        assert (told.status, told.reason) == happened
