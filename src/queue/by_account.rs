//! Maps of the queue state as they are stored: nested by account, with times in seconds.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer, Serialize, Serializer};

use crate::model::inventory::AccountId;

type Nested<K, V> = BTreeMap<AccountId, BTreeMap<K, V>>;

/// Maps whose key begins with the account.
pub(in crate::queue) mod pairs {
    use super::*;

    pub(in crate::queue) fn serialize<K: Ord + Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<(AccountId, K), V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut nested: Nested<&K, &V> = BTreeMap::new();
        for ((account, key), value) in map {
            nested.entry(*account).or_default().insert(key, value);
        }
        nested.serialize(serializer)
    }

    pub(in crate::queue) fn deserialize<'de, K, V, D>(
        deserializer: D,
    ) -> Result<BTreeMap<(AccountId, K), V>, D::Error>
    where
        K: Ord + DeserializeOwned,
        V: DeserializeOwned,
        D: Deserializer<'de>,
    {
        let nested = Nested::<K, V>::deserialize(deserializer)?.into_iter();
        let pairs = |(account, values): (AccountId, BTreeMap<K, V>)| {
            values.into_iter().map(move |(key, value)| ((account, key), value))
        };
        Ok(nested.flat_map(pairs).collect())
    }
}

/// A value that knows its account.
pub(in crate::queue) trait InAccount {
    fn account(&self) -> AccountId;
    fn set_account(&mut self, account: AccountId);
}

/// Maps whose values know their account, and do not store it again.
pub(in crate::queue) mod values {
    use super::*;

    pub(in crate::queue) fn serialize<
        K: Ord + Serialize,
        V: InAccount + Serialize,
        S: Serializer,
    >(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut nested: Nested<&K, &V> = BTreeMap::new();
        for (key, value) in map {
            nested.entry(value.account()).or_default().insert(key, value);
        }
        nested.serialize(serializer)
    }

    pub(in crate::queue) fn deserialize<'de, K, V, D>(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Ord + fmt::Display + DeserializeOwned,
        V: InAccount + DeserializeOwned,
        D: Deserializer<'de>,
    {
        let mut map = BTreeMap::new();
        for (account, values) in Nested::<K, V>::deserialize(deserializer)? {
            for (key, mut value) in values {
                value.set_account(account);
                if map.contains_key(&key) {
                    return Err(D::Error::custom(format!("{key} is in two accounts")));
                }
                map.insert(key, value);
            }
        }
        Ok(map)
    }
}

/// A time per account.
pub(in crate::queue) mod times {
    use super::*;

    pub(in crate::queue) fn serialize<S: Serializer>(
        map: &BTreeMap<AccountId, DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(map.iter().map(|(account, at)| (account, at.timestamp())))
    }

    pub(in crate::queue) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<AccountId, DateTime<Utc>>, D::Error> {
        let seconds = BTreeMap::<AccountId, i64>::deserialize(deserializer)?.into_iter();
        seconds.map(|(account, at)| Ok((account, time(at)?))).collect()
    }
}

/// A value with a time.
pub(in crate::queue) mod dated {
    use super::*;

    pub(in crate::queue) fn serialize<K: Serialize, S: Serializer>(
        dated: &Option<(K, DateTime<Utc>)>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        dated.as_ref().map(|(what, at)| (what, at.timestamp())).serialize(serializer)
    }

    pub(in crate::queue) fn deserialize<'de, K: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<(K, DateTime<Utc>)>, D::Error> {
        let dated = Option::<(K, i64)>::deserialize(deserializer)?;
        dated.map(|(what, at)| Ok((what, time(at)?))).transpose()
    }
}

fn time<E: serde::de::Error>(seconds: i64) -> Result<DateTime<Utc>, E> {
    DateTime::from_timestamp(seconds, 0).ok_or_else(|| E::custom("the time is out of range"))
}
