"""Which header fields are whose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.http.names import DROP, FORWARDED, KEEP, ManagedNames, fold

MANAGED = ManagedNames(["X-Auth-User"], ["X-Claim-"])


@given(separators=st.lists(st.sampled_from("-_.~!|"), min_size=2, max_size=2))
def test_every_spelling_of_a_managed_name_is_covered(separators: list[str]) -> None:
    """A1, A3, A4: what CGI folds to one name is one name."""
    name = "x{}aUtH{}user".format(*separators)
    assert MANAGED.covers(name)
    assert MANAGED.kinds[name.lower()] == DROP


def test_a_prefix_covers_what_begins_with_it() -> None:
    assert MANAGED.covers("x_claim.anything")
    assert not MANAGED.covers("x-claims")


def test_an_alias_of_what_proxies_say_is_not_what_they_say() -> None:
    assert MANAGED.kinds["x-forwarded-for"] == FORWARDED
    assert MANAGED.kinds["x_forwarded_for"] == DROP
    assert MANAGED.kinds["x-forwarded_proto"] == DROP


def test_a_name_that_is_nobodys_is_the_backends() -> None:
    assert MANAGED.kinds["x-auth-users"] == KEEP
    assert not MANAGED.covers("accept")


def test_what_clients_make_us_remember_is_bounded() -> None:
    managed = ManagedNames()
    for number in range(5000):
        assert managed.kinds[f"x-made-up-{number}"] == KEEP
    assert len(managed.kinds) < 2000
    before = len(managed.kinds)
    assert managed.kinds["x" * 1000] == KEEP
    assert len(managed.kinds) == before
    assert managed.kinds["x-forwarded-for"] == FORWARDED


@pytest.mark.parametrize("name", ["", "a b", "X:", "Host", "authorization", "Cookie"])
def test_a_name_that_cannot_be_managed_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"managed|no header field name"):
        ManagedNames([name])


@pytest.mark.parametrize("prefix", ["", "a b", "Co", "host"])
def test_a_prefix_that_would_take_too_much_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        ManagedNames([], [prefix])


@given(name=st.text("abcXYZ019-_.~!#$%&'*+^`|", max_size=12))
def test_folding_is_done_once(name: str) -> None:
    folded = fold(name)
    assert fold(folded) == folded
    assert len(folded) == len(name)
    assert all(char == "-" or char.isalnum() for char in folded)
