"""Each delivery provides the interface and takes away what a client sends there."""

import pytest
from zope.interface.verify import verifyObject

from sso_proxy.equipment import Equipment
from sso_proxy.interfaces import IDelivery
from sso_proxy.token import Token
from sso_proxy.tokens.delivery import (
    BasicDelivery,
    CookieDelivery,
    EnvironDelivery,
    FormDelivery,
    HeaderDelivery,
    QueryDelivery,
)

DELIVERIES = [
    (HeaderDelivery("X-Token"), ("x-token",)),
    (BasicDelivery(), ("authorization",)),
    (CookieDelivery("a"), ("cookie:a",)),
    (QueryDelivery("a"), ("?a",)),
    (FormDelivery("a"), ("form:a",)),
    (EnvironDelivery("A"), ()),
]


@pytest.mark.parametrize(
    ("delivery", "consumes"), DELIVERIES, ids=lambda x: type(x).__name__
)
def test_it_takes_away_what_a_client_sends_there(
    delivery: IDelivery, consumes: tuple[str, ...]
) -> None:
    verifyObject(IDelivery, delivery)
    assert delivery.consumes == consumes


@pytest.mark.parametrize("delivery", [each for each, _ in DELIVERIES], ids=repr)
def test_it_puts_a_token_in_one_place(delivery: IDelivery) -> None:
    equipment = Equipment(user="alice", has_form=True)
    assert delivery.apply(Token(value="t0ken"), equipment) is None
    places = (
        equipment.fields,
        equipment.cookies,
        equipment.query,
        equipment.form,
        equipment.environ,
    )
    assert [len(place) for place in places if place] == [1]


def test_nothing_shows_what_was_delivered() -> None:
    equipment = Equipment(user="alice", has_form=True)
    for delivery, _ in DELIVERIES:
        delivery.apply(Token(value="t0ken"), equipment)
    assert "t0ken" not in repr(equipment) + repr(Token(value="t0ken"))
