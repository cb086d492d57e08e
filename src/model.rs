//! Plain values: accounts, users, credentials, rules, policy, names.

pub mod identity;
pub mod inventory;
pub mod policy;
pub mod remediation_tag;

/// The variants of an enum as an array, from the slice that `strum::VariantArray` derives.
#[expect(clippy::panic, reason = "runs at compile time")]
pub(crate) const fn all<T: Copy, const N: usize>(variants: &[T]) -> [T; N] {
    match variants.first_chunk() {
        Some(all) if variants.len() == N => *all,
        _ => panic!("N must be the number of variants"),
    }
}
