"""Response types are sets of words, and each is an agreement about what comes."""

from itertools import permutations

import pytest

from sso_proxy.specs.oidc.response_type import CODE, RESPONSE_TYPES, ResponseType


@pytest.mark.parametrize("text", RESPONSE_TYPES)
def test_words_have_no_order(text: str) -> None:
    """MRT 3: "the order of values does not matter"."""
    for words in permutations(text.split()):
        assert ResponseType.read(" ".join(words)) == ResponseType(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "token", "none", "code code", "code  token", "id_token,token"),
        *("CODE", "code id_token token code", " code", "code\ttoken"),
    ],
)
def test_others_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be one of 'code'"):
        ResponseType.read(text)


@pytest.mark.parametrize(
    ("text", "members", "hashes", "mode"),
    [
        ("code", {"code"}, (), "query"),
        ("id_token", {"id_token"}, (), "fragment"),
        ("id_token token", {"id_token", "access_token"}, ("at_hash",), "fragment"),
        ("code id_token", {"code", "id_token"}, ("c_hash",), "fragment"),
        ("code token", {"code", "access_token"}, (), "fragment"),
        (
            "code id_token token",
            {"code", "id_token", "access_token"},
            ("at_hash", "c_hash"),
            "fragment",
        ),
    ],
)
def test_each_says_what_comes_and_how(
    text: str, members: set[str], hashes: tuple[str, ...], mode: str
) -> None:
    found = ResponseType.read(text)
    assert found.members == members
    assert found.required_hashes == hashes
    assert found.default_mode == mode
    assert found.has_code == ("code" in members)
    assert found.has_tokens == (members != {"code"})


def test_the_code_is_the_default() -> None:
    assert ResponseType.read("code") == CODE
