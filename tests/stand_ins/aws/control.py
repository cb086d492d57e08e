"""The harness's own endpoint: accounts are made, bent, changed and asked about here."""

import json
from datetime import timedelta

from .answers import Answer, AwsError
from .changes import change
from .clock import Clock, now
from .credential_report import Report
from .faults import Faults
from .holdings import holdings
from .policy import Policy
from .population import populate
from .truth import truth

# The role that the auditor of an account has.
ROLE = "audit"

# Twelve hours: longer than any test.
AUDITOR_SECONDS = 12 * 3600


def answer(registry, request):
    """Carries out one command; what a test got wrong comes back as a 400 with its reason."""
    try:
        wanted = json.loads(request.body or b"{}")
        command = COMMANDS[request.path.rpartition("/")[2]]
        result = command(registry, wanted)
        return Answer(200, json.dumps(result).encode(), "application/json")
    except AwsError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001: whatever it is, the test is to read it
        reason = f"{type(error).__name__}: {error}"
    return Answer(400, json.dumps({"error": reason}).encode(), "application/json")


def make_account(registry, wanted):
    """Makes and seeds an account, and gives out the auditor's credentials."""
    account = registry.add(
        wanted.get("partition", "aws"),
        wanted.get("days", 90),
        wanted.get("report_delay", 0.0),
        wanted.get("id"),
    )
    change(account, [{"create_role": {"name": ROLE}}])
    populate(account, wanted.get("users", 0), wanted.get("seed", 0))
    session = registry.open_session(account, ROLE, "auditor", AUDITOR_SECONDS)
    return {
        "id": account.id,
        "region": account.region,
        "role_arn": f"arn:{account.partition}:iam::{account.id}:role/{ROLE}",
        "access_key_id": session.access_key,
        "secret_access_key": session.secret,
        "session_token": session.token,
        "request_path": f"/_oidc/{account.id}?api-version=2.0",
        "request_token": account.request_token,
    }


def with_account(function):
    """A command about one account, carried out in its turn."""

    def command(registry, wanted):
        account = registry.accounts[wanted["account"]]
        with account.turn():
            return function(account, wanted.get("value"))

    return command


def set_faults(account, value):
    """Replaces the account's faults; what they held is let go, and not carried out any more."""
    faults = Faults(value)
    account.faults.release()
    account.faults = faults


def set_policy(account, value):
    """Replaces the policy of the account's auditor; null lets every call through."""
    account.policy = None if value is None else Policy(value)


def reset_log(account, _):
    """Forgets the calls and token requests so far."""
    account.log, account.oidc_log = [], []


def make_report(account, value):
    """Has the account keep a report that was finished so many hours ago, of the users now."""
    account.report = Report(account, 0.0, now() - timedelta(hours=value))


def set_clock(account, value):
    """Sets the account's clock: days ahead of the machine's, or the moment at which it stands."""
    account.clock = Clock(value)


def expire_report(account, _):
    """Lets the account keep no report."""
    account.report = None


def set_report_delay(account, value):
    """Sets the seconds that IAM takes to make the next report."""
    account.report_delay = value


def require_external_id(account, value):
    """Lets the trust of the auditor's role ask for an external id; null lets it ask for none."""
    account.external_ids[ROLE] = value


def set_session_seconds(account, value):
    """Sets how long credentials of the account's roles are good; null for as asked."""
    account.session_seconds = value


COMMANDS = {
    "account": make_account,
    "secrets": lambda registry, _: registry.secrets,
    "faults": with_account(set_faults),
    "policy": with_account(set_policy),
    "log": with_account(lambda account, _: account.log),
    "oidc-log": with_account(lambda account, _: account.oidc_log),
    "reset-log": with_account(reset_log),
    "truth": with_account(lambda account, _: truth(account)),
    "change": with_account(change),
    "make-report": with_account(make_report),
    "expire-report": with_account(expire_report),
    "report-delay": with_account(set_report_delay),
    "require-external-id": with_account(require_external_id),
    "session-seconds": with_account(set_session_seconds),
    "clock": with_account(set_clock),
    "user": with_account(holdings),
    "virtual-mfa-devices": with_account(lambda it, _: list(it.backend.virtual_mfa_devices)),
    "held": with_account(lambda account, _: account.faults.is_holding()),
}
