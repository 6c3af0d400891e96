"""Validators for the options of those who go by tickets; each raises ValueError."""

import re

from sso_proxy.config.checks import Attribute
from sso_proxy.specs.http.head import is_token

_is_url = re.compile(r"https?://[A-Za-z0-9._~:\[\]-]+(?:[/?][!-\"$-;=?-~]*)?").fullmatch
_is_path = re.compile(r"/(?:[!-\"$-.0-;=?-\[\]-~][!-\"$-;=?-~]*)?").fullmatch
_is_argument = re.compile(r"[A-Za-z0-9._~-]{1,64}").fullmatch


def check_url(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse what browsers cannot be sent to with an argument more."""
    if not _is_url(value):
        raise ValueError("must be an http or https URL without a fragment")


def check_place(_instance: object, _attribute: Attribute, value: str) -> None:
    """Likewise, but a path on the host that was asked for is good, too."""
    if not _is_url(value) and not _is_path(value):
        raise ValueError("must be an http or https URL or a path, without a fragment")


def check_argument(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse what would not be one argument's name."""
    if not _is_argument(value):
        raise ValueError(f"{value!r} is no name of an argument; write 'back'")


def check_cookie(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse what is no cookie's name."""
    if not is_token(value):
        raise ValueError(f"{value!r} is no cookie's name; write 'auth_tkt'")
