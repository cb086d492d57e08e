"""Lists of issues like GitHub's, which include pull requests, unlike the emulator's."""

from urllib.parse import parse_qsl, urlencode

# The fields that a pull request shares with the issue that GitHub lists for it.
SHARED = [
    "assignee",
    "assignees",
    "author_association",
    "body",
    "closed_at",
    "comments",
    "comments_url",
    "created_at",
    "draft",
    "html_url",
    "id",
    "labels",
    "locked",
    "milestone",
    "node_id",
    "number",
    "state",
    "title",
    "updated_at",
    "user",
]

# Filters that no test needs.
UNSUPPORTED = {"mentioned", "milestone", "type"}


def as_issue(pull):
    """The issue that GitHub lists for a pull request."""
    url = pull["issue_url"]
    links = ["url", "html_url", "diff_url", "patch_url", "merged_at"]
    return {name: pull[name] for name in SHARED} | {
        "active_lock_reason": None,
        "events_url": f"{url}/events",
        "labels_url": f"{url}/labels{{/name}}",
        "performed_via_github_app": None,
        "pull_request": {name: pull[name] for name in links},
        "repository_url": url.rsplit("/", 2)[0],
        "state_reason": None,
        "timeline_url": f"{url}/timeline",
        "url": url,
    }


def pulls(emulator, login, repository):
    """All pull requests, as issues."""
    found = emulator.all_of(login, f"/repos/{repository.name}/pulls?state=all")
    return [as_issue(pull) for pull in found]


def matching(query, hidden):
    """A function that tells whether an issue matches the query and is not hidden."""
    state = query.get("state", "open")
    names = [name.strip() for name in query.get("labels", "").split(",")]
    labels = {name.casefold() for name in names if name}
    creator, assignee = query.get("creator"), query.get("assignee", "*")

    def matches(issue):
        author = (issue["user"] or {}).get("login", "ghost")
        assignees = [user["login"] for user in issue["assignees"]]
        return (
            issue["number"] not in hidden
            and state in ("all", issue["state"])
            and labels <= {label["name"].casefold() for label in issue["labels"]}
            and creator in (None, author)
            and ("assignee" not in query or (assignee in assignees or assignee == "none"))
            and issue["updated_at"] >= query.get("since", "")
        )

    return matches


def page(emulator, login, repository, query, hidden):
    """A page of the issues and pull requests, and the headers with links to other pages."""
    query = dict(parse_qsl(query))
    if UNSUPPORTED & query.keys():
        raise ValueError(f"the stand-in cannot list issues by {UNSUPPORTED & query.keys()}")
    found = emulator.all_of(login, f"/repos/{repository.name}/issues?state=all")
    found += pulls(emulator, login, repository)
    found = list(filter(matching(query, hidden), found))
    key = {"updated": "updated_at", "comments": "comments"}.get(query.get("sort"), "created_at")
    descending = query.get("direction", "desc") == "desc"
    found.sort(key=lambda issue: (issue[key], issue["number"]), reverse=descending)
    size = min(max(int(query.get("per_page", "30")), 1), 100)
    number = max(int(query.get("page", "1")), 1)
    last = max(-(-len(found) // size), 1)
    url = f"{emulator.base_url}/repos/{repository.name}/issues"
    relations = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
    links = [
        f'<{url}?{urlencode(query | {"page": to})}>; rel="{name}"'
        for name, to in relations.items()
        if 1 <= to <= last and to != number
    ]
    headers = [("Link", ", ".join(links))] if links else []
    return found[(number - 1) * size : number * size], headers
