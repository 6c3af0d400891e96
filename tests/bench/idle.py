"""A client that opens many TLS connections and leaves them alone."""

import contextlib
import resource
import sys
from pathlib import Path

from tests.bench.client import Client, request, tls_context


def main(port: int, ca: str, count: int, asked: int, token: str) -> None:
    """
    Open *count* connections, say so, keep them until standard input ends.

    Args:
        port: The proxy's.
        ca: The CA of its certificate.
        count: How many connections.
        asked: Requests to send on each beforehand.
        token: The access token of these.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    context = tls_context(Path(ca), None, None)
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            client = Client.connect(port, context)
            stack.callback(client.close)
            for _ in range(asked):
                client.send(request("/api/1k", token=token))
                assert client.read_answer().status == 200
        sys.stdout.write("open\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
