"""What config classes say about their options is found."""

import attrs

from sso_proxy.config.documented import (
    classes_below,
    option_sentences,
    options,
    summary,
)
from sso_proxy.config.limits import LimitsConfig
from sso_proxy.config.model import ComponentConfig, Config, NameConfig, RouteConfig


@attrs.frozen
class Sample:
    """
    A table
    of two lines.

    Attributes:
        one: First: with a colon.
        two: Second,
            and on.

    Something else: not an option.
    """

    one: "int" = 1
    two: int = 2
    hidden: int = attrs.field(default=3, init=False)


def test_first_paragraph_is_the_summary() -> None:
    assert summary(Sample) == "A table of two lines."


def test_each_option_has_its_sentence() -> None:
    assert option_sentences(Sample) == {
        "one": "First: with a colon.",
        "two": "Second, and on.",
    }


@attrs.frozen
class Further(Sample):
    """
    A table with more.

    Attributes:
        two: Second, but different.
        three: Third.
    """

    three: int = 3


def test_options_of_a_base_class_have_their_sentences() -> None:
    assert option_sentences(Further) == {
        "one": "First: with a colon.",
        "two": "Second, but different.",
        "three": "Third.",
    }


@attrs.frozen
class Anew(Further):
    """
    A table in which an option is another one.

    Attributes:
        one: First, anew.
        gone: There is none.
    """

    one: int = 5


def test_sentences_stand_in_the_order_of_the_options() -> None:
    """Where a class has an option of its base anew, it stands last."""
    names = [field.name for field in options(Anew)]
    assert names == ["two", "three", "one"]
    assert list(option_sentences(Anew)) == [*names, "gone"]


def test_options_are_what_may_be_written() -> None:
    assert [(field.name, field.type) for field in options(Sample)] == [
        ("one", int),
        ("two", int),
    ]


def test_class_without_attributes_section_has_no_sentences() -> None:
    assert option_sentences(int) == {}


def test_classes_are_found_at_any_depth() -> None:
    found = set(classes_below(Config))
    assert {LimitsConfig, NameConfig, RouteConfig, ComponentConfig} <= found
