"""An answer's fields are found, and what is ambiguous is told from what is not."""

from sso_proxy.net.http_reply import HttpReply


def test_the_first_of_several_fields_is_given() -> None:
    reply = HttpReply(status=200, headers=(("a", "1"), ("b", "2"), ("a", "3")))
    assert (reply.header("a"), reply.header("b"), reply.header("c")) == ("1", "2", None)


def test_two_media_types_are_none() -> None:
    """Whoever takes the first of them reads what others would not."""
    one = ("content-type", "application/json")
    assert HttpReply(status=200).media_type is None
    assert HttpReply(status=200, headers=(one,)).media_type == "application/json"
    twice = HttpReply(status=200, headers=(one, ("content-type", "text/plain")))
    assert twice.media_type == "application/json, text/plain"
