import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.net.tls.names import NameTable, read_server_name

TABLE = NameTable.build(
    [("a.example", 1), ("*.example", 2), ("*.b.example", 3), ("x.b.example", 4)], 0
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.example", 1),
        ("c.example", 2),
        ("y.b.example", 3),
        ("x.b.example", 4),
        ("b.example", 2),
        ("example", 0),
        (".example", 0),
        ("z.y.b.example", 0),
        ("", 0),
        ("[::1]", 0),
    ],
)
def test_an_exact_name_goes_before_a_wildcard_of_one_label(
    name: str, found: int
) -> None:
    assert TABLE.find(name) == found


@given(st.sampled_from(["a.example", "c.example", "q.other"]), st.randoms())
def test_case_and_a_trailing_dot_change_nothing(name: str, random: object) -> None:
    written = "".join(
        c.upper() if getattr(random, "random")() < 0.5 else c  # noqa: B009
        for c in name
    )
    read = read_server_name(f"{written}.".encode())
    assert read is not None
    assert TABLE.find(read) == TABLE.find(name)


def test_no_name_is_none() -> None:
    assert read_server_name(None) is None


@given(st.binary(max_size=40))
def test_any_octets_can_be_read_as_ascii_text(name: bytes) -> None:
    read = read_server_name(name)
    assert read is not None
    assert read.isascii()
    assert read == read.lower()


def test_foreign_octets_match_nothing() -> None:
    read = read_server_name("kelvin-\u212a.example".encode())
    assert read == "kelvin-\\xe2\\x84\\xaa.example"
