"""A hundred rules, as a policy of some size has them."""

from pathlib import Path
from typing import Final

COUNT: Final = 100
_ELSEWHERE: Final = """
[[rule]]
name = "elsewhere-{number}"
effect = "permit"
match = {{ path = "/department-{number}/{{id}}/", method = ["GET", "HEAD"] }}
when = "claims.department == 'd{number}' and scope:{scope}"
"""
_HERE: Final = """
[[rule]]
name = "here-{number}"
effect = "deny"
match = {{ path = "/ruled/" }}
when = "claims.department == 'd{number}' or subject in groups.gone"
"""
_PERMIT: Final = """
[groups]
gone = ["mallory", "eve"]

[[rule]]
name = "readers"
effect = "permit"
match = {{ path = "/ruled/", method = ["GET", "HEAD"] }}
when = "scope:{scope}"
"""


def write_rules(directory: Path, scope: str) -> None:
    """
    Write rules for those who have *scope*: nine about each request, and one permits.

    Args:
        directory: Gets ``rules``, with two files.
        scope: A scope that all tokens have.
    """
    rules = directory / "rules"
    rules.mkdir()
    elsewhere = range(COUNT - 10)
    here = range(9)
    (rules / "elsewhere.toml").write_text(
        "".join(_ELSEWHERE.format(number=n, scope=scope) for n in elsewhere)
    )
    (rules / "here.toml").write_text(
        _PERMIT.format(scope=scope) + "".join(_HERE.format(number=n) for n in here)
    )
