"""Users, their login profiles and access keys, as IAM shows and changes them."""

from .answers import AwsError
from .calls import handles
from .moto_model import user_named
from .paging import page
from .policy import denied
from .tags import tags_of


def shown(user):
    """A user as lists show it: with the last use of the password, even of one deleted since."""
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.create_date,
        "PasswordLastUsed": user.password_last_used,
    }


def boundary_of(user):
    """The user's permissions boundary, if there is one."""
    arn = getattr(user, "boundary", None)
    kind = "PermissionsBoundaryPolicy"
    return arn and {"PermissionsBoundaryType": kind, "PermissionsBoundaryArn": arn}


def profile_created(user):
    """When the login profile was made; a password that was changed may be younger."""
    set_at = getattr(user, "password_created", user.create_date)
    return getattr(user, "profile_created", set_at)


@handles("iam", "ListUsers")
def list_users(call):
    """The account's users, ordered by name."""
    prefix = call.parameters.get("PathPrefix", "/")
    users = [it for it in list(call.account.backend.users.values()) if it.path.startswith(prefix)]
    result = page(call, users, "Users", lambda it: it.name.lower())
    return {**result, "Users": [shown(it) for it in result["Users"]]}


@handles("iam", "GetUser")
def get_user(call):
    """One user, with tags and boundary."""
    user = call.user()
    more = {"PermissionsBoundary": boundary_of(user), "Tags": tags_of(call.account, user) or None}
    return {"User": {**shown(user), **more}}


@handles("iam", "GetLoginProfile")
def get_login_profile(call):
    """The login profile of a user who has a password."""
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
    """Deletes the password; when it was last used is shown on."""
    with_password(call).password = None


def with_password(call):
    """The user that the call names, or NoSuchEntity if the user has no password."""
    user = call.user()
    if not user.password:
        raise AwsError("NoSuchEntity", f"Login Profile for User {user.name} cannot be found.", 404)
    return user


@handles("iam", "ListAccessKeys")
def list_access_keys(call):
    """A user's access keys."""
    result = page(call, call.user().access_keys, "AccessKeyMetadata", lambda it: it.access_key_id)
    keys = [
        {
            "UserName": it.user_name,
            "AccessKeyId": it.access_key_id,
            "Status": it.status,
            "CreateDate": it.create_date,
        }
        for it in result["AccessKeyMetadata"]
    ]
    return {**result, "AccessKeyMetadata": keys}


@handles("iam", "UpdateAccessKey")
def update_access_key(call):
    """Activates or deactivates a key; its creation and last use stay as they are."""
    key = key_of(call)
    key.status = call.status()


@handles("iam", "DeleteAccessKey")
def delete_access_key(call):
    """Deletes a key, active or not."""
    key = key_of(call)
    call.user().access_keys.remove(key)
    del call.account.backend.access_keys[key.access_key_id]


def key_of(call):
    """The key of the user that the call names, or NoSuchEntity."""
    name = call.needed("AccessKeyId")
    key = next((it for it in call.user().access_keys if it.access_key_id == name), None)
    if key is None:
        raise AwsError("NoSuchEntity", f"The Access Key with id {name} cannot be found.", 404)
    return key


@handles("iam", "GetAccessKeyLastUsed")
def get_access_key_last_used(call):
    """When, where and for what a key was last used.

    IAM knows no NoSuchEntity here: a key that is not there is a key that nobody may ask about.
    """
    key_id = call.needed("AccessKeyId")
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
    """The region of a key's last use; S3 tells none, though the key was used."""
    return "N/A" if used.service == "s3" else used.region


@handles("iam", "ListAccountAliases")
def list_account_aliases(call):
    """The account's alias, if it has one."""
    return page(call, call.account.backend.account_aliases, "AccountAliases", lambda it: it)
