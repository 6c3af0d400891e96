"""Lines of identities and user names are read, or all of them are refused."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.user_map import (
    REFUSED_NAME,
    check_delimiter,
    drop_identity,
    read_user_map,
    set_name,
)
from sso_proxy.specs.user_name import is_safe_user_name


@pytest.mark.parametrize(
    ("line", "delimiter", "identity", "name"),
    [
        ("alice al", " ", "alice", "al"),
        ("  alice \t  al  ", " ", "alice", "al"),
        ("https://id.example.com/a=b al", " ", "https://id.example.com/a=b", "al"),
        (
            '"CN=Alice Smith,O=x" "alice smith"',
            " ",
            "CN=Alice Smith,O=x",
            "alice smith",
        ),
        ("alice\t\tal", "\t", "alice", "al"),
        ("alice:al", ":", "alice", "al"),
        ("alice smith : al smith", ":", "alice smith", "al smith"),
        ('"https://i.example.com|alice":al', ":", "https://i.example.com|alice", "al"),
        ('"a""b" , "c""d"', ",", 'a"b', 'c"d'),
        ("a\"b,c'd", ",", 'a"b', "c'd"),
        ('"#1",#2', ",", "#1", "#2"),
        ("Zoë=zoë\r", "=", "Zoë", "zoë"),
        ("a^b", "^", "a", "b"),
        ("a]b", "]", "a", "b"),
        ("a\\b", "\\", "a", "b"),
        ("a-b", "-", "a", "b"),
    ],
)
def test_a_line_names_somebody(
    line: str, delimiter: str, identity: str, name: str
) -> None:
    assert read_user_map(line + "\n", delimiter) == {identity: name}


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("eve:", ":"),
        ("eve: ", ":"),
        ('eve:""', ":"),
        ("eve:!", ":"),
        ('eve:"!"', ":"),
        ("eve !", " "),
        ('eve ""', " "),
    ],
)
def test_an_empty_name_or_a_mark_is_nobody(line: str, delimiter: str) -> None:
    assert read_user_map(line + "\n", delimiter) == {"eve": None}


def test_comments_and_empty_lines_say_nothing() -> None:
    assert read_user_map("# a b\n\n  \t\n  # c d\r\n\r\n") == {}
    assert read_user_map("") == {}


@pytest.mark.parametrize(
    ("text", "delimiter", "problem"),
    [
        ("alice\n", " ", "line 1: not an identity, ' ' and a name"),
        ("alice \n", " ", "line 1: not an identity"),
        ("alice al smith\n", " ", "line 1: not an identity"),
        ("#\nalice:al:x\n", ":", "line 2: not an identity, ':' and a name"),
        ('"alice:al\n"b:c\n', ":", "line 1: not an identity"),
        ('"alice"x:al\n', ":", "line 1: not an identity"),
        ('alice:"al"x\n', ":", "line 1: not an identity"),
        (":al\n", ":", "line 1: not an identity"),
        ('"":al\n', ":", "line 1: no identity"),
        ("al\x00ice:al\n", ":", "line 1: no identity"),
        ("alice:a\x00l\n", ":", "line 1: no user name"),
        ("alice:a\rbob:b\n", ":", "line 1: not an identity"),
        ("alice:a\rb\n", ":", "line 1: no user name"),
        ('alice:" al"\n', ":", "line 1: no user name"),
        (f"alice:{'x' * 257}\n", ":", "line 1: no user name"),
        ("a:b\na:b\n", ":", "line 2: the identity is there already"),
        ('a:b\n"a":!\n', ":", "line 2: the identity is there already"),
        ("a\n" * 5, ":", "line 3: not an identity, ':' and a name; 2 more"),
        ("alice al", " ", "the last line does not end"),
    ],
)
def test_a_line_that_says_no_pair_is_told_by_its_number(
    text: str, delimiter: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        read_user_map(text, delimiter)


def test_what_is_wrong_is_told_without_what_is_in_it() -> None:
    with pytest.raises(ValueError, match="line 1") as caught:
        read_user_map("alice:secret:x\n", ":")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("delimiter", ["", "::", '"', "#", "!", "\n", "\r", "\x00"])
def test_what_means_something_else_is_no_delimiter(delimiter: str) -> None:
    with pytest.raises(ValueError, match="one character"):
        check_delimiter(delimiter)


NAMES = st.text(st.characters(codec="utf-8"), max_size=8).filter(is_safe_user_name)


@given(st.dictionaries(NAMES, NAMES, max_size=3), st.sampled_from(" \t:,;=|"))
def test_what_a_program_for_csv_writes_is_read(
    users: dict[str, str], delimiter: str
) -> None:
    out = io.StringIO()
    lines = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    lines.writerows(users.items())
    expected = {who: None if name == "!" else name for who, name in users.items()}
    assert read_user_map(out.getvalue(), delimiter) == expected


@given(st.text(), st.sampled_from(" :,"))
def test_whatever_is_in_it_is_read_or_refused(text: str, delimiter: str) -> None:
    try:
        found = read_user_map(text + "\n", delimiter)
    except ValueError:
        return
    assert all(name is None or is_safe_user_name(name) for name in found.values())


LISTED = '# staff\n\n  alice   al  \r\n# gone\n"b b" "bo b"\n# end\n'


def test_a_name_changes_in_its_line_and_nothing_else_does() -> None:
    changed = set_name(LISTED, " ", "alice", "a l")
    assert changed == LISTED.replace("alice   al  ", 'alice   "a l"  ')
    assert set_name(LISTED, " ", "b b", None) == LISTED.replace('"bo b"', "!")


def test_somebody_new_stands_at_the_end() -> None:
    assert set_name(LISTED, " ", "#1", "one") == f'{LISTED}"#1" one\n'
    assert set_name("", ":", "a:b", "c d") == '"a:b":"c d"\n'
    assert set_name("a,b\r\n", ",", 'say "a"', "x") == 'a,b\r\n"say ""a""",x\r\n'


def test_who_is_dropped_takes_the_line_along() -> None:
    assert drop_identity(LISTED, " ", "b b") == LISTED.replace('"b b" "bo b"\n', "")
    with pytest.raises(KeyError):
        drop_identity(LISTED, " ", "bob")


@pytest.mark.parametrize(
    ("text", "identity", "name"),
    [
        ("alice al\nhalf", "bob", "b"),
        ("alice\n", "bob", "b"),
        ("", "", "b"),
        ("", "bob\nroot", "b"),
        ("", "bob", "b\nroot r"),
        ("", "bob", ""),
        ("", "bob", "!"),
        ("", "bob", " b"),
    ],
)
def test_what_would_not_be_read_is_not_written(
    text: str, identity: str, name: str
) -> None:
    with pytest.raises(ValueError, match=r"line|identity|name"):
        set_name(text, " ", identity, name)


CALLED = NAMES.filter(lambda name: name != REFUSED_NAME)


@given(
    st.dictionaries(NAMES, CALLED, max_size=3),
    NAMES,
    st.none() | CALLED,
    st.sampled_from(" \t:,;=|"),
)
def test_what_was_written_is_read_and_can_be_taken_back(
    users: dict[str, str], identity: str, name: str | None, delimiter: str
) -> None:
    text = "# all\n"
    for each, called in users.items():
        text = set_name(text, delimiter, each, called)
    assert read_user_map(text, delimiter) == users
    added = set_name(text, delimiter, identity, name)
    assert read_user_map(added, delimiter) == {**users, identity: name}
    if identity not in users:
        assert drop_identity(added, delimiter, identity) == text
