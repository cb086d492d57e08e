"""MFA devices: virtual devices, which still exist after they are deactivated, and others."""

from .answers import AwsError
from .calls import handles
from .paging import page


@handles("iam", "ListMFADevices")
def list_mfa_devices(call):
    """The devices of a user."""
    user = call.user()
    result = page(
        call, user.mfa_devices.values(), "MFADevices", lambda device: device.serial_number
    )
    devices = [
        {
            "UserName": user.name,
            "SerialNumber": device.serial_number,
            "EnableDate": device.enable_date,
        }
        for device in result["MFADevices"]
    ]
    return {**result, "MFADevices": devices}


@handles("iam", "DeactivateMFADevice")
def deactivate_mfa_device(call):
    """Removes a device from its user. A virtual device still exists."""
    user, serial = call.user(), call.required("SerialNumber")
    if serial not in user.mfa_devices:
        raise AwsError("NoSuchEntity", "MFA Device invalid for user.", 404)
    call.account.backend.deactivate_mfa_device(user.name, serial)


@handles("iam", "DeleteVirtualMFADevice")
def delete_virtual_mfa_device(call):
    """Deletes a virtual device that no user has."""
    serial, devices = call.required("SerialNumber"), call.account.backend.virtual_mfa_devices
    if serial not in devices:
        message = f"VirtualMFADevice with serial number {serial} doesn't exist."
        raise AwsError("NoSuchEntity", message, 404)
    if any(serial in user.mfa_devices for user in call.account.backend.users.values()):
        message = "MFA VirtualDevice in use. Must deactivate first."
        raise AwsError("DeleteConflict", message, 409)
    del devices[serial]
