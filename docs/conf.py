"""How Sphinx builds the documentation: `make docs`."""

import sys
from pathlib import Path

import sso_proxy

sys.path.insert(0, str(Path(__file__).parent))
import generate_reference

generate_reference.main()

project = "sso-proxy"
author = "The sso-proxy authors"
project_copyright = author
version = release = sso_proxy.__version__

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "changes/*"]
nitpicky = True

html_theme = "furo"
html_title = "sso-proxy"
html_show_sphinx = False
html_copy_source = False
