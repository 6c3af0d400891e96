"""The status page's templates; operators read it, and do not replace it."""

from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined

STYLE: Final = "status.css"
SCRIPT: Final = "status.js"

_PAGES: Final = tuple(
    f"{name}.html" for name in ("layout", "status", "sessions", "revoke", "explain")
)


def render_status(page: str, **values: Any) -> str:  # noqa: ANN401
    """Give the page called *page*, with *values* in it, escaped."""
    return _environment().get_template(f"{page}.html").render(values)


@lru_cache(maxsize=2)
def status_file(name: str) -> bytes:
    """Give `STYLE` or `SCRIPT`."""
    return (files(__package__) / "status" / name).read_bytes()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    directory = files(__package__) / "status"
    sources = {name: (directory / name).read_text("utf-8") for name in _PAGES}
    return Environment(
        autoescape=True,
        loader=DictLoader(sources),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
