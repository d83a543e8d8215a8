//! The selection of the data and their location, and a line that describes them.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};

use super::embedded;
use super::files::IdxFile;
use super::split::Shape;
use super::verify::Identity;
use crate::Error;
use crate::error::shown;

/// The environment variable that names a data folder.
pub const DATA_VARIABLE: &str = "EI_NORM_DATA";
/// The folder that Debian's package `dataset-fashion-mnist` installs.
pub const SYSTEM_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

/// The data requested by the user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// The folder in `EI_NORM_DATA` if it is set and not empty, otherwise the embedded subset.
    #[default]
    Default,
    /// This folder or file.
    Directory(PathBuf),
    /// All of Fashion-MNIST, from the user's cache or from the system.
    Full,
}

/// The settings of the environment of the process that concern data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The value of `EI_NORM_DATA`.
    pub data: Option<OsString>,
    /// The folder for downloaded data, if the user has a home directory.
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
    /// [`Error::Data`] if the user has no home directory.
    pub fn cache_folder(&self) -> Result<&Path, Error> {
        self.cache.as_deref().ok_or_else(|| {
            let problem =
                "the user has no home directory to cache data in; name a folder with --data DIR";
            Error::Data(problem.to_owned())
        })
    }
}

/// The reason for the choice of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChosenBy {
    /// The user named the folder.
    Name,
    /// The environment variable `EI_NORM_DATA`.
    Variable,
    /// It is the folder of downloads.
    Cache,
    /// It is the folder of the system's package.
    System,
}

impl ChosenBy {
    /// A remark after the path that tells the reason for its use.
    fn remark(self) -> &'static str {
        match self {
            Self::Name => "",
            Self::Variable => " (named by EI_NORM_DATA)",
            Self::Cache => " (the download cache)",
            Self::System => " (the package dataset-fashion-mnist)",
        }
    }
}

/// The location of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Embedded,
    Folder { path: PathBuf, chosen_by: ChosenBy },
}

impl Place {
    /// The location for a selection.
    pub(crate) fn resolve(selection: &Selection, environment: &Environment) -> Result<Self, Error> {
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
                    .ok_or_else(|| {
                        Error::Data(format!(
                            "the full Fashion-MNIST is neither in {} nor in {}: get it with `luminosity data \
                             --fetch` or `apt-get install dataset-fashion-mnist`, or name a folder with \
                             --data DIR or EI_NORM_DATA",
                            cache.map_or_else(|| "a cache (no home directory)".into(), shown),
                            shown(system)
                        ))
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

/// A description of a data set in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// The number of training images.
    pub train: usize,
    /// The number of test images.
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

/// The source of the data; its `Display` is one line for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The subset that is compiled into the program.
    Embedded,
    /// A folder or a file.
    Folder {
        /// Its path.
        path: PathBuf,
        /// The reason for its use.
        chosen_by: ChosenBy,
        /// The identity of its content.
        identity: Identity,
        /// A description of its content.
        summary: Summary,
    },
    /// Arrays in memory, from a program.
    Memory(Summary),
}

impl Source {
    /// A description of the data without their location.
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

/// The number with a comma after each three digits.
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
        let error = homeless.cache_folder().unwrap_err().to_string();
        assert!(
            error.starts_with("the user has no home directory"),
            "{error}"
        );
    }
}
