"""Entry of ``python -m sso_proxy.testing.demo``."""

from sso_proxy.testing.demo.run import main

main()
