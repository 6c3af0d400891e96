"""Packaging shim.  All metadata lives in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["sso_proxy", "sso_proxy.*"]), "twisted.plugins"],
    # Spelling out the root makes an editable install a plain .pth file, which is the
    # only kind that twisted.plugin can look into.
    package_dir={"": "."},
)
