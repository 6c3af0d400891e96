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


def test_one_request_of_a_route_is_kept_in_a_second() -> None:
    kept = RecentDecisions()
    assert kept.wants("orders", 10.0)
    assert not kept.wants("orders", 10.9)
    assert kept.wants("wiki", 10.9)
    assert kept.wants("orders", 11.0)


def test_names_of_routes_do_not_pile_up() -> None:
    """Whoever is known of too many is asked again; nothing is kept of them all."""
    kept = RecentDecisions()
    assert kept.wants("orders", 10.0)
    for number in range(256):
        kept.wants(f"{number}", 10.0)
    assert kept.wants("orders", 10.0)
