"""GetAccountAuthorizationDetails: pages of users with tags, groups and policies."""

from urllib.parse import quote

from .calls import handles
from .paging import page
from .tags import tags_of
from .users import boundary_of, shown


@handles("iam", "GetAccountAuthorizationDetails")
def get_account_authorization_details(call):
    """The users of the account. Other entities are not included."""
    wanted = call.list_of("Filter")
    users = list(call.account.backend.users.values()) if not wanted or "User" in wanted else []
    result = page(call, users, "UserDetailList", lambda user: user.name.lower())
    groups = groups_by_user(call.account)
    details = [detail(call.account, user, groups) for user in result["UserDetailList"]]
    others = {"GroupDetailList": [], "RoleDetailList": [], "Policies": []}
    return {**result, "UserDetailList": details, **others}


def groups_by_user(account):
    """The names of each user's groups, by user id."""
    found = {}
    for group in account.backend.groups.values():
        for user in group.users:
            found.setdefault(user.id, []).append(group.name)
    return found


def detail(account, user, groups):
    """A user in the details, which omit the last use of the password."""
    inline = [
        {"PolicyName": name, "PolicyDocument": quote(document, safe="")}
        for name, document in user.policies.items()
    ]
    return {
        **shown(user),
        "PasswordLastUsed": None,
        "UserPolicyList": inline,
        "GroupList": groups.get(user.id, []),
        "AttachedManagedPolicies": user.attached_managed_policies,
        "PermissionsBoundary": boundary_of(user),
        "Tags": tags_of(account, user),
    }
