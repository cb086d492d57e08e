"""The emulator behind the proxy: a process of Node, and calls to it as one user or another."""

import http.client
import itertools
import json
import os
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlsplit

# Under the 5 000 requests that the emulator lets a token make, and within the tokens it is given.
CALLS_OF_A_TOKEN, TOKENS = 4000, 50


class Reply:
    """What the emulator answered: status, lower-case headers, the body's bytes."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def value(self):
        """The body's JSON; None for an empty body."""
        return json.loads(self.body) if self.body else None

    @value.setter
    def value(self, value):
        self.body = json.dumps(value).encode()


class Emulator:
    """The process, and one kept connection to it for each thread."""

    def __init__(self, folder, base_url):
        script = Path(__file__).with_name("emulate.mjs")
        self.host = urlsplit(base_url).netloc
        self.base_url = base_url
        # Nothing else of the environment: a DEBUG there would make it print.
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
        """Waits until it listens."""
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
        """Makes a call as the user; `body` is a JSON value, or None for none."""
        token = f"{login}-{next(self.calls) // CALLS_OF_A_TOKEN % TOKENS}"
        # The host is what its links to further pages name.
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
        """All entries of a list, from all of its pages."""
        found, mark = [], "&" if "?" in target else "?"
        for page in itertools.count(1):
            reply = self.ask(login, "GET", f"{target}{mark}per_page=100&page={page}")
            if reply.status != 200:
                raise RuntimeError(f"{target}: {reply.status} {reply.body!r}")
            found += reply.value
            if 'rel="next"' not in reply.headers.get("link", ""):
                return found
