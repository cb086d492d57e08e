"""Groups and policies of users."""

from urllib.parse import quote

from .answers import AwsError
from .calls import handles
from .moto_model import group_named, groups_of
from .paging import page


@handles("iam", "ListGroupsForUser")
def list_groups_for_user(call):
    """The groups of a user."""
    groups = groups_of(call.account.backend, call.user())
    result = page(call, groups, "Groups", lambda group: group.name.lower())
    shown = [
        {
            "Path": group.path,
            "GroupName": group.name,
            "GroupId": group.id,
            "Arn": group.arn,
            "CreateDate": group.create_date,
        }
        for group in result["Groups"]
    ]
    return {**result, "Groups": shown}


@handles("iam", "RemoveUserFromGroup")
def remove_user_from_group(call):
    """Removes a user from a group."""
    group, user = group_named(call.account, call.required("GroupName")), call.user()
    if user not in group.users:
        message = f"User {user.name} not in group {group.name}"
        raise AwsError("NoSuchEntity", message, 404)
    group.users.remove(user)


@handles("iam", "ListUserPolicies")
def list_user_policies(call):
    """The names of a user's inline policies."""
    return page(call, call.user().policies, "PolicyNames", lambda name: name)


@handles("iam", "GetUserPolicy")
def get_user_policy(call):
    """An inline policy with its percent-encoded document."""
    user, name = call.user(), inline_policy(call)
    document = quote(user.policies[name], safe="")
    return {"UserName": user.name, "PolicyName": name, "PolicyDocument": document}


@handles("iam", "DeleteUserPolicy")
def delete_user_policy(call):
    """Deletes an inline policy."""
    del call.user().policies[inline_policy(call)]


def inline_policy(call):
    """The name of the inline policy of the call, or NoSuchEntity."""
    user, name = call.user(), call.required("PolicyName")
    if name not in user.policies:
        message = f"The user policy with name {name} cannot be found."
        raise AwsError("NoSuchEntity", message, 404)
    return name


@handles("iam", "ListAttachedUserPolicies")
def list_attached_user_policies(call):
    """The managed policies of a user."""
    attached = call.user().attached_managed_policies
    return page(call, attached, "AttachedPolicies", lambda policy: policy["PolicyName"])


@handles("iam", "DetachUserPolicy")
def detach_user_policy(call):
    """Detaches a managed policy."""
    user, arn = call.user(), call.required("PolicyArn")
    if arn not in user.managed_policies:
        raise AwsError("NoSuchEntity", f"Policy {arn} was not found.", 404)
    user.managed_policies[arn].detach_from(user)
