//! The selection of the data, and their place.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};

use super::files::{complete, find};
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

/// The folder or file of the data; its `Display` is the path with a remark that tells the reason for its use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The path.
    pub path: PathBuf,
    /// The remark; empty if the user named the place.
    pub remark: &'static str,
}

impl Place {
    /// The place of a selection; none for the embedded subset.
    pub(crate) fn of(
        selection: &Selection,
        environment: &Environment,
    ) -> Result<Option<Self>, Error> {
        let place = |path: &Path, remark| {
            let path = path.to_owned();
            Some(Self { path, remark })
        };
        match selection {
            Selection::Directory(path) => Ok(place(path, "")),
            Selection::Default => {
                let path = environment.data.as_ref().filter(|path| !path.is_empty());
                Ok(path.and_then(|path| place(Path::new(path), " (named by EI_NORM_DATA)")))
            }
            Selection::Full => {
                let cache = environment.cache.as_deref();
                let system = environment.system.as_path();
                // An interrupted download leaves fewer than four files.
                let is_complete = |folder| find(folder).remove("").and_then(complete).is_some();
                if let Some(cache) = cache.filter(|folder| is_complete(folder)) {
                    return Ok(place(cache, " (the download cache)"));
                }
                if is_complete(system) {
                    return Ok(place(system, " (the package dataset-fashion-mnist)"));
                }
                Err(Error::Data(format!(
                    "the full Fashion-MNIST is neither in {} nor in {}: get it with `luminosity data \
                     --fetch` or `apt-get install dataset-fashion-mnist`, or name a folder with \
                     --data DIR or EI_NORM_DATA",
                    cache.map_or_else(|| "a cache (no home directory)".into(), shown),
                    shown(system)
                )))
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", shown(&self.path), self.remark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
