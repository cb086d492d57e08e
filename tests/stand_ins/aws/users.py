"""Users, login profiles and access keys."""

from .answers import AwsError
from .calls import handles
from .moto_model import user_named
from .paging import page
from .policy import denied
from .tags import tags_of


def shown(user):
    """A user in lists, with the last use of the password, even if the password was deleted."""
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.create_date,
        "PasswordLastUsed": user.password_last_used,
    }


def boundary_of(user):
    """The permissions boundary of a user, if any."""
    arn = getattr(user, "boundary", None)
    kind = "PermissionsBoundaryPolicy"
    return arn and {"PermissionsBoundaryType": kind, "PermissionsBoundaryArn": arn}


def profile_created(user):
    """The creation date of the login profile. The password may have been changed later."""
    set_at = getattr(user, "password_created", user.create_date)
    return getattr(user, "profile_created", set_at)


@handles("iam", "ListUsers")
def list_users(call):
    """The users of the account, ordered by name."""
    prefix = call.parameters.get("PathPrefix", "/")
    users = list(call.account.backend.users.values())
    users = [user for user in users if user.path.startswith(prefix)]
    result = page(call, users, "Users", lambda user: user.name.lower())
    return {**result, "Users": [shown(user) for user in result["Users"]]}


@handles("iam", "GetUser")
def get_user(call):
    """A user with tags and boundary."""
    user = call.user()
    more = {"PermissionsBoundary": boundary_of(user), "Tags": tags_of(call.account, user) or None}
    return {"User": {**shown(user), **more}}


@handles("iam", "GetLoginProfile")
def get_login_profile(call):
    """The login profile of a user with a password."""
    user = with_password(call)
    return {
        "LoginProfile": {
            "UserName": user.name,
            "CreateDate": profile_created(user),
            "PasswordResetRequired": bool(user.password_reset_required),
        }
    }


@handles("iam", "DeleteLoginProfile")
def delete_login_profile(call):
    """Deletes the password. Its last use remains visible."""
    with_password(call).password = None


def with_password(call):
    """The user of the call, or NoSuchEntity without a password."""
    user = call.user()
    if not user.password:
        raise AwsError("NoSuchEntity", f"Login Profile for User {user.name} cannot be found.", 404)
    return user


@handles("iam", "ListAccessKeys")
def list_access_keys(call):
    """The access keys of a user."""
    keys = call.user().access_keys
    result = page(call, keys, "AccessKeyMetadata", lambda key: key.access_key_id)
    keys = [
        {
            "UserName": key.user_name,
            "AccessKeyId": key.access_key_id,
            "Status": key.status,
            "CreateDate": key.create_date,
        }
        for key in result["AccessKeyMetadata"]
    ]
    return {**result, "AccessKeyMetadata": keys}


@handles("iam", "UpdateAccessKey")
def update_access_key(call):
    """Activates or deactivates a key, which keeps its creation date and last use."""
    key = key_of(call)
    key.status = call.status()


@handles("iam", "DeleteAccessKey")
def delete_access_key(call):
    """Deletes a key, active or not."""
    key = key_of(call)
    call.user().access_keys.remove(key)
    del call.account.backend.access_keys[key.access_key_id]


def key_of(call):
    """The key of the call, or NoSuchEntity."""
    name = call.required("AccessKeyId")
    key = next((key for key in call.user().access_keys if key.access_key_id == name), None)
    if key is None:
        raise AwsError("NoSuchEntity", f"The Access Key with id {name} cannot be found.", 404)
    return key


@handles("iam", "GetAccessKeyLastUsed")
def get_access_key_last_used(call):
    """The last use of a key.

    IAM has no NoSuchEntity here. For a missing key it returns AccessDenied.
    """
    key_id = call.required("AccessKeyId")
    key = call.account.backend.access_keys.get(key_id)
    if key is None or key.user_name is None:
        raise denied(call.caller, "iam:GetAccessKeyLastUsed", f"access key {key_id}")
    used = key.last_used
    last_used = {"ServiceName": "N/A", "Region": "N/A"}
    if used is not None:
        last_used = {
            "LastUsedDate": used.timestamp,
            "ServiceName": used.service,
            "Region": region_shown(used),
        }
    user = user_named(call.account, key.user_name)
    return {"UserName": user.name, "AccessKeyLastUsed": last_used}


def region_shown(used):
    """The region of a key's last use. S3 reports none."""
    return "N/A" if used.service == "s3" else used.region


@handles("iam", "ListAccountAliases")
def list_account_aliases(call):
    """The account alias, if any."""
    return page(call, call.account.backend.account_aliases, "AccountAliases", lambda alias: alias)
