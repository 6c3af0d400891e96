"""Write ``docs/reference/generated/configuration.md`` out of the config classes."""

import sys
from pathlib import Path

from sso_proxy.config.reference import render_reference
from sso_proxy.registry import Registry

TARGET = Path(__file__).parent / "reference" / "generated" / "configuration.md"


def main(target: Path = TARGET) -> None:
    """Write the reference to *target*."""
    target.parent.mkdir(parents=True, exist_ok=True)
    components = Registry.load().config_classes(own=True)
    target.write_text(render_reference(components), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
