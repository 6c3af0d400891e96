"""What was signed is given again, to the same caller, while it is good."""

import pytest

from sso_proxy.token import Token
from sso_proxy.tokens import minted
from sso_proxy.tokens.minted import MintedTokens

FIRST, SECOND = Token(value="first"), Token(value="second")


def test_a_token_is_given_again_for_a_while() -> None:
    kept = MintedTokens()
    kept.keep("a", FIRST, now=0, again=5, exp=10)
    assert kept.get("a", now=4, end=10) is FIRST
    assert kept.get("a", now=5, end=10) is None
    assert kept.get("b", now=4, end=10) is None
    assert kept.get("a", now=4, end=9) is None, "it says what is not true by then"


def test_a_newer_one_takes_its_place() -> None:
    kept = MintedTokens()
    kept.keep("a", FIRST, now=0, again=5, exp=10)
    kept.keep("a", SECOND, now=1, again=6, exp=11)
    assert kept.get("a", now=4, end=20) is SECOND


def test_the_oldest_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minted, "MOST", 2)
    kept = MintedTokens()
    for number, key in enumerate("abc"):
        kept.keep(key, FIRST, now=number, again=50, exp=100 + number)
    found = [kept.get(key, now=3, end=200) for key in "abc"]
    assert found == [None, FIRST, FIRST]
