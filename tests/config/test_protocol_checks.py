"""What options of protocols may hold."""

import attrs
import pytest

from sso_proxy.config.protocol_checks import (
    known_response_type,
    one_of,
    secure_url,
)


@attrs.frozen
class Options:
    url: str | None = attrs.field(default=None, validator=secure_url)
    algs: tuple[str, ...] = attrs.field(default=(), validator=one_of({"b", "a"}))


@pytest.mark.parametrize(
    "url",
    ["https://login.example.com/keys?a=b", "http://127.0.0.1:8080/", "http://[::1]/"],
)
def test_https_and_plain_http_to_this_machine_are_taken(url: str) -> None:
    assert Options(url).url == url


@pytest.mark.parametrize(
    "url",
    [
        *("http://login.example.com/", "http://localhost/", "ftp://a.example/"),
        *("https://user@a.example/", "https:///keys", "", "https://ä.example/"),
    ],
)
def test_what_others_could_read_or_answer_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"https|URL|host"):
        Options(url)


def test_a_list_of_known_names_is_taken_and_others_are_named() -> None:
    assert Options(algs=("a", "b")).algs == ("a", "b")
    with pytest.raises(ValueError, match="'c' is none of a, b"):
        Options(algs=("a", "c"))


def test_response_types_are_known_in_any_order() -> None:
    @attrs.frozen
    class Asked:
        asked: str = attrs.field(default="code", validator=known_response_type)

    assert Asked("token code id_token").asked == "token code id_token"
    with pytest.raises(ValueError, match="must be one of 'code'"):
        Asked("token")
