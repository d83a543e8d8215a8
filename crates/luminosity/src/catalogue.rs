//! Values with names: conditions, networks, stimuli, measures and data sets. A program may add its own.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

/// A value with a name on the command line and in records.
pub trait Entry: Send + Sync + Sized + 'static {
    /// The word for its kind, such as `condition`.
    const KIND: &'static str;

    /// The name.
    fn name(&self) -> &'static str;

    /// The catalogue of this kind.
    fn catalogue() -> &'static Catalogue<Self>;
}

/// Makes entries of a type by its field `name`: the word for their kind, and the built-in entries.
macro_rules! entries {
    ($entry:ty, $kind:literal, $built_in:expr) => {
        impl $crate::catalogue::Entry for $entry {
            const KIND: &'static str = $kind;

            fn name(&self) -> &'static str {
                self.name
            }

            fn catalogue() -> &'static $crate::catalogue::Catalogue<Self> {
                static CATALOGUE: $crate::catalogue::Catalogue<$entry> =
                    $crate::catalogue::Catalogue::new($built_in);
                &CATALOGUE
            }
        }
    };
}
pub(crate) use entries;

/// All entries of a kind: first the built-in entries, then the entries that a program has added.
#[derive(Debug)]
pub struct Catalogue<E: 'static> {
    built_in: &'static [Named<E>],
    added: RwLock<Vec<Named<E>>>,
}

impl<E: Entry> Catalogue<E> {
    /// The catalogue with the built-in entries.
    pub const fn new(built_in: &'static [Named<E>]) -> Self {
        Self {
            built_in,
            added: RwLock::new(Vec::new()),
        }
    }
}

/// An entry as configurations and records hold it: by its name.
#[derive(Debug)]
pub struct Named<E: 'static>(&'static E);

impl<E: Entry> Named<E> {
    /// A built-in entry.
    pub(crate) const fn built_in(entry: &'static E) -> Self {
        Self(entry)
    }

    /// Adds an entry of the program, before the command line is read. It is never freed.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the name is taken, or has characters other than lower-case letters, digits, `+`,
    /// `-` and `_`.
    pub fn define(entry: E) -> Result<Self, Error> {
        let name = entry.name();
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-_".contains(c);
        if name.is_empty() || !name.chars().all(fits) || name.starts_with('-') {
            let allowed = "lower-case letters, digits, + - and _, with no - in front";
            return Err(Error::usage(E::KIND, format!("{name:?}"), allowed));
        }
        if Self::all().iter().any(|known| known.name() == name) {
            return Err(Error::usage(E::KIND, name, "a name that is not taken"));
        }
        let entry = Self(Box::leak(Box::new(entry)));
        let added = E::catalogue().added.write();
        added.unwrap_or_else(PoisonError::into_inner).push(entry);
        Ok(entry)
    }

    /// All entries, in the order of lists and figures.
    pub fn all() -> Vec<Self> {
        let Catalogue { built_in, added } = E::catalogue();
        let added = added.read().unwrap_or_else(PoisonError::into_inner);
        [*built_in, added.as_slice()].concat()
    }

    /// The position of this entry in [`all`](Self::all).
    pub fn index(self) -> usize {
        let all = Self::all();
        let found = all.iter().position(|other| *other == self);
        found.unwrap_or(all.len())
    }

    /// The name on the command line and in records.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// All names, for messages.
    pub fn names() -> String {
        let names: Vec<_> = Self::all().into_iter().map(Self::name).collect();
        names.join(", ")
    }
}

impl<E> Clone for Named<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Named<E> {}

impl<E> Deref for Named<E> {
    type Target = E;

    fn deref(&self) -> &E {
        self.0
    }
}

impl<E: Entry> PartialEq for Named<E> {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl<E: Entry> Eq for Named<E> {}

impl<E: Entry> Hash for Named<E> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl<E: Entry> fmt::Display for Named<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl<E: Entry> FromStr for Named<E> {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::all()
            .into_iter()
            .find(|entry| entry.name() == name)
            .ok_or_else(|| Error::usage(E::KIND, name, &Self::names()))
    }
}

impl<E: Entry> Serialize for Named<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de, E: Entry> Deserialize<'de> for Named<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Colour {
        name: &'static str,
    }

    entries!(Colour, "colour", &[Named(&Colour { name: "red" })]);

    #[test]
    fn what_a_program_adds_is_known_by_its_name() {
        let green = Named::define(Colour { name: "green" }).unwrap();
        assert_eq!("green".parse::<Named<Colour>>().unwrap(), green);
        assert_eq!(green.index(), 1);
        let json = serde_json::to_value(green).unwrap();
        assert_eq!(json, "green");
        assert_eq!(
            serde_json::from_value::<Named<Colour>>(json).unwrap(),
            green
        );
        let unknown = "blue".parse::<Named<Colour>>().unwrap_err().to_string();
        assert_eq!(unknown, "colour is blue; allowed: red, green");
        for (name, reason) in [
            ("red", "not taken"),
            ("Dark Red", "lower-case"),
            ("", "letters"),
        ] {
            let message = Named::define(Colour { name }).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
        }
    }
}
