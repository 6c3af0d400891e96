"""The examples in docs/howto/device-federation.md can be used as they stand there."""

import re
import tomllib
from pathlib import Path
from typing import Any

from sso_proxy.config.model import RouteConfig
from sso_proxy.config.structure import structure
from sso_proxy.sessions.device_federation import FederationConfig
from sso_proxy.sessions.server import ServerSessionConfig

PAGE = (Path(__file__).parents[2] / "docs/howto/device-federation.md").read_text(
    "utf-8"
)
EXAMPLES: list[dict[str, Any]] = [
    tomllib.loads(text) for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
]


def federations() -> list[FederationConfig]:
    found = []
    for example in EXAMPLES:
        (name,) = example["session"]
        table = {k: v for k, v in example["session"][name].items() if k != "type"}
        config = structure(table, ServerSessionConfig, directory=Path(), path="session")
        assert config.binding.device == "prefer"
        assert config.device.federation is not None
        found.append(config.device.federation)
    return found


def test_both_sides_can_be_configured_so_and_name_each_other() -> None:
    provider, site = federations()
    (there,) = EXAMPLES[0]["route"]
    (here,) = EXAMPLES[1]["route"]
    assert site.provider == f"https://{there['host']}"
    assert provider.relying == (f"https://{here['host']}",)
    for route in (there, here):
        structure(route, RouteConfig, directory=Path(), path="route")


def test_the_claims_are_those_that_the_site_reads() -> None:
    provider, site = federations()
    told = EXAMPLES[0]["route"][0]["headers"]["claims"]
    assert told == [provider.session_claim, provider.key_claim]
    assert told == [site.session_claim, site.key_claim]
    for claim in told:
        assert f"`X-Claim-{claim}`" in PAGE


def test_people_wait_for_as_long_as_the_page_says() -> None:
    provider, _ = federations()
    assert "a second at most" in PAGE
    assert provider.wait == 1.0
