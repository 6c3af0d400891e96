"""Every language says everything."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import sso_proxy
from sso_proxy.pages.catalogue import Catalogue, CatalogueError, read_catalogue

OURS = sorted(
    file.name
    for file in files("sso_proxy.pages").joinpath("messages").iterdir()
    if file.name.endswith(".toml")
)
RAW = {"words": {"again": "Again"}, "status": {"404": {"title": "Gone"}}}
NAMES = frozenset({"words.again", "status.404.title"})


def read(file: str) -> Catalogue:
    text = files("sso_proxy.pages").joinpath("messages", file).read_text("utf-8")
    return read_catalogue(file.removesuffix(".toml"), tomllib.loads(text))


@pytest.mark.parametrize("file", OURS)
def test_each_language_of_ours_has_the_same_texts(file: str) -> None:
    assert read(file).texts.keys() == read("en.toml").texts.keys()


def test_english_and_german_are_there() -> None:
    assert {"en.toml", "de.toml"} <= {*OURS}


@pytest.mark.parametrize("file", OURS)
def test_each_explanation_has_a_title_and_a_text(file: str) -> None:
    texts = read(file).texts
    for name in texts:
        kind, _, rest = name.partition(".")
        if kind in ("status", "reason"):
            about = rest.rpartition(".")[0]
            assert {f"{kind}.{about}.title", f"{kind}.{about}.text"} <= texts.keys()


def test_texts_are_found_by_name() -> None:
    found = read_catalogue("en", RAW)
    assert found.find("reason.x.title", "status.404.title") == "Gone"
    assert found.find("reason.x.title") == ""
    assert found.words == {"again": "Again"}


def test_what_a_file_leaves_out_stays() -> None:
    below = read_catalogue("en", RAW)
    raw = {"words": {"again": "Once more"}}
    found = read_catalogue("en", raw, names=NAMES, below=below)
    assert found.texts == {"words.again": "Once more", "status.404.title": "Gone"}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({**RAW, "wrods": {"x": "y"}}, "wrods.x is no message"),
        ({"words": {"again": "a"}}, "missing: status.404.title"),
        ({**RAW, "words": {"again": 1}}, "words.again must be a text"),
        ({**RAW, "words": {"again": " "}}, "words.again must be a text"),
        ({**RAW, "words": "again"}, "words is no message"),
    ],
)
def test_what_no_page_says_is_refused(raw: dict[str, Any], problem: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        read_catalogue("fr", raw, names=NAMES)
    assert any(problem in found for found in caught.value.problems)


@pytest.mark.parametrize(
    ("language", "direction"), [("en", "ltr"), ("ar", "rtl"), ("he-il", "rtl")]
)
def test_direction_is_the_languages(language: str, direction: str) -> None:
    assert read_catalogue(language, RAW).direction == direction


def test_each_explained_reason_is_one_that_the_proxy_gives() -> None:
    package = Path(sso_proxy.__file__).parent
    source = "".join(path.read_text("utf-8") for path in package.rglob("*.py"))
    reasons = {
        name.split(".")[1] for name in read("en.toml").texts if name[:7] == "reason."
    }
    assert [reason for reason in sorted(reasons) if f'"{reason}"' not in source] == []
