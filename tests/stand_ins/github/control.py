"""The harness's own endpoint: repositories are made, changed, bent and asked about here."""

import base64
import json
from urllib.parse import quote

from . import listing
from .answers import of_json
from .faults import Faults
from .mends import Call, carry_out, mended
from .repositories import PERMISSIONS, PERSON


def answer(proxy, request):
    """Carries out one command; what a test got wrong comes back as a 400 with its reason."""
    try:
        wanted = json.loads(request.body or b"{}")
        name = request.path.rpartition("/")[2]
        if name == "repository":
            return of_json(200, make_repository(proxy, **wanted))
        repository = proxy.registry.by_name[wanted["repository"]]
        return of_json(200, {"value": COMMANDS[name](proxy, repository, wanted.get("value"))})
    except Exception as error:  # noqa: BLE001: whatever it is, the test is to read it
        return of_json(400, {"error": f"{type(error).__name__}: {error}"})


def make_repository(proxy, visibility):
    """Makes a repository with one commit on `main`."""
    repository = proxy.registry.add()
    name = repository.name.partition("/")[2]
    body = {"name": name, "auto_init": True, "private": visibility != "public"}
    made = told(proxy.emulator.ask(PERSON, "POST", "/orgs/acme/repos", body))
    if visibility == "internal":
        change = {"visibility": visibility}
        told(proxy.emulator.ask(PERSON, "PATCH", f"/repos/{repository.name}", change))
    return {
        "id": made["id"],
        "full_name": repository.name,
        "visibility": visibility,
        "token": repository.token,
        "personal_token": repository.personal_token,
        "app_token": repository.app_token,
        "head": head(proxy, repository, "main"),
    }


def told(reply):
    """What a reply of success says."""
    if reply.status >= 400:
        raise ValueError(f"{reply.status} {reply.body.decode('utf-8', 'replace')}")
    return json.loads(reply.body) if reply.body else None


def act(proxy, repository, wanted):
    """Makes calls as a user, in their order, and gives what each came to; none is logged.

    What comes back is without bodies: they are long, and the test has just written them.
    """
    found = []
    for method, below, body in wanted["calls"]:
        call = Call(repository, wanted["login"], method, below, value=body)
        value = told(carry_out(proxy.emulator, call))
        found.append(value)
        if isinstance(value, dict):
            value.pop("body", None)
    return found


def ask(proxy, repository, method, below, body=None):
    """Makes a call to the emulator as it is, by who may do everything."""
    target = f"/repos/{repository.name}{below}"
    return proxy.emulator.ask(PERSON, method, target, body)


def head(proxy, repository, branch):
    """The commit that a branch stands at."""
    return told(ask(proxy, repository, "GET", f"/git/ref/heads/{branch}"))["object"]["sha"]


def make_branch(proxy, repository, value):
    """Makes a branch from another's head, and gives the commit."""
    commit = head(proxy, repository, value["from"])
    body = {"ref": f"refs/heads/{value['name']}", "sha": commit}
    told(ask(proxy, repository, "POST", "/git/refs", body))
    return commit


def commit(proxy, repository, value):
    """Writes a file on a branch (null: removes it), and gives the commit."""
    below = f"/contents/{quote(value['path'])}"
    branch, content = value["branch"], value["content"]
    body = {"message": f"Change {value['path']}", "branch": branch}
    there = ask(proxy, repository, "GET", f"{below}?ref={quote(branch, safe='')}")
    if there.status == 200:
        body["sha"] = there.value["sha"]
    if content is not None:
        body["content"] = base64.b64encode(content.encode()).decode()
    method = "DELETE" if content is None else "PUT"
    return told(ask(proxy, repository, method, below, body))["commit"]["sha"]


def make_pull(proxy, repository, value):
    """Opens a pull request."""
    made = told(ask(proxy, repository, "POST", "/pulls", value))
    repository.pulls.add(made["number"])
    return {
        "number": made["number"],
        "author": made["user"]["login"],
        "head_ref": made["head"]["ref"],
        "head_sha": made["head"]["sha"],
        "head_repository": repository.name,
        "base_ref": made["base"]["ref"],
        "base_sha": made["base"]["sha"],
        "draft": made["draft"],
    }


def comments(proxy, repository, number):
    """The comments of an issue or a pull request, oldest first."""
    found = proxy.emulator.all_of(PERSON, f"/repos/{repository.name}/issues/{number}/comments")
    return [
        {
            "id": it["id"],
            "body": it["body"],
            "author": it["user"]["login"],
            "updated_at": it["updated_at"],
        }
        for it in found
    ]


def issues(proxy, repository, _):
    """The issues, oldest first, each with its comments."""
    query = "state=all&direction=asc&per_page=100&page="
    found, number = [], 1
    while True:
        page, headers = listing.page(proxy.emulator, PERSON, repository, f"{query}{number}", ())
        found += [it for it in page if "pull_request" not in it]
        if 'rel="next"' not in dict(headers).get("Link", ""):
            break
        number += 1
    plain = Call(repository, PERSON, "GET", "/issues")
    return [
        {
            **{name: it[name] for name in ("number", "title", "state", "state_reason", "locked")},
            "body": it["body"] or "",
            "author": it["user"]["login"],
            "labels": [label["name"] for label in it["labels"]],
            "assignees": [user["login"] for user in it["assignees"]],
            "closed_at": it["closed_at"],
            "updated_at": it["updated_at"],
            "comments": comments(proxy, repository, it["number"]) if it["comments"] else [],
        }
        for it in (mended(plain, issue) for issue in found)
    ]


def set_faults(_, repository, value):
    """Replaces the repository's faults."""
    repository.faults = Faults(value)


def set_permissions(_, repository, value):
    """Sets what the job's token may do, from what it may by default."""
    repository.permissions = PERMISSIONS | value


def set_has_issues(_, repository, value):
    """Turns the repository's issues on or off."""
    repository.has_issues = value


def drop_assignees(_, repository, __):
    """Leaves assignees out of the issues that are made from now on."""
    repository.drops_assignees = True


def reset_log(_, repository, __):
    """Forgets the requests so far."""
    repository.log = []


COMMANDS = {
    "act": act,
    "branch": make_branch,
    "comments": comments,
    "commit": commit,
    "drop-assignees": drop_assignees,
    "faults": set_faults,
    "has-issues": set_has_issues,
    "head": head,
    "issues": issues,
    "log": lambda _, repository, __: repository.log,
    "permissions": set_permissions,
    "pull": make_pull,
    "reset-log": reset_log,
}
