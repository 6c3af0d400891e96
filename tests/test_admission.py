"""What a record says that holds for all equal requests."""

import json

import attrs

from sso_proxy.admission import Connection, Trail
from sso_proxy.session import Session
from sso_proxy.testing.fakes import make_certificate, make_identity, make_request
from tests.support.doubles import FakeUpstream, Scene, make_route

SESSION = Session(
    id="u2sV", identity=make_identity(), created=0.0, used=0.0, expires=1.0
)


def test_a_trail_tells_what_was_found_out() -> None:
    trail, facts = Trail(), Scene().facts
    nothing = json.loads("{" + trail.stable(facts) + "}")
    assert (nothing["peer"], nothing["client"]) == ("192.0.2.1", "192.0.2.1")
    for member in ("route", "subject", "host", "session"):
        assert nothing[member] == ""
    trail.request = make_request(certificate=make_certificate(), client="198.51.100.7")
    trail.route = make_route(FakeUpstream())
    trail.identity, trail.user = make_identity(), "carol"
    trail.bound = ("certificate",)
    trail.request = attrs.evolve(trail.request, session=SESSION)
    found = json.loads("{" + trail.stable(facts) + "}")
    assert found["client"] == "198.51.100.7"
    assert found["route"] == "app.example.com/"
    assert (found["subject"], found["user"]) == ("alice", "carol")
    assert found["bindings"] == ["certificate"]
    assert found["session"] == "u2sV"
    assert found["tls"]["certificate"]["verified"] is True


def test_a_handshake_leaves_all_else_of_a_connection_as_it_was() -> None:
    names = [field.name for field in attrs.fields(Connection)]
    before = Connection(**{name: object() for name in names})  # type: ignore[arg-type]
    tls = make_request().tls
    assert tls is not None
    after = before.proved(tls, None, stale=True)
    assert (after.tls, after.policy_for, after.stale) == (tls, None, True)
    for name in set(names) - {"tls", "policy_for", "stale"}:
        assert getattr(after, name) is getattr(before, name)
