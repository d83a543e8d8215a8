//! Which data to use, where it is, and one line that says so.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};

use super::embedded;
use super::error::{DataError, shown};
use super::files::IdxFile;
use super::split::Shape;
use super::verify::Identity;

/// The environment variable that names a data folder.
pub const DATA_VARIABLE: &str = "EI_NORM_DATA";
/// The folder that Debian's package `dataset-fashion-mnist` installs.
pub const SYSTEM_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

/// The data that the user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// The folder in `EI_NORM_DATA` where that is set and not empty, else the embedded subset.
    #[default]
    Default,
    /// This folder or file.
    Directory(PathBuf),
    /// All of Fashion-MNIST, from the user's cache or from the system.
    Full,
}

/// What the surroundings of the process say about data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The value of `EI_NORM_DATA`.
    pub data: Option<OsString>,
    /// The folder for downloaded data, where the user has a home.
    pub cache: Option<PathBuf>,
    /// The folder for data installed by the system.
    pub system: PathBuf,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self {
            data: std::env::var_os(DATA_VARIABLE),
            cache: choose_native_strategy()
                .ok()
                .map(|user| user.cache_dir().join("ei-norm").join("fashion-mnist")),
            system: PathBuf::from(SYSTEM_FOLDER),
        }
    }

    /// The folder for downloaded data.
    ///
    /// # Errors
    ///
    /// [`DataError::NoCacheFolder`] where the user has no home directory.
    pub fn cache_folder(&self) -> Result<&Path, DataError> {
        self.cache.as_deref().ok_or(DataError::NoCacheFolder)
    }
}

/// What made the program look into a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChosenBy {
    /// The user named it.
    Name,
    /// The environment variable `EI_NORM_DATA`.
    Variable,
    /// It is the cache of downloads.
    Cache,
    /// It is the folder of the system's package.
    System,
}

impl ChosenBy {
    /// What to add to the path so that a reader knows why it was used.
    fn remark(self) -> &'static str {
        match self {
            Self::Name => "",
            Self::Variable => " (named by EI_NORM_DATA)",
            Self::Cache => " (the download cache)",
            Self::System => " (the package dataset-fashion-mnist)",
        }
    }
}

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Embedded,
    Folder { path: PathBuf, chosen_by: ChosenBy },
}

impl Place {
    /// Turns what the user asked for into a place.
    pub(crate) fn resolve(
        selection: &Selection,
        environment: &Environment,
    ) -> Result<Self, DataError> {
        let folder = |path: &Path, chosen_by| Self::Folder {
            path: path.to_path_buf(),
            chosen_by,
        };
        match selection {
            Selection::Directory(path) => Ok(folder(path, ChosenBy::Name)),
            Selection::Default => Ok(match &environment.data {
                Some(path) if !path.is_empty() => folder(Path::new(path), ChosenBy::Variable),
                _ => Self::Embedded,
            }),
            Selection::Full => {
                let cache = environment.cache.as_deref();
                let system = environment.system.as_path();
                cache
                    .map(|path| (path, ChosenBy::Cache))
                    .into_iter()
                    .chain([(system, ChosenBy::System)])
                    .find(|(path, _)| is_complete(path))
                    .map(|(path, chosen_by)| folder(path, chosen_by))
                    .ok_or_else(|| DataError::NoFullData {
                        cache: cache.map_or_else(|| "a cache (no home directory)".into(), shown),
                        system: shown(system),
                    })
            }
        }
    }
}

/// Whether the folder has all four files; an interrupted download leaves fewer.
fn is_complete(folder: &Path) -> bool {
    IdxFile::ALL
        .iter()
        .all(|file| file.locate(folder).is_some())
}

/// What a data set is, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// How many training images it has.
    pub train: usize,
    /// How many test images it has.
    pub test: usize,
    /// The shape of an image.
    pub shape: Shape,
    /// The number of classes.
    pub classes: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (train, test) = (grouped(self.train), grouped(self.test));
        let Shape {
            channels,
            height,
            width,
        } = self.shape;
        let channels = match channels {
            1 => String::new(),
            other => format!("{other}x"),
        };
        write!(
            f,
            "{} ({train} training and {test} test images, {channels}{height}x{width}, {} classes)",
            self.name, self.classes
        )
    }
}

/// Which data is used; its `Display` is the one line that tells the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The subset that is compiled into the program.
    Embedded,
    /// A folder or a file.
    Folder {
        /// Its path.
        path: PathBuf,
        /// Why it was used.
        chosen_by: ChosenBy,
        /// Whether its content is known.
        identity: Identity,
        /// What it holds.
        summary: Summary,
    },
    /// Arrays of a program.
    Memory(Summary),
}

impl Source {
    /// What the data are, wherever they lie.
    pub fn content(&self) -> String {
        let known = |identity: Identity, train, test| {
            let (train, test) = (grouped(train), grouped(test));
            format!("{identity} ({train} training and {test} test images)")
        };
        match self {
            Self::Embedded => known(Identity::Subset, embedded::TRAIN, embedded::TEST),
            Self::Memory(summary) => summary.to_string(),
            Self::Folder {
                identity, summary, ..
            } => match identity {
                Identity::Other => summary.to_string(),
                identity => known(*identity, summary.train, summary.test),
            },
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.content())?;
        match self {
            Self::Folder {
                path, chosen_by, ..
            } => write!(f, " in {}{}", shown(path), chosen_by.remark()),
            Self::Embedded | Self::Memory(_) => Ok(()),
        }
    }
}

/// The number with a comma between each three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (60_000, "60,000")];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn the_cache_is_a_folder_of_our_own() {
        let environment = Environment::of_process();
        if let Ok(cache) = environment.cache_folder() {
            assert!(cache.ends_with("ei-norm/fashion-mnist"));
        }
        let homeless = Environment {
            cache: None,
            ..environment
        };
        assert_eq!(homeless.cache_folder(), Err(DataError::NoCacheFolder));
    }
}
