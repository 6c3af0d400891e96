"""The last decisions."""

from sso_proxy.recent_decisions import MOST, Decided, RecentDecisions


def decided(
    number: int, decision: str = "permit", authenticator: str = "api", status: int = 200
) -> Decided:
    return Decided(
        id=f"{number}",
        time=float(number),
        route="orders",
        method="GET",
        decision=decision,
        status=status,
        reason="",
        seconds=0.01,
        authenticator=authenticator,
    )


def test_the_newest_come_first() -> None:
    kept = RecentDecisions()
    for number, decision in enumerate(("permit", "deny", "permit", "error")):
        kept.keep(decided(number, decision))
    assert [each["id"] for each in kept.document()] == ["3", "2", "1", "0"]


def test_strangers_push_out_strangers_only() -> None:
    kept = RecentDecisions()
    kept.keep(decided(0, "deny"))
    kept.keep(decided(1))
    for number in range(2, 3 * MOST):
        kept.keep(decided(number, "deny", ""))
    left = {each["id"] for each in kept.document()}
    assert {"0", "1"} <= left
    assert len(left) == MOST + 2


def test_what_a_backend_failed_at_is_kept_with_refusals() -> None:
    kept = RecentDecisions()
    kept.keep(decided(0, status=502))
    for number in range(1, 3 * MOST):
        kept.keep(decided(number))
    assert kept.document()[-1]["id"] == "0"
