//! Limits on the age of evidence.

use chrono::TimeDelta;

use super::EvidenceSource;

/// The maximum difference between two clocks. A later date is in the future.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// The limits on the age of evidence, in days. Older evidence is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxEvidenceAge {
    live_days: u32,
    exported_days: u32,
}

impl Default for MaxEvidenceAge {
    fn default() -> Self {
        Self { live_days: 1, exported_days: 7 }
    }
}

impl From<Option<u32>> for MaxEvidenceAge {
    /// One limit for all evidence, or the default limits.
    fn from(days: Option<u32>) -> Self {
        days.map_or_else(Self::default, |days| Self { live_days: days, exported_days: days })
    }
}

impl MaxEvidenceAge {
    /// The limit for this source, in days.
    #[must_use]
    pub const fn days(self, source: EvidenceSource) -> u32 {
        match source {
            EvidenceSource::ExportedReport => self.exported_days,
            EvidenceSource::FetchedReport | EvidenceSource::Live => self.live_days,
        }
    }
}
