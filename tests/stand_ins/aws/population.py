"""A random population of users, always the same for the same seed."""

import random

from .seeds import add_user

# The kinds of users, with their percentage.
KINDS = {
    "active": 58,
    "stale-password": 15,
    "stale-key": 15,
    "never-used": 5,
    "inactive-key": 3,
    "other-credentials": 2,
    "no-credentials": 2,
}
TEAMS = ["data", "finance", "mobile", "ml", "platform", "security", "support", "web"]
PLACES = [
    ("s3", "us-east-1"),
    ("ec2", "eu-west-1"),
    ("sts", "us-east-1"),
    ("iam", "us-east-1"),
    ("lambda", "eu-central-1"),
]
SERVICES = ["codecommit.amazonaws.com", "cassandra.amazonaws.com", "bedrock.amazonaws.com"]


def populate(account, count, seed):
    """Adds this many users to the account."""
    population = Population(seed, account.days)
    for number in range(count):
        add_user(account, population.user(number))


class Population:
    """Creates the seeds of users. Some credentials are close to the threshold of `days`."""

    def __init__(self, seed, days):
        self.rng, self.days = random.Random(f"population {seed}"), days

    def chance(self, share):
        """True with this probability."""
        return self.rng.random() < share

    def recent(self):
        """Days ago, well below the threshold."""
        return self.rng.uniform(0.1, self.days * 2 / 3)

    def old(self):
        """Days ago, well above the threshold."""
        return self.rng.uniform(self.days + 2, 900)

    def stale(self, share_at_edge=0.05):
        """Days ago, above the threshold, sometimes by only half a day."""
        return self.days + 0.5 if self.chance(share_at_edge) else self.old()

    def age(self):
        """Days since the creation of a credential in use."""
        return self.rng.uniform(100, 940)

    def key(self, created, last_used, status="Active"):
        """The seed of an access key."""
        service, region = self.rng.choice(PLACES)
        used = {"last_used": last_used, "service": service, "region": region}
        return {"created": created, "status": status, **used}

    def user(self, number):
        """The seed of one user."""
        kind = self.rng.choices(list(KINDS), list(KINDS.values()))[0]
        team = self.rng.choice(TEAMS)
        user = {
            "name": f"user-{number:05d}",
            "path": self.rng.choice(["/", "/", "/", "/service/", f"/team/{team}/"]),
            "created": self.rng.uniform(950, 2500),
            "kind": kind,
            "tags": self.tags(team),
            "keys": [],
            **self.groups_and_policies(team),
        }
        {
            "active": self.active,
            "stale-password": self.stale_password,
            "stale-key": self.stale_key,
            "never-used": self.never_used,
            "inactive-key": self.inactive_key,
            "other-credentials": self.other_credentials,
            "no-credentials": lambda _: None,
        }[kind](user)
        if kind not in ("no-credentials", "other-credentials") and self.chance(0.06):
            self.other_credentials(user)
        if user.get("password") and self.chance(0.5):
            user["mfa"] = True
        return user

    def tags(self, team):
        """Tags. Most users have an owner."""
        owner = {"owner": f"owner{self.rng.randrange(200)}@example.com"} if self.chance(0.8) else {}
        return {**owner, **({"team": team} if self.chance(0.9) else {})}

    def groups_and_policies(self, team):
        """The user's groups and policies."""
        return {
            "groups": [
                f"grp-{team}" for team in self.rng.sample(TEAMS, self.rng.choice([0, 1, 1, 2]))
            ],
            "inline_policies": ["inline"] if self.chance(0.1) else [],
            "attached_policies": [f"team-{team}"] if self.chance(0.1) else [],
        }

    def active(self, user):
        """Credentials in use, sometimes with a second key that is new or inactive."""
        with_password = self.chance(0.7)
        with_key = self.chance(0.7) or not with_password
        if with_password:
            used = self.days - 0.5 if self.chance(0.02) else self.recent()
            user["password"] = {"changed": self.age(), "last_used": used}
        if with_key:
            user["keys"].append(self.key(self.age(), self.recent()))
        if with_key and self.chance(0.1):
            user["keys"].append(self.key(self.rng.uniform(61, 400), self.recent()))
        elif with_key and self.chance(0.1):
            user["keys"].append(self.key(self.recent(), None))
            user["note"] = "second key new and never used"
        elif with_key and self.chance(0.08):
            user["keys"].append(self.key(945, self.old(), "Inactive"))
            user["note"] = "second key long inactive"

    def stale_password(self, user):
        """A stale password, sometimes with a key in use."""
        user["password"] = {"changed": 940, "last_used": self.stale()}
        if self.chance(0.5):
            user["keys"].append(self.key(self.age(), self.recent()))

    def stale_key(self, user):
        """A stale key, as the first or second key."""
        if self.chance(0.5):
            user["password"] = {"changed": self.age(), "last_used": self.recent()}
        keys = [self.key(940, self.stale())]
        if self.chance(0.3):
            keys.insert(self.rng.randrange(2), self.key(self.age(), self.recent()))
        user["keys"] = keys

    def never_used(self, user):
        """Credentials that were never used, old and new."""
        old, new, created = self.old(), self.recent(), user["created"]
        case = self.rng.choice(["password", "key", "new password", "new key", "new user", "both"])
        user["note"] = f"never used: {case}"
        if case == "new user":
            user["created"] = 20
            user["password"] = {"changed": 20, "last_used": None}
            user["keys"] = [self.key(19, None)]
        if case in ("password", "both"):
            user["password"] = {"changed": created, "last_used": None}
        if case in ("key", "both"):
            user["keys"] = [self.key(old, None)]
        if case == "new password":
            user["password"] = {"changed": new, "last_used": None}
        if case == "new key":
            user["keys"] = [self.key(new, None)]

    def inactive_key(self, user):
        """Only one or two inactive keys."""
        user["keys"].append(self.key(940, self.old() if self.chance(0.7) else None, "Inactive"))
        if self.chance(0.3):
            user["keys"].append(self.key(900, self.old(), "Inactive"))

    def other_credentials(self, user):
        """SSH keys, service-specific credentials or certificates, old and new."""
        seed = {"created": self.rng.uniform(1, 900)}
        seed["status"] = "Active" if self.chance(0.9) else "Inactive"
        kind = self.rng.choice(["ssh_keys", "service_credentials", "certificates"])
        if kind == "service_credentials":
            seed["service"] = self.rng.choice(SERVICES)
        user[kind] = [seed]
