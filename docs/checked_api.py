"""
What pydoctor says of our docstrings, without the pages: these take a minute to write.

`make docs` writes them; the tests only want to know of what is wrong.
"""

import gc
from collections.abc import Iterable
from pathlib import Path

from pydoctor.epydoc2stan import format_docstring
from pydoctor.model import Documentable, Function, System
from pydoctor.templatewriter import IWriter, TemplateLookup
from pydoctor.templatewriter.pages import format_decorators, format_signature

# All that is made is kept until the end: to look for garbage takes a sixth of the time.
gc.disable()


class Checked(IWriter):
    """Formats everything that is documented, and throws it away."""

    def __init__(
        self, build_directory: Path, template_lookup: TemplateLookup | None = None
    ) -> None:
        """Take what every writer is given."""

    def prepOutputDirectory(self) -> None:  # noqa: N802
        """Write no styles."""

    def writeSummaryPages(self, system: System) -> None:  # noqa: N802
        """Format docstrings and signatures, which reports each mistake in them."""
        for found in [*system.allobjects.values()]:
            if found.isVisible:
                if found.docstring or found.parsed_docstring:  # not an inherited one
                    format_docstring(found)
                if isinstance(found, Function):
                    format_decorators(found)
                    format_signature(found)

    def writeIndividualFiles(self, obs: Iterable[Documentable]) -> None:  # noqa: N802
        """Write no pages."""

    def writeLinks(self, system: System) -> None:  # noqa: N802
        """Write no links."""
