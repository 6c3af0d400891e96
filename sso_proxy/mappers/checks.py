"""Validators for the mappers' options; each raises ValueError with what is right."""

from collections.abc import Mapping

from sso_proxy.config.checks import Attribute
from sso_proxy.specs.claims import read_claim_path
from sso_proxy.specs.user_name import is_safe_user_name


def claim_path(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse what is no path of a claim."""
    read_claim_path(value)


def user_name(_instance: object, _attribute: Attribute, value: str | None) -> None:
    """Refuse what no mapper may answer."""
    if value is not None and not is_safe_user_name(value):
        raise ValueError(
            f"{value!r} is no user name; it has 1 to 256 printable characters and no"
            " blanks around it"
        )


def user_names(
    instance: object, attribute: Attribute, value: Mapping[str, str]
) -> None:
    """Refuse a table with a value that no mapper may answer."""
    for name in value.values():
        user_name(instance, attribute, name)
