"""The command that a worker runs."""

import sys

from sso_proxy.assembly import Gateway
from sso_proxy.process.worker import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Gateway))
