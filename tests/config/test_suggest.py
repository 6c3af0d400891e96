"""A name that nothing has gets the one that may be meant."""

from sso_proxy.config.suggest import unknown


def test_close_name_is_suggested() -> None:
    assert unknown("mapper", "stattic", ["static", "claim"]) == (
        "there is no mapper 'stattic'; did you mean 'static'?"
    )


def test_without_a_close_name_all_are_listed() -> None:
    assert unknown("mapper", "x", ["static", "claim"]) == (
        "there is no mapper 'x'; there are claim, static"
    )


def test_without_any_name_that_is_said() -> None:
    assert unknown("mapper", "x", []).endswith("there are none at all")
