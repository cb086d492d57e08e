//! Plain values: accounts, users, credentials, rules, policy, names.

pub mod identity;
pub mod inventory;
pub mod policy;
pub mod remediation_tag;

/// Declares an enum whose variants have a text form: by default their names in kebab case. JSON,
/// the allowlist, the command line and templates use it.
macro_rules! text_enum {
    ($(#[$attribute:meta])* $visibility:vis enum $name:ident { $($variants:tt)* }) => {
        #[derive(
            Debug,
            Clone,
            Copy,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            strum::Display,
            strum::EnumString,
            strum::IntoStaticStr,
            strum::EnumCount,
            strum::VariantArray,
        )]
        #[strum(serialize_all = "kebab-case", const_into_str)]
        $(#[$attribute])*
        $visibility enum $name { $($variants)* }

        impl $name {
            /// All variants, in the order of their declaration.
            pub const ALL: [Self; <Self as strum::EnumCount>::COUNT] =
                $crate::model::all(<Self as strum::VariantArray>::VARIANTS);

            /// The text form.
            #[must_use]
            pub const fn id(self) -> &'static str {
                self.into_str()
            }
        }
    };
}
pub(crate) use text_enum;

/// The variants of an enum as an array, from the slice that `strum::VariantArray` derives.
#[expect(clippy::panic, reason = "runs at compile time")]
pub(crate) const fn all<T: Copy, const N: usize>(variants: &[T]) -> [T; N] {
    match variants.first_chunk() {
        Some(all) if variants.len() == N => *all,
        _ => panic!("N must be the number of variants"),
    }
}
