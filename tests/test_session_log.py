"""What operators see of sessions that began lately."""

import json

from sso_proxy.session import Session
from sso_proxy.session_log import MOST, SessionLog
from sso_proxy.testing.fakes import make_identity, make_request

NOW = 1000.0


def session(id_: str = "s1", expires: float = 2000.0) -> Session:
    return Session(
        id=id_,
        identity=make_identity(claims={"secret": "planted"}, token="planted"),
        created=NOW,
        used=NOW,
        expires=expires,
        data={"refresh_token": "planted", "sid": "at-op"},
        extra={"more": "planted"},
        keys={"certificate": "planted"},
    )


def test_a_login_is_told_without_tokens_and_claims() -> None:
    log = SessionLog()
    log.note("web", make_request(), session())
    (told,) = log.latest(NOW)
    assert "planted" not in json.dumps(told)
    seen: list[Session] = []

    def look(each: Session) -> bool:
        seen.append(each)
        return False

    log.drop("web", look)
    (kept,) = seen
    secrets = (kept.identity.claims, kept.identity.token, kept.data, kept.extra)
    assert "planted" not in repr(secrets)
    assert (told["id"], told["in"], told["bindings"]) == ("s1", "web", ["certificate"])
    assert told["application"] == make_request().head.host
    assert told["address"] == make_request().client.address


def test_what_has_ended_is_forgotten() -> None:
    log = SessionLog()
    for name in ("s1", "s2"):
        log.note("web", make_request(), session(name))
    log.drop("other", lambda _: True)
    log.drop("web", lambda each: each.id == "s1" and each.data == {"sid": "at-op"})
    assert [each["id"] for each in log.latest(NOW)] == ["s2"]


def test_what_is_over_is_not_told() -> None:
    log = SessionLog()
    log.note("web", make_request(), session(expires=NOW))
    assert log.latest(NOW) == []


def test_what_may_go_on_is_counted_by_store_and_keys() -> None:
    log = SessionLog()
    for number, expires in enumerate((2000.0, 2000.0, NOW)):
        log.note("web", make_request(), session(str(number), expires))
    log.note("shop", make_request(), session("more"))
    log.drop("web", lambda each: each.id == "1")
    assert log.counts(NOW) == {("web", "certificate"): 1, ("shop", "certificate"): 1}


def test_the_newest_come_first_and_are_bounded() -> None:
    log = SessionLog()
    for number in range(MOST + 5):
        log.note("web", make_request(), session(str(number)))
    told = log.latest(NOW)
    assert len(told) == MOST
    assert told[0]["id"] == str(MOST + 4)
    assert log.begun["web", make_identity().authenticator] == MOST + 5
