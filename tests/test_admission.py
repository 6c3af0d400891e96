"""What a record says that holds for all equal requests."""

import json

from sso_proxy.admission import Trail
from sso_proxy.testing.fakes import make_certificate, make_identity, make_request
from tests.support.doubles import FakeUpstream, Scene, make_route


def test_a_trail_tells_what_was_found_out() -> None:
    trail, facts = Trail(), Scene().facts
    nothing = json.loads("{" + trail.stable(facts) + "}")
    assert (nothing["peer"], nothing["client"]) == ("192.0.2.1", "192.0.2.1")
    assert nothing["route"] == nothing["subject"] == nothing["host"] == ""
    trail.request = make_request(certificate=make_certificate(), client="198.51.100.7")
    trail.route = make_route(FakeUpstream())
    trail.identity, trail.user = make_identity(), "carol"
    trail.bound = ("certificate",)
    found = json.loads("{" + trail.stable(facts) + "}")
    assert found["client"] == "198.51.100.7"
    assert found["route"] == "app.example.com/"
    assert (found["subject"], found["user"]) == ("alice", "carol")
    assert found["bindings"] == ["certificate"]
    assert found["tls"]["certificate"]["verified"] is True
