"""Providers of many tenants, whose issuer is a template, as Microsoft Entra has it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from sso_proxy.testing.pki import Pki
from tests.conformance.accepting import RSA_ONLY
from tests.conformance.parts import Fields
from tests.conformance.provider import Provider
from tests.conformance.proxied import Case, World, world

OURS: Final = "11111111-1111-4111-8111-111111111111"
OTHERS: Final = "22222222-2222-4222-8222-222222222222"
OPTIONS: Final = f"""{RSA_ONLY}
tenants = ["{OURS}"]
metadata = "{{issuer}}/.well-known/openid-configuration"
userinfo = false
"""
OVERAGE: Final = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}}


def _template(provider: Provider) -> str:
    return provider.issuer.replace("organizations", "{tenantid}")


def _tenant(tid: str | None, issuer_of: str, more: Mapping[str, Any]) -> Case:
    def prepare(provider: Provider) -> None:
        provider.issuer += "/organizations/v2.0"
        provider.below = "/organizations/v2.0"
        issuer = _template(provider).replace("{tenantid}", issuer_of)

        def claims(right: Mapping[str, Any], _grant: object) -> dict[str, Any]:
            said = {**right, "iss": issuer, "tid": tid, **more}
            return {name: value for name, value in said.items() if value is not None}

        def metadata(said: Mapping[str, Any], _grant: object) -> dict[str, Any]:
            flag = "authorization_response_iss_parameter_supported"
            return {**said, "issuer": _template(provider), flag: False}

        def answer(fields: Fields, _grant: object) -> Fields:
            return tuple(field for field in fields if field[0] != "iss")

        provider.changes.add("id_token_claims", claims)
        provider.changes.add("metadata", metadata)
        provider.changes.add("answer", answer)

    return Case(prepare=prepare, options=OPTIONS, issuer=_template)


_CASES: Final = {
    "ours": _tenant(OURS, OURS, {}),
    "overage": _tenant(OURS, OURS, OVERAGE),
    "others": _tenant(OTHERS, OTHERS, {}),
    "mixed": _tenant(OURS, OTHERS, {}),
    "mixed-up": _tenant(OTHERS, OURS, {}),
    "no-tenant": _tenant(None, OURS, {}),
    "template": _tenant(OURS, "{tenantid}", {}),
}


@pytest.fixture(scope="module")
def running(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give the proxy, with a provider for each case."""
    with world(tmp_path_factory.mktemp("tenants"), pki, _CASES) as found:
        yield found


def test_people_of_our_tenant_log_in(running: World) -> None:
    running.check_login("ours")


def test_groups_that_are_elsewhere_are_told_of_in_the_log(running: World) -> None:
    logs = running.logs()
    running.check_login("overage")
    logs.wait_for("overage: the provider refers to groups elsewhere")


@pytest.mark.parametrize(
    "name", ["others", "mixed", "mixed-up", "no-tenant", "template"]
)
def test_others_do_not(running: World, name: str) -> None:
    """``iss`` and ``tid`` have to say the same tenant, and one that we let in."""
    browser, logs = running.browser(), running.logs()
    page = browser.go(running.url(name))
    running.check_refused(name, browser, page, logs, told="login-refused: token-")
