"""What is made of a request on its way to a backend."""

from sso_proxy.upstream.request import Outgoing
from tests.support.exchanges import outgoing


def facts(request: Outgoing) -> dict[str, object]:
    """Give all that is told of *request*."""
    names = "head method caller replayable upgrade upgrade_key bodyless renew"
    return {name: getattr(request, name) for name in names.split()}


def test_what_may_be_sent_twice_is_the_same_again() -> None:
    request = outgoing()
    assert request.again() is request


def test_what_is_good_once_has_another_head_and_is_the_same_besides() -> None:
    request = outgoing(upgrade="websocket")
    request.renew = lambda: b"anew"
    again = request.again()
    assert facts(again) == facts(request) | {"head": b"anew"}
    assert request.head != b"anew"


def test_what_has_come_of_a_body_goes_with_the_head() -> None:
    request = outgoing("POST", body=True)
    for whole in (True, False):
        begun = request.begun(b"some", whole=whole)
        told = {"head": request.head + b"some", "bodyless": whole}
        assert facts(begun) == facts(request) | told


def test_without_what_it_asks_to_switch_to_it_is_the_same_besides() -> None:
    request = outgoing(upgrade="websocket")
    assert facts(request.staying()) == facts(request) | {"upgrade": None}


def test_credentials_are_not_in_its_repr() -> None:
    request = outgoing()
    request.head = b"Authorization: Bearer secret"
    assert "secret" not in repr(request)
