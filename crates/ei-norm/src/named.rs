//! Enums whose variants have names in configurations, records and on command lines.

/// Gives an enum the list of its variants and their names, which are those of its serialization:
/// `ALL`, `name`, `Display` and `FromStr`. `$option` is the name of the option in errors.
macro_rules! named {
    ($type:ident, $option:literal, $count:literal: $first:ident $first_name:literal $(, $variant:ident $name:literal)*) => {
        impl $type {
            /// All variants.
            pub const ALL: [Self; $count] = [Self::$first $(, Self::$variant)*];

            /// The name in configurations, records and on command lines.
            pub fn name(self) -> &'static str {
                match self {
                    Self::$first => $first_name,
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = crate::Error;

            fn from_str(name: &str) -> Result<Self, crate::Error> {
                let found = Self::ALL.into_iter().find(|variant| variant.name() == name);
                found.ok_or_else(|| {
                    let allowed = concat!($first_name $(, ", ", $name)*);
                    crate::Error::config($option, name, allowed)
                })
            }
        }
    };
}
pub(crate) use named;
