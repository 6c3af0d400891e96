"""How Sphinx builds the documentation: `make docs`."""

import sso_proxy

project = "sso-proxy"
author = "The sso-proxy authors"
project_copyright = author
version = release = sso_proxy.__version__

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "changes/*"]
nitpicky = True
suppress_warnings: list[str] = []

html_theme = "furo"
html_title = "sso-proxy"
html_show_sphinx = False
html_copy_source = False
