"""DeleteUser: fails if the user has anything but tags and a permissions boundary."""

from .answers import AwsError
from .calls import handles
from .moto_model import groups_of, remove, service_credentials_of


@handles("iam", "DeleteUser")
def delete_user(call):
    """Deletes a user without credentials, groups and policies."""
    user, backend = call.user(), call.account.backend
    # What the user may still have, with IAM's message about it. Several kinds share a message.
    for left, step in (
        (user.policies, "delete policies"),
        (user.managed_policies, "detach all policies"),
        (groups_of(backend, user), "remove users from group"),
        (user.access_keys, "delete access keys"),
        (user.password, "delete login profile"),
        (user.mfa_devices, "delete MFA device"),
        (user.signing_certificates, "delete certificates"),
        (user.ssh_public_keys, "remove referenced objects"),
        (service_credentials_of(user), "remove referenced objects"),
    ):
        if left:
            raise AwsError("DeleteConflict", f"Cannot delete entity, must {step} first.", 409)
    remove(backend, user.name)
