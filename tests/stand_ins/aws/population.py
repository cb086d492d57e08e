"""A random population of users: the same for the same seed, in whatever account."""

import random

from .seeds import add_user

# What a user is, and how many of a hundred are so.
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
    """Adds so many users to the account."""
    people = Population(seed, account.days)
    for number in range(count):
        add_user(account, people.user(number))


class Population:
    """Makes users' seeds; `days` is the threshold that some of them lie closely around."""

    def __init__(self, seed, days):
        self.rng, self.days = random.Random(f"population {seed}"), days

    def chance(self, share):
        """True in this share of cases."""
        return self.rng.random() < share

    def recent(self):
        """Days ago well within the threshold."""
        return self.rng.uniform(0.1, self.days * 2 / 3)

    def old(self):
        """Days ago well beyond the threshold."""
        return self.rng.uniform(self.days + 2, 900)

    def stale(self, share_at_edge=0.05):
        """Days ago beyond the threshold, at times by half a day only."""
        return self.days + 0.5 if self.chance(share_at_edge) else self.old()

    def age(self):
        """Days ago at which a credential was made that is used since."""
        return self.rng.uniform(100, 940)

    def key(self, created, last_used, status="Active"):
        """An access key's seed."""
        service, region = self.rng.choice(PLACES)
        used = {"last_used": last_used, "service": service, "region": region}
        return {"created": created, "status": status, **used}

    def user(self, number):
        """The seed of one user."""
        kind = self.rng.choices(list(KINDS), list(KINDS.values()))[0]
        team = self.rng.choice(TEAMS)
        person = {
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
        }[kind](person)
        if kind not in ("no-credentials", "other-credentials") and self.chance(0.06):
            self.other_credentials(person)
        if person.get("password") and self.chance(0.5):
            person["mfa"] = True
        return person

    def tags(self, team):
        """Tags as many people set them: most users have an owner."""
        owner = {"owner": f"owner{self.rng.randrange(200)}@example.com"} if self.chance(0.8) else {}
        return {**owner, **({"team": team} if self.chance(0.9) else {})}

    def groups_and_policies(self, team):
        """The user's groups and policies."""
        return {
            "groups": [f"grp-{it}" for it in self.rng.sample(TEAMS, self.rng.choice([0, 1, 1, 2]))],
            "inline_policies": ["inline"] if self.chance(0.1) else [],
            "attached_policies": [f"team-{team}"] if self.chance(0.1) else [],
        }

    def active(self, person):
        """In use; at times with a second key, new or long deactivated."""
        with_password = self.chance(0.7)
        with_key = self.chance(0.7) or not with_password
        if with_password:
            used = self.days - 0.5 if self.chance(0.02) else self.recent()
            person["password"] = {"changed": self.age(), "last_used": used}
        if with_key:
            person["keys"].append(self.key(self.age(), self.recent()))
        if with_key and self.chance(0.1):
            person["keys"].append(self.key(self.rng.uniform(61, 400), self.recent()))
        elif with_key and self.chance(0.1):
            person["keys"].append(self.key(self.recent(), None))
            person["note"] = "second key new and never used"
        elif with_key and self.chance(0.08):
            person["keys"].append(self.key(945, self.old(), "Inactive"))
            person["note"] = "second key long inactive"

    def stale_password(self, person):
        """A password out of use, at times beside a key in use."""
        person["password"] = {"changed": 940, "last_used": self.stale()}
        if self.chance(0.5):
            person["keys"].append(self.key(self.age(), self.recent()))

    def stale_key(self, person):
        """A key out of use, first or second of the user's keys."""
        if self.chance(0.5):
            person["password"] = {"changed": self.age(), "last_used": self.recent()}
        keys = [self.key(940, self.stale())]
        if self.chance(0.3):
            keys.insert(self.rng.randrange(2), self.key(self.age(), self.recent()))
        person["keys"] = keys

    def never_used(self, person):
        """Credentials that were never used, old and new."""
        old, new, born = self.old(), self.recent(), person["created"]
        way = self.rng.choice(["password", "key", "new password", "new key", "new user", "both"])
        person["note"] = f"never used: {way}"
        if way == "new user":
            person["created"] = 20
            person["password"] = {"changed": 20, "last_used": None}
            person["keys"] = [self.key(19, None)]
        if way in ("password", "both"):
            person["password"] = {"changed": born, "last_used": None}
        if way in ("key", "both"):
            person["keys"] = [self.key(old, None)]
        if way == "new password":
            person["password"] = {"changed": new, "last_used": None}
        if way == "new key":
            person["keys"] = [self.key(new, None)]

    def inactive_key(self, person):
        """One or two inactive keys and nothing else."""
        person["keys"].append(self.key(940, self.old() if self.chance(0.7) else None, "Inactive"))
        if self.chance(0.3):
            person["keys"].append(self.key(900, self.old(), "Inactive"))

    def other_credentials(self, person):
        """SSH keys, service-specific credentials or certificates, old and new."""
        seed = {"created": self.rng.uniform(1, 900)}
        seed["status"] = "Active" if self.chance(0.9) else "Inactive"
        way = self.rng.choice(["ssh_keys", "service_credentials", "certificates"])
        if way == "service_credentials":
            seed["service"] = self.rng.choice(SERVICES)
        person[way] = [seed]
