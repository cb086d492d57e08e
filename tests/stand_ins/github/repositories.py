"""The repositories of the tests, and the logins and permissions of their tokens."""

import itertools
import re
import threading

from .faults import Faults

WORKFLOW = "github-actions[bot]"
PERSON = "octocat"
# A GitHub App that is installed in all repositories.
APP = "acme-audit[bot]"

# The default permissions of a job's token: those that the documentation requires.
PERMISSIONS = {
    "contents": "read",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
}

# Issues can be assigned to people with write access.
ASSIGNABLE = {PERSON, "secteam"}

RANKS = {"none": 0, "read": 1, "write": 2}

# The permissions for requests to a repository: method, path, level, and permissions, any of which
# is enough. The first match counts.
REQUIRED = [
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


def required_permissions(method, path):
    """The permissions for a request to a repository, as `issues=write`. Any of them is enough."""
    for methods, paths, level, names in REQUIRED:
        if re.fullmatch(methods, method) and re.fullmatch(paths, path):
            return [f"{name}={level}" for name in names]
    return ["administration=write"]


class Repository:
    """The repository of a test, with what the emulator does not store."""

    def __init__(self, number):
        self.name = f"acme/r-{number}"
        self.token = f"ghs_{number:036d}"
        self.personal_token = f"ghp_{number:036d}"
        self.app_token = f"ghs_app{number:033d}"
        self.permissions = dict(PERMISSIONS)
        self.has_issues = True
        self.pulls, self.locked = set(), set()
        # Issues closed as duplicates, a reason that the emulator does not support.
        self.duplicates = set()
        # Whether assignees are silently ignored, as for a token that cannot assign.
        self.drops_assignees = False
        # The user who last closed an issue, by issue number.
        self.closers = {}
        # The number of requests before the creation of an issue, by issue number.
        self.created = {}
        # The same for comments, by id.
        self.commented = {}
        self.requests = 0
        self.log = []
        self.faults = Faults([])
        self.lock = threading.RLock()

    def allows(self, method, path):
        """Whether the permissions of the job's token allow a request to this repository."""
        options = [option.split("=") for option in required_permissions(method, path)]
        number = re.match(r"/issues/(\d+)", path)
        if number and int(number[1]) not in self.pulls:
            # This permission is only for pull requests.
            options = [option for option in options if option[0] != "pull_requests"]
        granted = {name: RANKS[level] for name, level in self.permissions.items()}
        return any(granted.get(name, 0) >= RANKS[level] for name, level in options)


class Caller:
    """The owner of a token: the login, and the repository that the token was created for."""

    def __init__(self, login, home):
        self.login, self.home = login, home

    @property
    def is_workflow(self):
        """Whether it is a job's token, which is valid only for its repository."""
        return self.login == WORKFLOW

    @property
    def is_app(self):
        """Whether it is an installation token, of a job or of another app."""
        return self.login.endswith("[bot]")


class Registry:
    """All repositories and tokens."""

    def __init__(self):
        self.numbers = itertools.count(1)
        self.by_name, self.callers = {}, {}
        # The log of requests without a known repository or token.
        self.unassigned = Repository(0)

    def add(self):
        """Creates a repository with its tokens."""
        repository = Repository(next(self.numbers))
        self.callers[repository.token] = Caller(WORKFLOW, repository)
        self.callers[repository.personal_token] = Caller(PERSON, repository)
        self.callers[repository.app_token] = Caller(APP, repository)
        self.by_name[repository.name] = repository
        return repository

    def caller(self, authorization):
        """The owner of the token in the Authorization header; None for an unknown token."""
        kind, _, token = authorization.partition(" ")
        return self.callers.get(token.strip()) if kind.lower() in ("bearer", "token") else None

    def find(self, path):
        """The repository of a path (None if unknown), and the rest of the path."""
        parts = path.split("/", 4)
        if len(parts) < 4 or parts[1] != "repos":
            return None, path
        below = f"/{parts[4]}" if len(parts) == 5 else ""
        return self.by_name.get("/".join(parts[2:4])), below
