"""Creates users and credentials from seeds.

The seed of a user, in which only the name is required:

    {"name": "alice", "path": "/people/", "created": 400, "tags": {"owner": "team@example.com"},
     "password": {"changed": 300, "last_used": 100},
     "keys": [{"created": 300, "last_used": 10, "service": "s3", "status": "Inactive"}],
     "ssh_keys": [{"created": 20, "status": "Inactive"}],
     "service_credentials": [{"service": "bedrock.amazonaws.com", "created": 20}],
     "certificates": [{"created": 20, "status": "Inactive"}],
     "mfa": ["GAHT12345678", "mfa/phone"], "groups": ["admins", "/teams/web"],
     "inline_policies": ["inline"], "attached_policies": ["team-web"],
     "boundary": "team-boundary", "accessed": {"lambda": 12}}

A date is a number of days ago by the account's clock (fractions are allowed), an RFC 3339 text, or
null for never.

An MFA device is the serial number of a hardware device, or the part of an ARN after the account:
`mfa/phone` is a virtual device, `u2f/user/alice/key` a security key. `true` is a virtual device
with the user's name. A group may have a path before its name. Inline policies may be an object with
the document of each. Policies are names of policies in the account; a boundary may be an ARN.
"""

import json
from datetime import datetime, timedelta, timezone

from moto.iam.models import AccessKeyLastUsed, SigningCertificate
from moto.moto_api._internal import mock_random

from .clock import now
from .moto_model import service_credentials_of

ALLOWED = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}
DOCUMENT = json.dumps(ALLOWED)

# The default dates, in days ago.
USER_CREATED, CREDENTIAL_CREATED = 1000, 500

USER_FIELDS = {
    *("name", "path", "created", "tags", "password", "keys", "ssh_keys", "service_credentials"),
    *("certificates", "mfa", "groups", "inline_policies", "attached_policies", "boundary"),
    *("accessed", "kind", "note"),
}


def moment(value):
    """The date of a seed as a naive UTC time, to the second; None for never."""
    if value is None:
        return None
    if isinstance(value, str):
        date = datetime.fromisoformat(value).astimezone(timezone.utc).replace(tzinfo=None)
    else:
        date = now() - timedelta(days=value)
    return date.replace(microsecond=0)


def known(seed, fields, what):
    """The seed. Raises ValueError for an unknown field."""
    unknown = seed.keys() - fields
    if unknown:
        raise ValueError(f"{what} has no field {', '.join(sorted(unknown))}")
    return seed


def add_user(account, seed):
    """Creates the user of a seed."""
    known(seed, USER_FIELDS, "a user")
    backend, name = account.backend, seed["name"]
    tags = [{"Key": key, "Value": value} for key, value in seed.get("tags", {}).items()]
    user = backend.create_user(account.region, name, seed.get("path", "/"), tags)
    user.create_date = moment(seed.get("created", USER_CREATED))
    user.kind, user.note = seed.get("kind", ""), seed.get("note", "")
    user.accessed = {service: moment(at) for service, at in seed.get("accessed", {}).items()}
    if seed.get("password") is not None:
        set_password(user, seed["password"])
    for key in seed.get("keys", []):
        add_key(account, user, key)
    for key in seed.get("ssh_keys", []):
        add_ssh_key(user, key)
    for credential in seed.get("service_credentials", []):
        add_service_credential(account, user, credential)
    for certificate in seed.get("certificates", []):
        add_certificate(user, certificate)
    mfa = seed.get("mfa") or []
    for device in [f"mfa/{name}"] if mfa is True else mfa:
        add_mfa(account, user, device)
    for group in seed.get("groups", []):
        join(account, user, group)
    put_policies(user, seed.get("inline_policies", []))
    for policy in seed.get("attached_policies", []):
        attach(account, user, policy)
    boundary = seed.get("boundary")
    if boundary is not None and not boundary.startswith("arn:"):
        boundary = f"arn:{account.partition}:iam::{account.id}:policy/{boundary}"
    user.boundary = boundary
    return user


def add_mfa(account, user, device):
    """Adds an MFA device to a user. Returns its serial number."""
    serial = device
    if "/" in device:
        serial = f"arn:{account.partition}:iam::{account.id}:{device}"
    if device.startswith("mfa/"):
        path, _, name = device.removeprefix("mfa").rpartition("/")
        account.backend.create_virtual_mfa_device(name, f"{path}/")
    account.backend.enable_mfa_device(user.name, serial, "123456", "234567")
    return serial


def join(account, user, group):
    """Adds a user to a group, and creates the group if necessary."""
    path, _, name = group.rpartition("/")
    if name not in account.backend.groups:
        account.backend.create_group(name, f"{path}/")
    if user not in (members := account.backend.groups[name].users):
        members.append(user)


def put_policies(user, policies):
    """Adds inline policies to a user: their names, or an object with the document of each."""
    documents = policies if isinstance(policies, dict) else dict.fromkeys(policies, ALLOWED)
    for name, document in documents.items():
        user.put_policy(name, json.dumps(document))


def attach(account, user, name):
    """Attaches a managed policy of the account, and creates it if necessary."""
    arn = f"arn:{account.partition}:iam::{account.id}:policy/{name}"
    if arn not in account.backend.managed_policies:
        account.backend.create_policy("", "/", DOCUMENT, name, [])
    account.backend.managed_policies[arn].attach_to(user)


def set_password(user, seed):
    """Sets a password. Without `last_used`, the last use is kept.

    The login profile has the date of the password unless `profile_created` is given: it keeps its
    date when an administrator changes the password.
    """
    known(seed, {"changed", "last_used", "profile_created"}, "a password")
    user.password = "not-a-real-password"
    user.password_created = moment(seed.get("changed", CREDENTIAL_CREATED))
    user.profile_created = moment(
        seed.get("profile_created", seed.get("changed", CREDENTIAL_CREATED))
    )
    if "last_used" in seed:
        user.password_last_used = moment(seed["last_used"])


def add_key(account, user, seed):
    """Adds an access key, even above IAM's limit of two."""
    known(seed, {"created", "last_used", "status", "service", "region"}, "an access key")
    key = user.create_access_key("AKIA", seed.get("status", "Active"))
    account.backend.access_keys[key.access_key_id] = key
    key.create_date = moment(seed.get("created", CREDENTIAL_CREATED))
    use_key(account, key, seed)
    return key


def use_key(account, key, seed):
    """Records a use of a key at `last_used`, unless that is None."""
    at = moment(seed.get("last_used"))
    if at is not None:
        service = seed.get("service", "ec2")
        key.last_used = AccessKeyLastUsed(at, service, seed.get("region", account.region))


def add_ssh_key(user, seed):
    """Adds an SSH public key."""
    known(seed, {"created", "status"}, "an SSH key")
    body = f"ssh-rsa AAAAB3NzaC1yc2E{mock_random.get_random_hex(40)} {user.name}"
    key = user.upload_ssh_public_key(body)
    key.upload_date = moment(seed.get("created", CREDENTIAL_CREATED))
    key.status = seed.get("status", "Active")
    return key


def add_certificate(user, seed):
    """Adds a signing certificate."""
    known(seed, {"created", "status"}, "a certificate")
    name = mock_random.get_random_string(24).upper()
    certificate = SigningCertificate(name, user.name, "-----BEGIN CERTIFICATE-----")
    certificate.upload_date = moment(seed.get("created", CREDENTIAL_CREATED))
    certificate.status = seed.get("status", "Active")
    user.signing_certificates[name] = certificate
    return certificate


def add_service_credential(account, user, seed):
    """Adds a service-specific credential.

    Those of Bedrock and CloudWatch Logs are API keys. They have an alias instead of a generated
    user name.
    """
    known(seed, {"service", "created", "status", "expires"}, "a service-specific credential")
    service = seed.get("service", "codecommit.amazonaws.com")
    created = moment(seed.get("created", CREDENTIAL_CREATED))
    ordinal = len(service_credentials_of(user))
    is_api_key = service.split(".")[0] in ("bedrock", "logs")
    name = f"{user.name}{f'+{ordinal}' if ordinal else ''}-at-{account.id}"
    credential = {
        "Status": seed.get("status", "Active"),
        "ServiceUserName": None if is_api_key else name,
        "ServiceCredentialAlias": name if is_api_key else None,
        "CreateDate": created,
        "ExpirationDate": moment(seed.get("expires")),
        "ServiceSpecificCredentialId": "ACCA" + mock_random.get_random_string(17).upper(),
        "ServiceName": service,
    }
    service_credentials_of(user).append(credential)
    return credential
