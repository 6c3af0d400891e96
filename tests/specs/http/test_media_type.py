"""Content-Type of an answer is read in one way or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.http.media_type import read_media_type


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json ; charset=utf-8 ",
        "application/json; charset=us-ascii",
        "application/json;",
        'application/json; profile="a;b"; charset=utf-8',
    ],
)
def test_parameters_and_case_do_not_matter(content_type: str) -> None:
    assert read_media_type(content_type) == "application/json"


@pytest.mark.parametrize(
    "content_type",
    [
        *(None, "", "json", "application/", "/json", "application/json, text/html"),
        *("application/json text/html", "application/json; charset", "*/*\n"),
        *("application/json; charset=latin1", "application/json; charset=utf-16"),
        "application/json; charset=utf-8; charset=latin1",
        "application/json; charset=utf-8; charset=utf-8",
        'application/json; a="charset=latin1"; charset="utf-7"',
        "application/json; " + "a=b; " * 100,
        "application/json" + "  ;" * 70 + "\n",  # and not in time that doubles
    ],
)
def test_what_has_no_one_reading_has_none(content_type: str | None) -> None:
    assert read_media_type(content_type) is None


@given(st.text())
def test_any_text_is_read_or_not(content_type: str) -> None:
    read_media_type(content_type)
