"""Values of ours in header fields (A17, A21)."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.http.fields import check_value, encode_value


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("", b""),
        ("alice", b"alice"),
        ('Alice B. <a@b.example>, "x\\"', b'Alice B. <a@b.example>, "x\\"'),
        ("a  b", b"a  b"),
        ("J\u00fcrgen", b"J%C3%BCrgen"),
        ("\u9673 \U0001f600", b"%E9%99%B3 %F0%9F%98%80"),
        ("100%", b"100%25"),
        ("%C3%BC", b"%25C3%25BC"),
        (" a ", b"%20a%20"),
        ("alice ", b"alice%20"),
        ("  ", b"%20%20"),
    ],
)
def test_a_value_is_sent_by_the_rule(value: str, sent: bytes) -> None:
    assert encode_value(value) == sent


@pytest.mark.parametrize(
    "char", ["\r", "\n", "\0", "\t", "\x1b", "\x7f", "\x85", "\ud800"]
)
def test_control_characters_are_refused(char: str) -> None:
    """A17: CR and LF would begin a new field; decoded at the backend, too."""
    for value in (char, f"a{char}b", f"alice{char}", f"\u00fc{char}X-Role: admin"):
        with pytest.raises(ValueError, match="control character"):
            encode_value(value)


@pytest.mark.parametrize("value", ["a" * 8193, "\u00e9" * 1366])
def test_a_value_has_a_limit(value: str) -> None:
    """A21: a group list of 64 KiB."""
    with pytest.raises(ValueError, match="too long"):
        encode_value(value)


TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)


@given(value=TEXT)
def test_decoding_gives_the_value_back(value: str) -> None:
    """So no two users are sent alike."""
    sent = encode_value(value).decode("ascii")
    assert unquote(sent, errors="strict") == value
    assert sent == sent.strip()
    check_value(sent)


@given(value=st.text(max_size=20))
def test_nothing_unsafe_is_ever_sent(value: str) -> None:
    try:
        sent = encode_value(value)
    except ValueError:
        return
    assert all(0x20 <= octet < 0x7F for octet in sent)


@pytest.mark.parametrize("value", ["", "a", "a b\tc", "caf\u00e9"])
def test_what_can_be_sent_as_it_is_passes(value: str) -> None:
    check_value(value)


@pytest.mark.parametrize(
    "value",
    [" a", "a ", "a\t", "\t", "a\r\nb", "a\nb", "\0", "\x7f", "\u0100", "a" * 8193],
)
def test_what_cannot_be_sent_as_it_is_does_not_pass(value: str) -> None:
    with pytest.raises(ValueError, match="value"):
        check_value(value)
