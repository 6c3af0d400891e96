"""Structured fields."""

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.http.structured import (
    Bare,
    InnerList,
    Item,
    Member,
    Token,
    read_dictionary,
    read_item,
    read_list,
    write_dictionary,
    write_member,
)

_keys = st.from_regex(r"[a-z*][a-z0-9_.*-]{0,8}", fullmatch=True)
_bares: st.SearchStrategy[Bare] = st.one_of(
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.booleans(),
    st.binary(max_size=40),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
    st.from_regex(r"[A-Za-z*][A-Za-z0-9:/!-]{0,8}", fullmatch=True).map(Token),
)
_parameters = st.dictionaries(_keys, _bares, max_size=3).map(lambda d: tuple(d.items()))
_items = st.builds(Item, _bares, _parameters)
_members: st.SearchStrategy[Member] = st.one_of(
    _items, st.builds(InnerList, st.lists(_items, max_size=3).map(tuple), _parameters)
)


@given(st.dictionaries(_keys, _members, max_size=4))
def test_what_is_written_is_read_back(members: dict[str, Member]) -> None:
    """Writing loses nothing, and says one thing only."""
    assert read_dictionary(write_dictionary(members)) == members


@given(st.dictionaries(_keys, _members, min_size=1, max_size=4))
def test_another_implementation_writes_the_same(members: dict[str, Member]) -> None:
    """What is written is the canonical form, as http_sf has it."""
    text = write_dictionary(members)
    parsed = http_sf.parse(text.encode(), tltype="dictionary")
    assert http_sf.ser(parsed) == text


@pytest.mark.parametrize(
    "text",
    [
        "a=1,",
        ",a=1",
        "a=1 b=2",
        "a=1, a=2",
        "a=1;x;x=2",
        "A=1",
        "a=",
        "a=1.5",
        "a=1234567890123456",
        'a="é"',
        'a="x',
        r'a="\x"',
        "a=:A:",
        "a=:AB==:",
        "a=:AA=:",
        "a=(1 2",
        "a=(1,2)",
        'a=("a""b")',
        "a=@1659578233",
        'a=%"x"',
        "a=?2",
        "a=1;",
        "a=1;=2",
        "\ta=1",
        "a=" + "x" * 65536,
    ],
)
def test_what_is_no_dictionary_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="field"):
        read_dictionary(text)


def test_blanks_stand_where_they_may() -> None:
    """Around commas, after semicolons and inside inner lists."""
    read = read_dictionary('  a=1 ,\tb=( "x"  "y" );  z , c  ')
    assert read == {
        "a": Item(1),
        "b": InnerList((Item("x"), Item("y")), (("z", True),)),
        "c": Item(True),
    }


@pytest.mark.parametrize(
    "value", ["é", "a\nb", "\x7f", 10**15, Token("a b"), Token("")]
)
def test_what_cannot_be_written_is_refused(value: Bare) -> None:
    """A line feed in a value would be a field of its own."""
    with pytest.raises(ValueError, match="cannot hold"):
        write_dictionary({"a": Item(value)})


def test_keys_are_checked() -> None:
    """No key brings in more than itself."""
    with pytest.raises(ValueError, match="no key"):
        write_dictionary({"a=1, b": Item(1)})
    with pytest.raises(ValueError, match="no key"):
        write_dictionary({"a": Item(1, (("x;y", 1),))})


@given(st.lists(_members, max_size=4))
def test_lists_are_read(members: list[Member]) -> None:
    assert read_list(", ".join(map(write_member, members))) == tuple(members)


@given(_items)
def test_items_are_read(item: Item) -> None:
    assert read_item(f" {write_member(item)} ") == item


@pytest.mark.parametrize("text", ["", "a b", "a, b", "(a b)", '"a', "a;", "a" * 65537])
def test_what_is_no_item_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="field"):
        read_item(text)


@pytest.mark.parametrize("text", ["a b", "a,", ",a", "(a", "a" * 65537])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="field"):
        read_list(text)
