//! Exemptions, as the Markdown templates see them.

use serde::Serialize;

use crate::allowlist::{ExemptionStatus, UserSelector};
use crate::audit::{ExemptionMatch, ExemptionResult};
use crate::model::policy::Rule;
use crate::templates::SafeText;

#[derive(Serialize)]
pub(super) struct ExemptionView {
    user: Option<String>,
    pattern: Option<String>,
    /// The pattern that was probably meant, if this one looks like a regular expression.
    suggested_pattern: Option<String>,
    account: Option<SafeText>,
    credentials: Vec<String>,
    rules: Vec<&'static str>,
    /// Whether these are the default rules of an exemption.
    default_rules: bool,
    reason: String,
    owner: String,
    expires: SafeText,
    status: &'static str,
    matched: &'static str,
    users: usize,
    exempts: usize,
    line: usize,
}

pub(super) fn needs_attention(result: &ExemptionResult) -> bool {
    result.status != ExemptionStatus::InForce
        || matches!(result.matched, ExemptionMatch::NoUser | ExemptionMatch::ByCaseOnly)
}

pub(super) fn exemption_view(result: &ExemptionResult) -> ExemptionView {
    let exemption = &result.exemption;
    let (user, pattern) = match &exemption.user {
        UserSelector::Name(name) => (Some(name.clone()), None),
        UserSelector::Pattern(pattern) => (None, Some(pattern.as_str().to_owned())),
    };
    ExemptionView {
        user,
        pattern,
        suggested_pattern: exemption.user.suggested_pattern(),
        account: exemption.account.map(SafeText::new),
        credentials: exemption.credentials.iter().map(ToString::to_string).collect(),
        rules: exemption.rules.iter().map(|rule| rule.id()).collect(),
        default_rules: exemption.rules == Rule::disuse_rules(),
        reason: exemption.reason.clone(),
        owner: exemption.owner.clone(),
        expires: SafeText::new(exemption.expires),
        status: result.status.id(),
        matched: result.matched.id(),
        users: match result.matched {
            ExemptionMatch::Users(users) => users,
            _ => 0,
        },
        exempts: result.exempts,
        line: exemption.place.line,
    }
}
