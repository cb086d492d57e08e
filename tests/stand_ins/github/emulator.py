"""The emulator behind the proxy: a Node process, and requests to it as different users."""

import http.client
import itertools
import json
import os
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlsplit

# Below the emulator's limit of 5,000 requests per token, and the number of tokens in emulate.mjs.
REQUESTS_PER_TOKEN, TOKENS = 4000, 50


class Reply:
    """A response of the emulator: status, lower-case headers, and the body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def value(self):
        """The JSON of the body; None for an empty body."""
        return json.loads(self.body) if self.body else None

    @value.setter
    def value(self, value):
        self.body = json.dumps(value).encode()


class Emulator:
    """The process, with one open connection per thread."""

    def __init__(self, folder, base_url):
        script = Path(__file__).with_name("emulate.mjs")
        self.host = urlsplit(base_url).netloc
        self.base_url = base_url
        # Only PATH, because a DEBUG variable would make it print.
        environment = {"PATH": os.environ.get("PATH", "")}
        self.process = subprocess.Popen(
            ["node", script, folder, base_url],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.port = None
        self.calls = itertools.count()
        self.local = threading.local()

    def wait(self):
        """Waits until the emulator listens."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the emulator did not start: see above")
        self.port = int(line)

    def connection(self):
        """This thread's connection."""
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port)
        return self.local.connection

    def ask(self, login, method, target, body=None, accept="application/vnd.github+json"):
        """Sends a request as the user. `body` is a JSON value, or None."""
        token = f"{login}-{next(self.calls) // REQUESTS_PER_TOKEN % TOKENS}"
        # Links to other pages contain the host.
        headers = {"Host": self.host, "Authorization": f"Bearer {token}", "Accept": accept}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection = self.connection()
        connection.request(method, target, content, headers)
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, headers, answer.read())

    def all_of(self, login, target):
        """The entries of all pages of a list."""
        found, mark = [], "&" if "?" in target else "?"
        for page in itertools.count(1):
            reply = self.ask(login, "GET", f"{target}{mark}per_page=100&page={page}")
            if reply.status != 200:
                raise RuntimeError(f"{target}: {reply.status} {reply.body!r}")
            found += reply.value
            if 'rel="next"' not in reply.headers.get("link", ""):
                return found
