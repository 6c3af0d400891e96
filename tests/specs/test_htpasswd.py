"""Files of users, as Apache's htpasswd writes them."""

import subprocess
from pathlib import Path

import bcrypt
import pytest

from sso_proxy.specs.htpasswd import (
    STAND_IN,
    HtpasswdError,
    is_user_name,
    read_hash,
    read_htpasswd,
)

# All of "wonderland".
BCRYPT = "$2y$04$LLX5JexfQZElDCdUPispBOAEZMMNKAgAb.fox6J/xkts.ySXeYiB."
SHA512 = (
    "$6$saltsalt$pqxtaP8VN9msji06dnBCbUbaSGTOXyo9jZDqZxik1rP"
    "exoqRIW4UKuiD0ZHZchCSd7S4/HoRU8bcFbnz2ihUr."
)
SHA256 = "$5$rounds=1000$saltsalt$vBgBHnZUORY1qtmvLflcYV8HWBW8XuM5paPh79lY6F3"
APR1 = "$apr1$saltsalt$WoESZIlCyPaOHxFHP.vy51"
EVERY = [BCRYPT, SHA512, SHA256, APR1]


@pytest.mark.parametrize("text", EVERY, ids=lambda t: t[:4])
def test_every_kind_knows_its_password(text: str) -> None:
    known = read_hash(text)
    assert known.matches(b"wonderland")
    for wrong in (b"Wonderland", b"wonderland ", b"wonderlan", b""):
        assert not known.matches(wrong)


def test_apache_writes_what_is_read(tmp_path: Path) -> None:
    """All that it has but what is refused."""
    file = tmp_path / "users"
    file.touch()
    for option, user in (("-B", "a"), ("-2", "b"), ("-5", "c"), ("-m", "d")):
        subprocess.run(  # noqa: S603
            ["htpasswd", "-b", option, str(file), user, "wonderland"],  # noqa: S607
            check=True,
            capture_output=True,
            timeout=20,
        )
    found = read_htpasswd(file.read_text())
    assert [found[user].kind for user in "abcd"] == ["bcrypt", "5", "6", "apr1"]
    assert all(known.matches(b"wonderland") for known in found.values())


def test_bcrypt_looks_at_72_octets_as_apache_does() -> None:
    text = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert read_hash(text).matches(b"x" * 73)
    assert not read_hash(text).matches(b"x" * 71)


def test_a_nul_ends_no_password() -> None:
    assert not read_hash(BCRYPT).matches(b"wonderland\0")
    text = bcrypt.hashpw(b"a?", bcrypt.gensalt(4)).decode()
    assert not read_hash(text).matches(b"a\0")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("wonderland", "plain text"),
        ("", "plain text"),
        ("rqXexS6ZhobKA", "DES"),
        ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1"),
        ("$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "MD5-crypt"),
        ("$y$j9T$abc$def", "yescrypt"),
        (BCRYPT[:-1], "not whole"),
        (SHA512[:-1], "not whole"),
        (APR1[:-1], "not whole"),
        (BCRYPT.replace("$04$", "$16$"), "4 to 15"),
        (SHA256.replace("=1000", "=999999999"), "1000000 rounds"),
        (SHA256.replace("=1000", "=999"), "1000 to"),
    ],
)
def test_what_protects_nobody_or_stops_everybody_is_refused(
    text: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        read_hash(text)
    assert "saltsalt" not in str(caught.value)


def test_comments_blank_lines_and_further_fields_are_left_out() -> None:
    text = f"# users\r\n\r\nalice:{BCRYPT}\r\nbob:{APR1}:Bob Builder\n"
    assert set(read_htpasswd(text)) == {"alice", "bob"}


def test_every_mistake_is_named_and_no_hash() -> None:
    lines = ["alice", f":{BCRYPT}", f"bob:{BCRYPT}", f"bob:{APR1}", "carol:secret"]
    with pytest.raises(HtpasswdError) as caught:
        read_htpasswd("\n".join(lines))
    problems = caught.value.problems
    assert [p.partition(":")[0] for p in problems] == [
        "line 1",
        "line 2",
        "line 4",
        "line 5",
    ]
    assert not any("secret" in p or "$" in p for p in problems)


def test_a_hash_is_in_no_repr() -> None:
    assert "saltsalt" not in repr(read_hash(SHA256))


def test_the_stand_in_is_as_much_work_as_a_user() -> None:
    assert read_hash(STAND_IN.text) == STAND_IN
    assert STAND_IN.cost >= 10


def test_names_are_printable_and_have_no_colon() -> None:
    assert is_user_name("alice@example.com")
    for name in ("", "a:b", "a\n", "a\0", "x" * 256):
        assert not is_user_name(name)
