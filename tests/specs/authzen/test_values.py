"""Questions and answers have the members that the standard has words for."""

from sso_proxy.specs.authzen.values import Action, Entity, Evaluated, Evaluation


def test_only_what_is_known_is_a_member() -> None:
    asked = Evaluation(
        subject=Entity(type="user", id="alice", properties={"role": "a"}),
        action=Action(name="read"),
        resource=Entity(type="record", id="1"),
    )
    assert asked.members == {
        "subject": {"type": "user", "id": "alice", "properties": {"role": "a"}},
        "action": {"name": "read"},
        "resource": {"type": "record", "id": "1"},
        "context": {},
    }
    soft = Action(name="delete", properties={"soft": True})
    assert soft.members == {"name": "delete", "properties": {"soft": True}}


def test_an_answer_without_context_has_none() -> None:
    assert Evaluated(decision=True).members == {"decision": True}
    told = Evaluated(decision=False, context={"reason_admin": "no"})
    assert told.members == {"decision": False, "context": {"reason_admin": "no"}}
