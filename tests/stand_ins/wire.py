"""HTTP/1.1 on loopback: connections that are kept, one thread each, and answers that break off."""

import select
import socket
import socketserver
import struct
import threading
from http import HTTPStatus

MAX_HEAD = 64 * 1024


class Request:
    """One request: the method, the target's path and query, lower-case headers, the body."""

    def __init__(self, method, target, headers, body):
        self.method, self.headers, self.body = method, headers, body
        self.path, _, self.query = target.partition("?")


class Answer:
    """What goes back over the connection, and how it goes.

    `delivery` is `whole`, `reset` (half of the body, then a reset of the connection), `drop` (the
    reset alone), `stall` (half of the body, then nothing) or `silence` (nothing at all); `delay` is
    the seconds to wait before the first byte. An answer with a `hold` never goes out: the client
    waits, until the hold (a context that `select` can watch) ends with a reset.
    """

    def __init__(self, status, body, content_type):
        self.status, self.body, self.content_type = status, body, content_type
        self.headers = []
        self.delivery, self.delay = "whole", 0.0
        self.hold = None


class Gone(Exception):
    """The client has closed the connection."""


class Connection(socketserver.BaseRequestHandler):
    """Reads requests off one connection and sends the answers, until the client goes away."""

    def handle(self):
        """Serves the connection; the server's `answer` is asked for each request."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        try:
            while True:
                request = self.read()
                keep = request.headers.get("connection", "").lower() != "close"
                if not self.send(self.server.answer(request), keep) or not keep:
                    return
        except (Gone, OSError):
            return

    def receive(self):
        """More bytes into the buffer."""
        chunk = self.request.recv(65536)
        if not chunk:
            raise Gone
        self.buffer += chunk

    def read(self):
        """The next request of the connection."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if len(self.buffer) > MAX_HEAD:
                raise Gone
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
        """Sends the answer as it wants to be delivered; whether the connection goes on."""
        if answer.hold is not None:
            self.outlast(answer.hold)
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
        """Breaks the connection off: lingering for no time at all makes the close a reset."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()

    def outlast(self, hold):
        """Waits until the hold ends, but no longer than the client does."""
        with hold:
            while self.request in select.select([self.request, hold], [], [])[0]:
                self.receive()

    def wait(self, seconds):
        """Waits so many seconds, or without end (None), but no longer than the client does."""
        readable, _, _ = select.select([self.request], [], [], seconds)
        if readable:
            self.receive()
            if seconds is None:
                self.wait(None)


class Listener(socketserver.ThreadingTCPServer):
    """Listens on a port of the system's choice; `answer` makes an Answer of a Request."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Connection)
        self.answer = answer

    @property
    def port(self):
        """The port that the system gave."""
        return self.server_address[1]

    def shutdown_request(self, request):
        """Closes the socket without the half-close that would soften a reset."""
        self.close_request(request)

    def handle_error(self, request, client_address):
        """Tells on stderr what went wrong in a connection's thread."""
        if threading.main_thread().is_alive():
            super().handle_error(request, client_address)

    def start(self):
        """Serves in threads of its own from now on."""
        threading.Thread(target=self.serve_forever, daemon=True).start()
