"""moto's model of an account, with corrections where it differs from IAM."""

import xml.etree.ElementTree as ET

from botocore.model import OperationNotFoundError
from moto.core.request import Request as MotoRequest
from moto.iam.models import IAMBackend, iam_backends
from moto.iam.responses import IamResponse
from moto.moto_api._internal import mock_random

from .answers import Answer, AwsError
from .clock import now

CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class CaseInsensitiveDict(dict):
    """Users or groups by case-insensitive name."""

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def __setitem__(self, name, value):
        super().__setitem__(name.lower(), value)

    def __delitem__(self, name):
        super().__delitem__(name.lower())

    def __contains__(self, name):
        return super().__contains__(name.lower())

    def get(self, name, default=None):
        """The value with the name, or the default."""
        return super().get(name.lower(), default)

    def pop(self, name, *default):
        """Removes and returns the value with the name."""
        return super().pop(name.lower(), *default)


def backend_of(account_id, partition):
    """moto's backend of a new account."""
    backend = iam_backends[account_id][partition]
    backend.users, backend.groups = CaseInsensitiveDict(), CaseInsensitiveDict()
    return backend


def user_named(account, name):
    """The user with the name, or NoSuchEntity."""
    user = account.backend.users.get(name)
    if user is None:
        raise no_user(name)
    return user


def no_user(name):
    """NoSuchEntity for a user, with IAM's message."""
    return AwsError("NoSuchEntity", f"The user with name {name} cannot be found.", 404)


def group_named(account, name):
    """The group with the name, or NoSuchEntity."""
    group = account.backend.groups.get(name)
    if group is None:
        raise AwsError("NoSuchEntity", f"The group with name {name} cannot be found.", 404)
    return group


def groups_of(backend, user):
    """The groups of a user."""
    return [group for group in backend.groups.values() if user in group.users]


def service_credentials_of(user):
    """The user's service-specific credentials, which moto does not support."""
    return user.__dict__.setdefault("service_credentials", [])


def rename(backend, name, new_name, new_path=None):
    """Changes the name or path of a user, who keeps keys, tags and certificates."""
    user = backend.users[name]
    tags = backend.tagger.list_tags_for_resource(user.arn)["Tags"]
    backend.tagger.delete_all_tags_for_resource(user.arn)
    del backend.users[name]
    user.name, user.path = new_name or user.name, new_path or user.path
    backend.users[user.name] = user
    backend.tagger.tag_resource(user.arn, tags)
    owned = [*user.access_keys, *user.ssh_public_keys, *user.signing_certificates.values()]
    for credential in owned:
        credential.user_name = user.name


def remove(backend, name):
    """Deletes a user with all credentials, groups and policies."""
    user = backend.users.pop(name)
    backend.tagger.delete_all_tags_for_resource(user.arn)
    for key in user.access_keys:
        backend.access_keys.pop(key.access_key_id, None)
    for group in groups_of(backend, user):
        group.users.remove(user)
    for policy in user.managed_policies.values():
        policy.attachment_count -= 1
    for serial in user.mfa_devices:
        backend.virtual_mfa_devices.pop(serial, None)


def patch_create_user(backend_class):
    """Makes moto create user ids like IAM, and reject existing names."""
    original = backend_class.create_user

    def create_user(self, region_name, user_name, path="/", tags=None):
        if user_name in self.users:
            message = f"User with name {user_name} already exists."
            raise AwsError("EntityAlreadyExists", message, 409)
        user = original(self, region_name, user_name, path, tags)
        user.id = "AIDA" + "".join(mock_random.choices(CHARACTERS, k=17))
        return user

    backend_class.create_user = create_user


def patch_login_profiles(backend_class):
    """Makes moto record when a password was set."""
    for method in ("create_login_profile", "update_login_profile"):
        original = getattr(backend_class, method)

        def dated(self, *arguments, _original=original, **named):
            user = _original(self, *arguments, **named)
            user.password_created = now()
            return user

        setattr(backend_class, method, dated)


def forward(account, body):
    """Forwards an IAM call without a handler to moto."""
    scope = f"STANDIN/20200101/{account.region}/iam/aws4_request"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "X-Moto-Account-Id": account.id,
        # moto takes the partition from the region of the signature.
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}",
    }
    request = MotoRequest.from_primitives("POST", "http://iam.amazonaws.com/", headers, body)
    try:
        status, _, text = IamResponse.dispatch(request)
    except (NotImplementedError, OperationNotFoundError) as error:
        raise AwsError("InvalidAction", str(error)) from error
    text = text.encode() if isinstance(text, str) else text
    if status >= 400:
        error = ET.fromstring(text).find(".//{*}Error")
        raise AwsError(error.findtext("{*}Code"), error.findtext("{*}Message"), status)
    return Answer(status, text, "text/xml")


patch_create_user(IAMBackend)
patch_login_profiles(IAMBackend)
IAMBackend.update_user = lambda self, user_name, new_path=None, new_user_name=None: rename(
    self, user_name, new_user_name, new_path
)
