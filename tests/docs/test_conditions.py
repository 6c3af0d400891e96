"""The examples in docs/formats/conditions.md are conditions."""

import re
from pathlib import Path

import attrs
import pytest

from sso_proxy.authz.conditions import compile_condition
from sso_proxy.authz.facts import Context
from sso_proxy.testing.fakes import make_certificate, make_identity, make_request

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats" / "conditions.md"
EXAMPLES = re.findall(r"^\| `(.+?)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)

NOW = 1_800_000_000.0

WITH_CLAIMS = make_identity(
    scopes=["orders.read", "a", "a(b),c"],
    authenticator="api",
    claims={
        "department": "support",
        "level": 3,
        "staff": True,
        "groups": ["staff"],
        "email": "alice@example.com",
        "amr": ["pwd", "mfa"],
        "paid_until": NOW + 60,
        "joined": "2020-01-01",
        "orgs": [{"name": "acme"}, {"name": "other"}],
        "realm_access": {"level": 3},
        "https://example.com/role": "admin",
        "acr": "silver",
        "auth_time": NOW - 200,
    },
)
WITH_EVERYTHING = attrs.evolve(
    WITH_CLAIMS,
    sources={
        "id_token": {"department": "sales"},
        "userinfo": {"level": 3},
        "token": {"client_id": "shop"},
    },
)
OTHERWISE = {
    "acr == 'urn:example:mfa'": "silver is not that",
    "claims.department == 'sales'": "support is not sales",
    "method == 'PATCH'": "GET is not PATCH",
}
CONTEXT = Context(
    template="/orders/{id}/items",
    groups={"staff": frozenset({"alice"}), "known": frozenset({"staff"})},
    tables={"departments": {"support": {"country": "DE"}}},
)
CERTIFICATE = attrs.evolve(
    make_certificate(subject="CN=client"), names=(("dns", "a.example.com"),)
)
REQUEST = attrs.evolve(
    make_request(path="/orders/17/items", certificate=CERTIFICATE, time=NOW),
    bindings=("dpop",),
)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_holds_for_whom_it_describes(example: str) -> None:
    condition = compile_condition(example, "require[0]", CONTEXT)
    holds = condition.holds(WITH_EVERYTHING, REQUEST)
    assert holds is (example not in OTHERWISE)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 20
    assert OTHERWISE.keys() <= set(EXAMPLES)
