"""Files of Apache's configuration are read as Apache reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.apache_config import (
    ApacheConfigError,
    Directive,
    read_apache_config,
    split_words,
)


def test_directives_and_sections_are_read() -> None:
    text = (
        "# a comment \\\n that goes on\n"
        "ServerName a.example\r\n"
        "\t<Location  /x >\n"
        "  REQUIRE  claim a:b \\\n    c:d\n"
        "</LOCATION>\n"
    )
    require = Directive("require", "claim a:b     c:d", 5)
    assert read_apache_config(text) == (
        Directive("servername", "a.example", 3),
        Directive("location", "/x", 4, (require,)),
    )
    assert require.words == ("claim", "a:b", "c:d")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a  b", ("a", "b")),
        ('"a b" c', ("a b", "c")),
        ("'a \"b' c", ('a "b', "c")),
        (r'"a \" b"', ('a " b',)),
        (r'"\d+\\"', (r"\d+" + "\\",)),
        (r"\d+ a\b", (r"\d+", r"a\b")),
        ('""', ("",)),
        ("", ()),
    ],
)
def test_words_are_cut_at_blanks(text: str, words: tuple[str, ...]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<Location /x>", "line 1: <location> does not end"),
        ("\n</Location>", "line 2: </Location> ends nothing"),
        ("<A x>\n</B>", "line 2"),
        ("<x", "line 1: <x is no section"),
        ("<A>\n" * 40, "nested too deep"),
        ("a \\", "goes on after the end"),
        ("\n" * 100_001, "more than"),
    ],
)
def test_what_is_no_configuration_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ApacheConfigError, match=problem):
        read_apache_config(text)


@given(st.text("<>/ab \\\n\"'#\r", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read_apache_config(text)
    except ApacheConfigError:
        return
    assert all(split_words(each.text) is not None for each in found)
