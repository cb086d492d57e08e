"""Changes that a test makes to an account. Each is the name of an operation with its fields.

    {"create_user": {…}}                    fields as in seeds.py
    {"delete_user": {"user": "alice"}}      with all credentials, groups and policies
    {"rename_user": {"user": "alice", "to": "bob", "path": "/people/"}}
    {"use_password": {"user": "alice", "at": 0}}
    {"set_password": {"user": "alice", "changed": 0, "last_used": null}}
    {"delete_password": {"user": "alice"}}
    {"add_key": {"user": "alice", "created": 0, …}}        also a third key
    {"use_key": {"user": "alice", "key": 1, "at": 0, "service": "s3"}}
    {"set_key_status": {"user": "alice", "key": 1, "status": "Inactive"}}
    {"delete_key": {"user": "alice", "key": 1}}
    {"add_ssh_key": {"user": "alice", "created": 0}}
    {"set_ssh_key_status": {"user": "alice", "key": 1, "status": "Inactive"}}
    {"delete_ssh_keys": {"user": "alice"}}
    {"add_service_credential": {"user": "alice", "service": "bedrock.amazonaws.com"}}
    {"set_service_credential_status": {"user": "alice", "credential": 1, "status": "Inactive"}}
    {"add_certificate": {"user": "alice", "created": 0}}
    {"set_certificate_status": {"user": "alice", "certificate": 1, "status": "Inactive"}}
    {"tag_user": {"user": "alice", "tags": {"owner": "x"}}}
    {"untag_user": {"user": "alice", "keys": ["owner"]}}
    {"add_mfa": {"user": "alice", "device": "mfa/phone"}}
    {"add_to_group": {"user": "alice", "group": "/teams/web"}}
    {"put_policies": {"user": "alice", "policies": ["inline"]}}
    {"attach_policy": {"user": "alice", "policy": "team-web"}}
    {"access_service": {"user": "alice", "service": "lambda", "at": 3}}
    {"root": {"keys": [{"created": 900, "last_used": 10}], "certificates": [{"created": 900}]}}
    {"alias": {"name": "acme-production"}}
    {"create_role": {"name": "auditor", "path": "/audit/"}}

A key, credential or certificate is selected by its number among the user's keys (and so on), from 1
(default), or by its id. Dates, devices, groups and policies are as in seeds.py.
"""

import json
from types import SimpleNamespace

from . import seeds
from .moto_model import remove, rename, service_credentials_of, user_named
from .seeds import known, moment
from .tags import untag

OPERATIONS = {}

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
)


def operation(*fields):
    """Registers a function as the operation with its name and these fields."""

    def register(function):
        OPERATIONS[function.__name__] = (function, set(fields))
        return function

    return register


def change(account, operations):
    """Executes the operations in order. Returns a list with the result of each, or None."""
    results = []
    for item in operations:
        ((name, seed),) = item.items()
        if name not in OPERATIONS:
            raise ValueError(f"no such operation: {name}")
        function, fields = OPERATIONS[name]
        results.append(function(account, known(seed, fields, name)))
    return results


def key_of(user, seed):
    """The selected key."""
    return select(user.access_keys, seed.get("key", 1), lambda key: key.access_key_id)


def select(owned, selector, id_of):
    """The credential with this number, from 1, or this id."""
    if isinstance(selector, str):
        return next(credential for credential in owned if id_of(credential) == selector)
    return list(owned)[selector - 1]


@operation(*seeds.USER_FIELDS)
def create_user(account, seed):
    """Creates a user. Returns the user's ids."""
    user = seeds.add_user(account, seed)
    keys = [key.access_key_id for key in user.access_keys]
    return {"user_id": user.id, "arn": user.arn, "keys": keys}


@operation("user")
def delete_user(account, seed):
    """Deletes a user."""
    remove(account.backend, user_named(account, seed["user"]).name)


@operation("user", "to", "path")
def rename_user(account, seed):
    """Changes the name or path of a user."""
    user = user_named(account, seed["user"])
    rename(account.backend, user.name, seed.get("to"), seed.get("path"))


@operation("user", "at")
def use_password(account, seed):
    """Records a sign-in of a user."""
    user_named(account, seed["user"]).password_last_used = moment(seed.get("at", 0))


@operation("user", "changed", "last_used")
def set_password(account, seed):
    """Sets a password, or changes it."""
    fields = {key: value for key, value in seed.items() if key != "user"}
    seeds.set_password(user_named(account, seed["user"]), {"changed": 0, **fields})


@operation("user")
def delete_password(account, seed):
    """Deletes the login profile. IAM still shows the last use of the password."""
    user_named(account, seed["user"]).password = None


@operation("user", "created", "last_used", "status", "service", "region")
def add_key(account, seed):
    """Adds an access key. Returns its id."""
    fields = {key: value for key, value in seed.items() if key != "user"}
    key = seeds.add_key(account, user_named(account, seed["user"]), {"created": 0, **fields})
    return {"key": key.access_key_id}


@operation("user", "key", "at", "service", "region")
def use_key(account, seed):
    """Records a use of a key."""
    key = key_of(user_named(account, seed["user"]), seed)
    seeds.use_key(account, key, {"last_used": seed.get("at", 0), **seed})


@operation("user", "key", "status")
def set_key_status(account, seed):
    """Activates or deactivates a key."""
    key_of(user_named(account, seed["user"]), seed).status = seed["status"]


@operation("user", "key")
def delete_key(account, seed):
    """Deletes a key."""
    key = key_of(user_named(account, seed["user"]), seed)
    account.backend.delete_access_key_by_name(key.access_key_id)


@operation("user", "created", "status")
def add_ssh_key(account, seed):
    """Adds an SSH public key. Returns its id."""
    fields = {key: value for key, value in seed.items() if key != "user"}
    key = seeds.add_ssh_key(user_named(account, seed["user"]), {"created": 0, **fields})
    return {"id": key.ssh_public_key_id}


@operation("user", "key", "status")
def set_ssh_key_status(account, seed):
    """Activates or deactivates an SSH public key."""
    owned = user_named(account, seed["user"]).ssh_public_keys
    key = select(owned, seed.get("key", 1), lambda key: key.ssh_public_key_id)
    key.status = seed["status"]


@operation("user")
def delete_ssh_keys(account, seed):
    """Deletes all SSH public keys."""
    user_named(account, seed["user"]).ssh_public_keys.clear()


@operation("user", "service", "created", "status", "expires")
def add_service_credential(account, seed):
    """Adds a service-specific credential. Returns its id."""
    fields = {key: value for key, value in seed.items() if key != "user"}
    user = user_named(account, seed["user"])
    credential = seeds.add_service_credential(account, user, {"created": 0, **fields})
    return {"id": credential["ServiceSpecificCredentialId"]}


@operation("user", "credential", "status")
def set_service_credential_status(account, seed):
    """Activates or deactivates a service-specific credential."""
    owned = service_credentials_of(user_named(account, seed["user"]))
    selector = seed.get("credential", 1)
    credential = select(owned, selector, lambda owned: owned["ServiceSpecificCredentialId"])
    credential["Status"] = seed["status"]


@operation("user", "created", "status")
def add_certificate(account, seed):
    """Adds a signing certificate. Returns its id."""
    fields = {key: value for key, value in seed.items() if key != "user"}
    certificate = seeds.add_certificate(user_named(account, seed["user"]), {"created": 0, **fields})
    return {"id": certificate.id}


@operation("user", "certificate", "status")
def set_certificate_status(account, seed):
    """Activates or deactivates a signing certificate."""
    owned = user_named(account, seed["user"]).signing_certificates.values()
    certificate = select(owned, seed.get("certificate", 1), lambda certificate: certificate.id)
    certificate.status = seed["status"]


@operation("user", "tags")
def tag_user(account, seed):
    """Sets tags and replaces those with the same keys."""
    tags = [{"Key": key, "Value": value} for key, value in seed["tags"].items()]
    account.backend.tagger.tag_resource(user_named(account, seed["user"]).arn, tags)


@operation("user", "keys")
def untag_user(account, seed):
    """Removes tags."""
    untag(account, user_named(account, seed["user"]), seed["keys"])


@operation("user", "device")
def add_mfa(account, seed):
    """Adds an MFA device to a user. Returns its serial number."""
    user = user_named(account, seed["user"])
    return {"serial": seeds.add_mfa(account, user, seed["device"])}


@operation("user", "group")
def add_to_group(account, seed):
    """Adds a user to a group."""
    seeds.join(account, user_named(account, seed["user"]), seed["group"])


@operation("user", "policies")
def put_policies(account, seed):
    """Adds inline policies to a user."""
    seeds.put_policies(user_named(account, seed["user"]), seed["policies"])


@operation("user", "policy")
def attach_policy(account, seed):
    """Attaches a managed policy to a user."""
    seeds.attach(account, user_named(account, seed["user"]), seed["policy"])


@operation("user", "service", "at")
def access_service(account, seed):
    """Records the use of a service for Access Advisor."""
    user_named(account, seed["user"]).accessed[seed["service"]] = moment(seed.get("at", 0))


@operation("keys", "certificates")
def root(account, seed):
    """Sets the access keys and signing certificates of the root user."""
    keys = []
    for fields in seed.get("keys", []):
        key = SimpleNamespace(
            status=fields.get("status", "Active"),
            create_date=moment(fields["created"]),
            last_used=None,
        )
        seeds.use_key(account, key, fields)
        keys.append(key)
    certificates = [moment(fields["created"]) for fields in seed.get("certificates", [])]
    account.root = {"keys": keys, "certificates": certificates}


@operation("name")
def alias(account, seed):
    """Sets or removes the account alias."""
    account.backend.account_aliases = [seed["name"]] if seed["name"] else []


@operation("name", "path")
def create_role(account, seed):
    """Creates a role that trusts every caller with sts:AssumeRole. Returns its ARN."""
    role = account.backend.create_role(
        role_name=seed["name"],
        assume_role_policy_document=TRUST,
        path=seed.get("path", "/"),
        permissions_boundary=None,
        description="",
        tags=[],
        # The maximum of a role, so that the shorter limit of role chaining is testable.
        max_session_duration="43200",
    )
    return {"arn": role.arn}
