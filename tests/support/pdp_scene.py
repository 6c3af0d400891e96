"""A decision point that speaks XACML, and a policy that asks it, without a network."""

from typing import Any

from sso_proxy.authz.xacml import XacmlPolicy
from sso_proxy.authz.xacml_config import AttributeConfig
from tests.support.pdp import DecisionPoint, Known
from tests.support.policy_scene import URL, PolicyScene, answer
from tests.support.sts_faults import Said

ENDPOINT = f"{URL}/pdp"


def attribute(
    id_: str,
    value: str,
    category: str = "subject",
    **more: Any,  # noqa: ANN401
) -> AttributeConfig:
    """Make an attribute that is told."""
    return AttributeConfig(id=id_, value=value, category=category, **more)


RECORDS = attribute("urn:record", "claims.records", "resource", each=True)


class XacmlScene(PolicyScene):
    """A decision point of ours, and a policy that asks it."""

    def __init__(self, point: DecisionPoint | None = None, **options: Any) -> None:  # noqa: ANN401
        super().__init__(XacmlPolicy, answer(b""), **{"url": ENDPOINT, **options})
        self.point = point or DecisionPoint()
        self.server.said = self.point.answer

    def says(self, said: Said) -> None:
        """Have everything answered by *said*."""
        self.server.said = lambda _: said

    @property
    def told(self) -> list[Known]:
        """Give what the decision point was told, request by request."""
        assert not self.point.complaints
        return self.point.known
