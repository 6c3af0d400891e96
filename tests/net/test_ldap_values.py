"""What a directory says, as values."""

from sso_proxy.net.ldap_values import Entry, meaning, no_reply
from sso_proxy.net.no_reply import Trouble


def test_values_that_are_no_text_are_left_out() -> None:
    entry = Entry("o=x", {"cn": (b"a", b"\xff", "č".encode())})
    assert entry.texts("CN") == ("a", "č")
    assert entry.texts("sn") == ()


def test_an_entry_shows_nothing_of_somebody() -> None:
    assert repr(Entry("uid=bob", {"cn": (b"Bob",)})) == "Entry()"


def test_result_codes_are_told_by_their_names() -> None:
    assert meaning(49) == "invalidCredentials"
    assert meaning(80) == "result code 80"


def test_no_answer_in_time_is_told_apart() -> None:
    assert no_reply("h", "late", Trouble.TIMEOUT).status == 504
    assert no_reply("h", "gone", Trouble.UNREACHABLE).status == 503
