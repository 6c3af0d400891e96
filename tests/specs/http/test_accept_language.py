"""The language that a caller would rather read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.http.accept_language import MOST_RANGES, choose_language

OFFERED = ("en", "de", "pt-br", "zh-hant")


@pytest.mark.parametrize(
    ("values", "language"),
    [
        ([], "en"),
        (["de"], "de"),
        (["DE-ch, en;q=0.8"], "de"),
        (["fr, de;q=0.5, en;q=0.4"], "de"),
        (["en;q=0.4, de;q=0.5"], "de"),
        (["fr", "de"], "de"),
        (["de, en"], "de"),
        (["pt-BR"], "pt-br"),
        (["pt"], "en"),
        (["zh-Hant-CN-x-private1-private2"], "zh-hant"),
        (["de-x"], "de"),
        (["*"], "en"),
        (["de;q=0, *"], "en"),
        (["de;q=0, de-CH"], "en"),
        (["en;q=0, de;q=0.1"], "de"),
        (["de;q=2"], "en"),
        (["de;q=0.1234"], "en"),
        (["de;level=1"], "en"),
        (["../../etc/passwd"], "en"),
        (["d\xe9"], "en"),
        (["de" * 9], "en"),
        (["de;q=1.000 ,\ten ; Q=0.9"], "de"),
        ([""], "en"),
        ([",,;,"], "en"),
    ],
)
def test_the_language_most_wanted_that_there_is(
    values: list[str], language: str
) -> None:
    assert choose_language(values, OFFERED, "en") == language


def test_what_comes_after_the_first_ranges_is_not_read() -> None:
    many = ",".join(["fr"] * MOST_RANGES)
    assert choose_language([f"{many},de"], OFFERED, "en") == "en"
    assert choose_language([f"de,{many}"], OFFERED, "en") == "de"


@given(st.lists(st.text(max_size=60), max_size=3))
def test_anything_gives_a_language_that_there_is(values: list[str]) -> None:
    assert choose_language(values, OFFERED, "en") in OFFERED
