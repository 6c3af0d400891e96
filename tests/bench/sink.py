"""A backend that reads every body to its end, drops it and says how long it was."""

import socket
import sys
import threading

_CHUNK = 1 << 18


def serve(port: int) -> None:
    """Serve on a loopback port until the process is ended."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_converse, args=(connection,), daemon=True).start()


def _converse(connection: socket.socket) -> None:
    """Answer the requests of one connection until it ends."""
    scratch = memoryview(bytearray(_CHUNK))
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while _answer_one(connection, scratch):
                pass
        except OSError:
            return  # the proxy cut it; that is its right


def _answer_one(connection: socket.socket, scratch: memoryview) -> bool:
    """Read one request and answer it; False at the end of the connection."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(65536)
        if not data:
            return False
        head += data
    head, _, begun = head.partition(b"\r\n\r\n")
    length = _content_length(head)
    if length is None:
        connection.sendall(_response(b"411 Length Required", b"no length\n"))
        return False
    left = length - len(begun)
    while left > 0:
        count = connection.recv_into(scratch[: min(left, _CHUNK)])
        if not count:
            return False
        left -= count
    connection.sendall(_response(b"200 OK", b"%d\n" % length))
    return True


def _content_length(head: bytes) -> int | None:
    """Give the length that *head* announces; None for a chunked body."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"transfer-encoding":
            return None
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _response(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
