//! A map of values by account and key, which is stored nested by account.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::inventory::AccountId;

/// Values by account, and by key in the account. Accounts without values are not in the map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "K: Ord + Deserialize<'de>, V: Deserialize<'de>"))]
pub struct ByAccount<K, V>(BTreeMap<AccountId, BTreeMap<K, V>>);

impl<K, V> ByAccount<K, V> {
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The accounts with values.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> {
        self.0.keys().copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = (AccountId, &K, &V)> {
        self.0
            .iter()
            .flat_map(|(account, values)| values.iter().map(|(key, it)| (*account, key, it)))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (AccountId, &K, &mut V)> {
        self.0
            .iter_mut()
            .flat_map(|(account, values)| values.iter_mut().map(|(key, it)| (*account, key, it)))
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values().flat_map(BTreeMap::values)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.values_mut().flat_map(BTreeMap::values_mut)
    }
}

impl<K: Ord, V> ByAccount<K, V> {
    pub fn get<Q: Ord + ?Sized>(&self, account: AccountId, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(&account)?.get(key)
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, account: AccountId, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(&account)?.get_mut(key)
    }

    pub fn insert(&mut self, account: AccountId, key: K, value: V) {
        self.0.entry(account).or_default().insert(key, value);
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, account: AccountId, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some(values) = self.0.get_mut(&account) {
            values.remove(key);
            if values.is_empty() {
                self.0.remove(&account);
            }
        }
    }

    /// Keeps the values for which `keep` returns `true`.
    pub fn retain(&mut self, mut keep: impl FnMut(AccountId, &K, &V) -> bool) {
        self.0.retain(|account, values| {
            values.retain(|key, value| keep(*account, key, value));
            !values.is_empty()
        });
    }

    /// Finds a value by its key alone.
    pub fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(AccountId, &V)>
    where
        K: Borrow<Q>,
    {
        self.0.iter().find_map(|(account, values)| Some((*account, values.get(key)?)))
    }
}

impl<K, V> Default for ByAccount<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord, V> FromIterator<((AccountId, K), V)> for ByAccount<K, V> {
    fn from_iter<T: IntoIterator<Item = ((AccountId, K), V)>>(values: T) -> Self {
        let mut by_account = Self::new();
        for ((account, key), value) in values {
            by_account.insert(account, key, value);
        }
        by_account
    }
}
