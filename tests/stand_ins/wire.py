"""An HTTP/1.1 server on loopback with a thread per connection. It can interrupt responses."""

import select
import socket
import socketserver
import struct
import threading
from http import HTTPStatus

MAX_HEAD = 64 * 1024


class Request:
    """A request: the method, path and query, lower-case headers, and the body."""

    def __init__(self, method, target, headers, body):
        self.method, self.headers, self.body = method, headers, body
        self.path, _, self.query = target.partition("?")


class Answer:
    """A response and its delivery.

    `delivery` is `whole`, `reset` (half of the body, then a reset of the connection), `drop` (only
    the reset), `stall` (half of the body, then nothing) or `silence` (nothing). `delay` is the
    seconds before the first byte. A response with a `hold` is never sent: the client waits until
    the hold (a context that `select` can watch) ends with a reset.
    """

    def __init__(self, status, body, content_type):
        self.status, self.body, self.content_type = status, body, content_type
        self.headers = []
        self.delivery, self.delay = "whole", 0.0
        self.hold = None


class Disconnected(Exception):
    """The client has closed the connection."""


class Connection(socketserver.BaseRequestHandler):
    """Reads requests from a connection and sends responses until the client disconnects."""

    def handle(self):
        """Serves the connection. The server's `answer` handles each request."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        try:
            while True:
                request = self.read()
                keep = request.headers.get("connection", "").lower() != "close"
                if not self.send(self.server.answer(request), keep) or not keep:
                    return
        except (Disconnected, OSError):
            return

    def receive(self):
        """Reads more bytes into the buffer."""
        chunk = self.request.recv(65536)
        if not chunk:
            raise Disconnected
        self.buffer += chunk

    def read(self):
        """Reads the next request."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if len(self.buffer) > MAX_HEAD:
                raise Disconnected
            self.receive()
        head, self.buffer = self.buffer[:end].decode("latin-1"), self.buffer[end + 4 :]
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        if length and headers.get("expect", "").lower() == "100-continue":
            self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(self.buffer) < length:
            self.receive()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Request(method, target, headers, body)

    def send(self, answer, keep):
        """Sends a response. Returns whether the connection stays open."""
        if answer.hold is not None:
            self.wait_for(answer.hold)
            self.reset()
            return False
        if answer.delay > 0:
            self.wait(answer.delay)
        reason = HTTPStatus(answer.status).phrase
        lines = [f"HTTP/1.1 {answer.status} {reason}", f"Content-Type: {answer.content_type}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        lines += [f"Content-Length: {len(answer.body)}"]
        lines += [] if keep else ["Connection: close"]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        if answer.delivery == "whole":
            self.request.sendall(head + answer.body)
            return True
        if answer.delivery in ("reset", "stall"):
            self.request.sendall(head + answer.body[: len(answer.body) // 2])
        if answer.delivery in ("stall", "silence"):
            self.wait(None)
        else:
            self.reset()
        return False

    def reset(self):
        """Resets the connection. With a linger time of 0, closing sends a reset."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()

    def wait_for(self, hold):
        """Waits until the hold ends or the client disconnects."""
        with hold:
            while self.request in select.select([self.request, hold], [], [])[0]:
                self.receive()

    def wait(self, seconds):
        """Waits this many seconds, or forever (None), or until the client disconnects."""
        readable, _, _ = select.select([self.request], [], [], seconds)
        if readable:
            self.receive()
            if seconds is None:
                self.wait(None)


class Listener(socketserver.ThreadingTCPServer):
    """Listens on a port that the system chooses. `answer` returns the Answer to a Request."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Connection)
        self.answer = answer

    @property
    def port(self):
        """The port of the server."""
        return self.server_address[1]

    def shutdown_request(self, request):
        """Closes the socket without a half-close, which would prevent a reset."""
        self.close_request(request)

    def handle_error(self, request, client_address):
        """Prints an error of a connection's thread."""
        if threading.main_thread().is_alive():
            super().handle_error(request, client_address)

    def start(self):
        """Starts to serve in background threads."""
        threading.Thread(target=self.serve_forever, daemon=True).start()
