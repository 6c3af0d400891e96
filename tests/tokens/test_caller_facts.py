"""What tickets say of a caller is what is known, and the same to all readers."""

import attrs
import pytest

from sso_proxy.model import ANONYMOUS, Caller
from sso_proxy.session import Session
from sso_proxy.specs.claims import read_claim_path
from sso_proxy.testing.fakes import NOW, make_identity, make_request
from sso_proxy.tokens.caller_facts import (
    address_of,
    end_of,
    rights_of,
    somebody,
    text_at,
    words_at,
)

GROUPS = read_claim_path("groups")


def caller(client: str = "192.0.2.1", **identity: object) -> Caller:
    who = make_identity(**identity)  # type: ignore[arg-type]
    return Caller(request=make_request(client=client), identity=who, user="alice")


def test_it_holds_until_the_first_of_all_ends() -> None:
    assert end_of(caller()) == float("inf")
    mine = caller(expires=NOW + 50)
    session = Session(
        id="s", identity=make_identity(), created=NOW, used=NOW, expires=NOW + 20
    )
    request = attrs.evolve(mine.request, session=session)
    assert end_of(mine) == NOW + 50
    assert end_of(attrs.evolve(mine, request=request)) == NOW + 20


def test_nobody_in_particular_is_nobody() -> None:
    assert somebody(caller()) == make_identity()
    assert somebody(caller(issuer=ANONYMOUS)) is None
    assert somebody(attrs.evolve(caller(), identity=None)) is None


def test_a_text_is_a_text_or_a_number() -> None:
    claims = {"a": "x", "b": 7, "c": True, "d": ["x"], "e": None}
    found = [text_at(make_identity(claims=claims), (name,)) for name in "abcdef"]
    assert found == ["x", "7", "", "", "", ""]


def test_words_are_texts_and_those_of_lists() -> None:
    claims = {"groups": ["a", 1, "b"], "role": "c", "n": 3}
    paths = [GROUPS, ("role",), ("n",), ("none",)]
    assert words_at(make_identity(claims=claims), paths) == ["a", "b", "c"]


def test_tokens_are_those_of_the_table_and_of_everybody() -> None:
    table = {"staff": ("internal", "wiki"), "boss": ("admin",)}
    assert rights_of(["staff", "other"], table, ("sso",)) == ("internal", "sso", "wiki")
    assert rights_of(["b", "a", "b"], {}, ()) == ("a", "b")


@pytest.mark.parametrize("word", ["a,admin", "a;uid=b", "a\nb", "", " a", "a!b"])
def test_no_word_becomes_several_tokens(word: str) -> None:
    assert rights_of([word, "x"], {}, ()) == ("x",)


def test_an_address_is_written_as_apache_does() -> None:
    assert address_of(caller("192.0.2.1")) == "192.0.2.1"
    assert address_of(caller("::ffff:192.0.2.1")) == "192.0.2.1"
    assert address_of(caller("2001:DB8:0:0::1")) == "2001:db8::1"
    assert address_of(caller("unix")) == ""
