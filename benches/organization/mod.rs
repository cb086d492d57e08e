//! Credential reports like those of a large organization. Always the same bytes.

use std::fmt::Write as _;

use chrono::{DateTime, Duration, Utc};

/// IAM's limit, and so the size of the largest report.
pub(crate) const USERS_PER_ACCOUNT: usize = 5_000;

/// The time from which days are counted.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-06-30T12:00:00Z".parse().unwrap()
}

const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
    password_last_changed,password_next_rotation,mfa_active,\
    access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,\
    access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,\
    access_key_2_last_used_region,access_key_2_last_used_service,\
    cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated,\
    additional_credentials_info";

/// The kind of user, for each share of a hundred users.
const SHARES: [(u32, Case); 6] = [
    (60, Case::Healthy),
    (15, Case::StalePassword),
    (15, Case::StaleKey),
    (5, Case::NeverUsed),
    (3, Case::InactiveKey),
    (2, Case::NoCredential),
];

#[derive(Clone, Copy)]
enum Case {
    Healthy,
    StalePassword,
    StaleKey,
    NeverUsed,
    InactiveKey,
    NoCredential,
}

/// The report of the `account`th account of the organization.
pub(crate) fn report(account: u32, users: usize) -> String {
    let mut dice = Dice(u64::from(account) + 1);
    let id = 100_000_000_000 + u64::from(account);
    let mut csv = HEADER.to_owned();
    let root_use = dice.ago(100, 900);
    write!(
        csv,
        "\n<root_account>,arn:aws:iam::{id}:root,2019-03-02T09:14:33Z,true,{root_use},\
         2019-03-02T09:14:33Z,not_supported,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,\
         false,N/A,false,N/A,N/A"
    )
    .unwrap();
    for number in 1..=users {
        csv.push('\n');
        row(&mut csv, &mut dice, id, number);
    }
    csv
}

fn row(csv: &mut String, dice: &mut Dice, account: u64, number: usize) {
    let case = dice.case();
    let path = format!("/division-{:02}/department-{:03}/", number % 12, number % 120);
    let created = dice.ago(400, 2_000);
    write!(csv, "user-{number:05},arn:aws:iam::{account}:user{path}user-{number:05},{created},")
        .unwrap();
    let fresh = |dice: &mut Dice| dice.ago(0, 60);
    let stale = |dice: &mut Dice| dice.ago(95, 390);
    let none = "false,N/A,N/A,N/A".to_owned();
    let password = |used: String, dice: &mut Dice| {
        let (changed, next) = (dice.ago(95, 390), dice.ago(0, 90));
        format!("true,{used},{changed},{next}")
    };
    let key = |active: bool, used: Option<String>, dice: &mut Dice| {
        let created = dice.ago(95, 390);
        let used = used.map_or("N/A,N/A,N/A".to_owned(), |it| format!("{it},eu-central-1,s3"));
        format!("{active},{created},{used}")
    };
    let no_key = "false,N/A,N/A,N/A,N/A".to_owned();
    let (password, key_1, key_2) = match case {
        // Two of three people also have an access key.
        Case::Healthy if dice.below(3) > 0 => {
            (password(fresh(dice), dice), key(true, Some(fresh(dice)), dice), no_key)
        }
        Case::Healthy => {
            (none, key(true, Some(fresh(dice)), dice), key(true, Some(fresh(dice)), dice))
        }
        Case::StalePassword => {
            (password(stale(dice), dice), key(true, Some(fresh(dice)), dice), no_key)
        }
        Case::StaleKey => (password(fresh(dice), dice), key(true, Some(stale(dice)), dice), no_key),
        Case::NeverUsed => {
            (password("no_information".to_owned(), dice), key(true, None, dice), no_key)
        }
        Case::InactiveKey => (none, key(false, Some(stale(dice)), dice), no_key),
        Case::NoCredential => (none, no_key.clone(), no_key),
    };
    let mfa = dice.below(2) == 0;
    write!(csv, "{password},{mfa},{key_1},{key_2},false,N/A,false,N/A,N/A").unwrap();
}

/// Fifty exemptions, five of them patterns. A third of them name users that exist.
pub(crate) fn allowlist() -> String {
    let mut yaml = "version: 1\nexemptions:\n".to_owned();
    let end = "reason: A reason\n    owner: \"@acme/platform\"\n    expires: 2027-01-31\n";
    for number in 1..=15 {
        write!(yaml, "  - user: user-{:05}\n    {end}", number * 331).unwrap();
    }
    for number in 1..=30 {
        write!(yaml, "  - user: service-{number}\n    {end}").unwrap();
    }
    for pattern in ["ses-smtp-*", "user-0012*", "*-bot", "user-*77", "ci-*-deploy"] {
        write!(yaml, "  - pattern: \"{pattern}\"\n    credentials: [access-key]\n    {end}")
            .unwrap();
    }
    yaml
}

/// Pseudorandom numbers that are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u32::try_from((z ^ (z >> 31)) >> 33).unwrap() % end
    }

    fn case(&mut self) -> Case {
        let mut left = self.below(100);
        for (share, case) in SHARES {
            if left < share {
                return case;
            }
            left -= share;
        }
        Case::NoCredential
    }

    /// A time between `min` and `max` days ago.
    fn ago(&mut self, min: u32, max: u32) -> String {
        let seconds = min * 86_400 + self.below((max - min) * 86_400);
        let moment = now() - Duration::seconds(i64::from(seconds));
        moment.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}
