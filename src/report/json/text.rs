//! Values of the audit JSON that have a text form.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value that is written as text. A file may come from a later version of the program, so unknown
/// text is kept. Code that needs the value reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text<T> {
    /// A known value.
    Known(T),
    /// Text that is not a value of this version.
    Unknown(String),
}

impl<T> Text<T> {
    /// The value, if it is known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

impl<T: Copy + Into<&'static str>> Text<T> {
    /// The text form.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(value) => (*value).into(),
            Self::Unknown(text) => text,
        }
    }
}

impl<T: FromStr> From<&str> for Text<T> {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Unknown(text.to_owned()), Self::Known)
    }
}

/// The value of a field that is missing in the file.
impl<T> Default for Text<T> {
    fn default() -> Self {
        Self::Unknown(String::new())
    }
}

impl<T: fmt::Display> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(value) => value.fmt(f),
            Self::Unknown(text) => text.fmt(f),
        }
    }
}

/// Fields of a JSON object are sorted by name.
impl<T: Copy + Eq + Into<&'static str>> Ord for Text<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl<T: Copy + Eq + Into<&'static str>> PartialOrd for Text<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        Ok(Self::from(text.as_ref()))
    }
}

/// Any text: a later version may add values.
impl<T> JsonSchema for Text<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::policy::Level;

    #[test]
    fn unknown_text_is_kept() {
        for (json, value) in [
            ("\"error\"", Text::Known(Level::Error)),
            ("\"fatal\"", Text::Unknown("fatal".to_owned())),
            ("\"Error\"", Text::Unknown("Error".to_owned())),
            ("\"\"", Text::default()),
        ] {
            let read: Text<Level> = serde_json::from_str(json).unwrap();
            assert_eq!(read, value);
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
        }
        assert!(serde_json::from_str::<Text<Level>>("1").is_err());
    }

    #[test]
    fn values_are_sorted_by_their_text() {
        let mut levels = ["warning", "off", "fatal", "error"].map(Text::<Level>::from);
        levels.sort();
        assert_eq!(levels.map(|level| level.to_string()), ["error", "fatal", "off", "warning"]);
    }
}
