"""etc/xacml.toml runs, with a decision point of ours over https."""

import json
from pathlib import Path

import pytest

from sso_proxy.testing.pki import Pki
from tests.support import pdp
from tests.support.issuing import Issuer
from tests.support.pdp import DecisionPoint, Known, Members
from tests.support.sts import TokenServer
from tests.support.sts_serving import listen
from tests.test_etc_tokens import Example

ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
NOW = "urn:oasis:names:tc:xacml:1.0:environment:current-dateTime"


def clerks(known: Known) -> Members:
    """Permit clerks to read orders that have a number, for a purpose."""
    reads = known[pdp.ACTION, pdp.ACTION_ID] == ["GET"]
    may = reads and "clerk" in known.get((pdp.SUBJECT, ROLE), [])
    if not may or (pdp.RESOURCE, "urn:example:order") not in known:
        return {"Decision": "NotApplicable"}
    purpose = {"AttributeId": "urn:example:purpose", "Value": "sales"}
    obligation = {
        "Id": "urn:example:obligation:purpose",
        "AttributeAssignment": [purpose],
    }
    policies = {"PolicyIdReference": [{"Id": "clerks", "Version": "1.0"}]}
    return {
        "Decision": "Permit",
        "Obligations": [obligation],
        "PolicyIdentifierList": policies,
    }


def test_xacml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """etc/xacml.toml"""
    monkeypatch.setenv("PDP_PASSWORD", "s3cret")
    issuer = Issuer()
    example = Example("xacml.toml", tmp_path, {"https://login.example.com": issuer})
    point, server = DecisionPoint(clerks), TokenServer()
    server.said = point.answer
    with listen(server, tmp_path, Pki.create("Decision points")) as there:
        config = example.proxy.config
        text = config.read_text().replace("https://pdp.example.com", server.origin)
        config.write_text(text.replace("tls/pdp-ca.crt", str(there.ca)))
        with example.running(issuer):
            clerk = issuer.token(roles=["clerk"])
            passed = example.ask("/orders/17", clerk)
            assert passed.status == 200, example.proxy.log()
            assert json.loads(passed.text)["x-purpose"] == "sales"
            assert point.known[-1][pdp.RESOURCE, "urn:example:order"] == ["17"]
            assert point.known[-1][pdp.SUBJECT, pdp.SUBJECT_ID] == ["alice"]
            assert point.known[-1][pdp.ENVIRONMENT, NOW]
            basic = server.asked[-1].headers["authorization"]
            assert basic == "Basic cHJveHk6czNjcmV0"
            example.proxy.wait_for_log("Permit by policies 'clerks 1.0'")

            assert example.ask("/stock/17", clerk).status == 403
            guest = issuer.token(roles=["guest"])
            asked = server.count
            assert example.ask("/orders/17", guest).status == 403
            assert example.ask("/orders/17", guest).status == 403, "and is believed"
            assert server.count == asked + 1
            other = issuer.token(roles=["clerk"], scope="other")
            assert example.ask("/orders/17", other).status == 403, "asks nobody"
            assert server.count == asked + 1

            there.show("stranger")
            outage = example.ask("/orders/18", clerk)
            assert (outage.status, "x-purpose" in outage.text) == (503, False)
            example.proxy.wait_for_log("No decision by central")
            assert not point.complaints
