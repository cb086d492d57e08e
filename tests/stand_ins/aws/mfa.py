"""MFA devices: virtual ones, which are the account's own and outlive their use, and others."""

from .answers import AwsError
from .calls import handles
from .paging import page


@handles("iam", "ListMFADevices")
def list_mfa_devices(call):
    """A user's devices."""
    user = call.user()
    result = page(call, user.mfa_devices.values(), "MFADevices", lambda it: it.serial_number)
    devices = [
        {
            "UserName": user.name,
            "SerialNumber": it.serial_number,
            "EnableDate": it.enable_date,
        }
        for it in result["MFADevices"]
    ]
    return {**result, "MFADevices": devices}


@handles("iam", "DeactivateMFADevice")
def deactivate_mfa_device(call):
    """Takes a device from its user; a virtual one stays in the account."""
    user, serial = call.user(), call.needed("SerialNumber")
    if serial not in user.mfa_devices:
        raise AwsError("NoSuchEntity", "MFA Device invalid for user.", 404)
    call.account.backend.deactivate_mfa_device(user.name, serial)


@handles("iam", "DeleteVirtualMFADevice")
def delete_virtual_mfa_device(call):
    """Deletes a virtual device that is nobody's."""
    serial, devices = call.needed("SerialNumber"), call.account.backend.virtual_mfa_devices
    if serial not in devices:
        message = f"VirtualMFADevice with serial number {serial} doesn't exist."
        raise AwsError("NoSuchEntity", message, 404)
    if any(serial in it.mfa_devices for it in call.account.backend.users.values()):
        message = "MFA VirtualDevice in use. Must deactivate first."
        raise AwsError("DeleteConflict", message, 409)
    del devices[serial]
