"""The repositories of the tests, whom their tokens stand for, and what those may do."""

import itertools
import re
import threading

from .faults import Faults

WORKFLOW = "github-actions[bot]"
PERSON = "octocat"
# A GitHub App that is installed in every repository.
APP = "acme-audit[bot]"

# What a job's token may do unless a test says otherwise: what the documentation asks for.
PERMISSIONS = {
    "contents": "read",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
}

# To whom issues can be assigned: people who may write to the repository.
ASSIGNABLE = {PERSON, "secteam"}

RANKS = {"none": 0, "read": 1, "write": 2}

# What a token needs for a call below a repository, any of several: the method, the path, the
# permissions. The first line that matches counts.
NEEDED = [
    ("GET", r"", "read", ["metadata"]),
    ("GET", r"/(contents|compare)/.*", "read", ["contents"]),
    (".*", r"/(contents|git)/.*", "write", ["contents"]),
    ("GET", r"/issues", "read", ["issues"]),
    ("POST", r"/issues", "write", ["issues"]),
    ("GET", r"/(issues/|labels|assignees/).*", "read", ["issues", "pull_requests"]),
    (".*", r"/(issues/|labels).*", "write", ["issues", "pull_requests"]),
    ("GET", r"/pulls.*", "read", ["pull_requests"]),
    (".*", r"/pulls.*", "write", ["pull_requests"]),
]


def needed(method, path):
    """The permissions that a call below a repository needs, as `issues=write`, any of them."""
    for methods, paths, level, names in NEEDED:
        if re.fullmatch(methods, method) and re.fullmatch(paths, path):
            return [f"{name}={level}" for name in names]
    return ["administration=write"]


class Repository:
    """One test's repository: what the proxy knows of it beside the emulator."""

    def __init__(self, number):
        self.name = f"acme/r-{number}"
        self.token = f"ghs_{number:036d}"
        self.personal_token = f"ghp_{number:036d}"
        self.app_token = f"ghs_app{number:033d}"
        self.permissions = dict(PERMISSIONS)
        self.has_issues = True
        self.pulls, self.locked = set(), set()
        # Issues that were closed as duplicates, a reason that the emulator does not know.
        self.duplicates = set()
        # Whether assignees are left out in silence, as of a token that may not assign.
        self.drops_assignees = False
        # Who closed an issue last, by its number.
        self.closers = {}
        # Each issue's number, with how many requests had come in when it was created.
        self.created = {}
        # The same for comments, by their ids.
        self.commented = {}
        self.requests = 0
        self.log = []
        self.faults = Faults([])
        self.lock = threading.RLock()

    def allows(self, method, path):
        """Whether the job's token has what a call below this repository needs."""
        wanted = [it.split("=") for it in needed(method, path)]
        number = re.match(r"/issues/(\d+)", path)
        if number and int(number[1]) not in self.pulls:
            # That permission is for the conversations of pull requests alone.
            wanted = [it for it in wanted if it[0] != "pull_requests"]
        return any(RANKS[self.permissions.get(name, "none")] >= RANKS[it] for name, it in wanted)


class Caller:
    """Whom a token stands for: the login, and the repository whose job or person it is."""

    def __init__(self, login, home):
        self.login, self.home = login, home

    @property
    def is_workflow(self):
        """Whether it is a job's token, which is good for its own repository."""
        return self.login == WORKFLOW

    @property
    def is_app(self):
        """Whether it is an installation token: a job's, or another app's."""
        return self.login.endswith("[bot]")


class Registry:
    """All repositories, by name and by token."""

    def __init__(self):
        self.numbers = itertools.count(1)
        self.by_name, self.callers = {}, {}
        # Where it is logged what belongs to nobody.
        self.nowhere = Repository(0)

    def add(self):
        """A fresh repository with its tokens."""
        repository = Repository(next(self.numbers))
        self.callers[repository.token] = Caller(WORKFLOW, repository)
        self.callers[repository.personal_token] = Caller(PERSON, repository)
        self.callers[repository.app_token] = Caller(APP, repository)
        self.by_name[repository.name] = repository
        return repository

    def caller(self, authorization):
        """Whom a request's Authorization stands for; None for nobody that is known."""
        kind, _, token = authorization.partition(" ")
        return self.callers.get(token.strip()) if kind.lower() in ("bearer", "token") else None

    def place(self, path):
        """The repository of a path, None for none that is known, and the path below it."""
        parts = path.split("/", 4)
        if len(parts) < 4 or parts[1] != "repos":
            return None, path
        below = f"/{parts[4]}" if len(parts) == 5 else ""
        return self.by_name.get("/".join(parts[2:4])), below
