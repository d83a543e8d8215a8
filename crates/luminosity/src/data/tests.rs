//! Tests of the selection and the identity of data.

use std::fs;
use std::path::{Path, PathBuf};

use super::testing::{environment, gzip, images, labels, load, refused, tiny, write_tiny};
use super::*;

/// The data that are selected without a name, with folders inside `root` only.
fn load_in(selection: Selection, root: &Path) -> Result<Dataset, Error> {
    Dataset::load_in(&selection, &environment(root))
}

#[test]
fn the_default_is_the_embedded_subset() {
    let root = tempfile::tempdir().unwrap();
    let data = load_in(Selection::Default, root.path()).unwrap();
    assert_eq!(data.place(), None);
    assert_eq!(
        data.source(),
        "embedded subset of Fashion-MNIST (10,000 training and 2,000 test images)"
    );
    for (split, length) in [(data.train(), 10_000), (data.test(), 2_000)] {
        assert_eq!((split.len(), split.classes()), (length, 10));
        for class in 0..10 {
            let members = split.labels().iter().filter(|&&label| label == class);
            assert_eq!(members.count(), length / 10, "class {class}");
        }
        // Real images are neither empty nor constant.
        let bright = |index| split.image(index).iter().any(|&pixel| pixel > 127);
        assert!((0..length).filter(|&index| bright(index)).count() > length * 9 / 10);
    }
    // The published data start with an ankle boot, in both splits.
    assert_eq!((data.train().label(0), data.test().label(0)), (9, 9));

    for (file, digest) in data.files().iter().zip(SUBSET_SHA256) {
        assert_eq!(file.sha256, digest);
        assert_eq!(file.identity, Some(Identity::Subset));
    }
    assert_eq!(
        data.files()[3].to_string(),
        format!(
            "embedded t10k-labels-idx1-ubyte.gz: 2000 labels, SHA-256 {}, \
             embedded subset of Fashion-MNIST",
            SUBSET_SHA256[3]
        )
    );
}

#[test]
fn a_directory_may_hold_other_data() {
    let root = tempfile::tempdir().unwrap();
    write_tiny(root.path());
    let data = load(root.path()).unwrap();
    assert_eq!((data.train().len(), data.test().len()), (12, 3));
    assert_eq!(data.train().image(11), [11; 784]);
    assert_eq!(data.test().labels(), [0, 1, 2]);
    assert_eq!(
        data.source(),
        format!(
            "{} (12 training and 3 test images, 28x28, 10 classes) in {}",
            data.name(),
            root.path().display()
        )
    );
}

#[test]
fn a_mixture_of_known_files_is_not_known_data() {
    let root = tempfile::tempdir().unwrap();
    write_tiny(root.path());
    for file in [IdxFile::TestImages, IdxFile::TestLabels] {
        fs::remove_file(root.path().join(file.name())).unwrap();
        let bytes = embedded::bytes(file);
        fs::write(root.path().join(file.gzipped_name()), bytes).unwrap();
    }
    let data = load(root.path()).unwrap();
    assert_eq!(data.files()[0].identity, Some(Identity::Other));
    assert_eq!(data.files()[3].identity, Some(Identity::Subset));
    assert_eq!(data.identity(), Identity::Other);
}

#[test]
fn the_digest_is_that_of_the_content() {
    let root = tempfile::tempdir().unwrap();
    write_tiny(root.path());
    let raw = load(root.path()).unwrap();
    // From `sha256sum` over the four files, and again over its output.
    assert_eq!(
        raw.sha256(),
        "b29d4fdf8009ebc7fe88b7ccbf29f6203d52f67f70999450ea3e06569c57d70b"
    );

    for file in IdxFile::ALL {
        fs::remove_file(root.path().join(file.name())).unwrap();
        fs::write(root.path().join(file.gzipped_name()), gzip(&tiny(file))).unwrap();
    }
    let mut packed = load(root.path()).unwrap();
    for (packed, raw) in packed.files.iter_mut().zip(&raw.files) {
        assert_eq!(packed.found, format!("{}.gz", raw.found));
        packed.found.clone_from(&raw.found);
    }
    assert_eq!(packed, raw);

    let mut changed = tiny(IdxFile::TestImages);
    changed[16] ^= 1;
    fs::write(root.path().join(IdxFile::TestImages.name()), changed).unwrap();
    assert_ne!(load(root.path()).unwrap().sha256(), raw.sha256());
}

#[test]
fn the_variable_names_a_folder_unless_it_is_empty() {
    let root = tempfile::tempdir().unwrap();
    let [folder, other] = ["mine", "other"].map(|name| root.path().join(name));
    write_tiny(&folder);
    write_tiny(&other);
    let source = |selection, value: &Path| {
        let environment = Environment {
            data: Some(value.into()),
            ..environment(root.path())
        };
        let data = Dataset::load_in(&selection, &environment);
        data.map_or_else(|error| error.to_string(), |data| data.source())
    };
    let named = format!("in {} (named by EI_NORM_DATA)", folder.display());
    assert!(source(Selection::Default, &folder).ends_with(&named));
    assert!(source(Selection::Default, Path::new("")).starts_with("embedded subset"));
    // A wrong value is an error; there is no fallback.
    let error = source(Selection::Default, Path::new("/no/such"));
    assert!(error.starts_with("/no/such: no such file or folder; must be"));
    // The option takes precedence over the variable.
    let named = format!("in {}", other.display());
    assert!(source(Selection::Directory(other), &folder).ends_with(&named));
}

#[test]
fn a_missing_or_malformed_file_is_named() {
    for file in IdxFile::ALL {
        let root = tempfile::tempdir().unwrap();
        let (folder, name) = (root.path().display(), file.name());
        write_tiny(root.path());
        fs::write(root.path().join(name), "").unwrap();
        let starts = |beginning: &str| {
            let error = load(root.path()).unwrap_err().to_string();
            assert!(error.starts_with(beginning), "{error}");
        };
        starts(&format!("{folder}/{name}"));
        fs::remove_file(root.path().join(name)).unwrap();
        starts(&format!(
            "{folder}: no file {name} or {name}.gz; it holds t"
        ));
    }
}

#[test]
fn counts_that_differ_are_refused() {
    for (file, content) in [
        (IdxFile::TrainLabels, labels(11)),
        (IdxFile::TestImages, images(4)),
    ] {
        let root = tempfile::tempdir().unwrap();
        write_tiny(root.path());
        let path = root.path().join(file.name());
        fs::write(&path, content).unwrap();
        let path = path.display().to_string();
        refused(root.path(), ["the counts must be equal", &path]);
    }
}

#[test]
fn full_is_a_complete_cache_or_the_system_and_nothing_but_the_published_data() {
    let root = tempfile::tempdir().unwrap();
    let [cache, system] = ["cache", "system"].map(|name| root.path().join(name));
    let refused = |reasons: &[&str]| {
        let text = load_in(Selection::Full, root.path())
            .unwrap_err()
            .to_string();
        for part in reasons {
            assert!(text.contains(part), "{part} not in {text}");
        }
    };
    refused(&[
        cache.to_str().unwrap(),
        system.to_str().unwrap(),
        "luminosity data --fetch",
        "apt-get install dataset-fashion-mnist",
        "--data DIR",
        "EI_NORM_DATA",
    ]);

    // `read` reports other data instead of failing.
    let found = || {
        let data = Dataset::read(&Selection::Full, &environment(root.path())).unwrap();
        let file = &data.files()[0];
        assert_eq!(file.identity, Some(Identity::Other));
        let text = file.to_string();
        assert!(text.ends_with("not the published Fashion-MNIST"), "{text}");
        data.place().unwrap().path.clone()
    };
    write_tiny(&system);
    assert_eq!(found(), system);
    write_tiny(&cache);
    assert_eq!(found(), cache);
    refused(&["must be the published"]);
    fs::remove_file(cache.join(IdxFile::TestLabels.name())).unwrap();
    assert_eq!(found(), system);
}

/// Runs where the published data are installed; the digests of the subset are checked everywhere.
#[test]
fn the_subset_is_the_first_of_each_class_of_the_published_data() {
    if !Path::new(SYSTEM_FOLDER).exists() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let system = Environment {
        system: PathBuf::from(SYSTEM_FOLDER),
        ..environment(root.path())
    };
    let full = Dataset::load_in(&Selection::Full, &system).unwrap();
    assert_eq!(
        full.source(),
        "the published Fashion-MNIST (60,000 training and 10,000 test images) \
         in /usr/share/datasets/fashion-mnist (the package dataset-fashion-mnist)"
    );
    let subset = load_in(Selection::Default, root.path()).unwrap();
    for (all, cut) in [(full.train(), subset.train()), (full.test(), subset.test())] {
        let mut taken = [0; 10];
        let mut next = 0;
        for index in 0..all.len() {
            let class = usize::from(all.label(index));
            if taken[class] < cut.len() / 10 {
                taken[class] += 1;
                assert_eq!(cut.label(next), all.label(index));
                assert_eq!(cut.image(next), all.image(index));
                next += 1;
            }
        }
        assert_eq!(next, cut.len());
    }
}

#[test]
fn digits_are_grouped_by_three() {
    let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (60_000, "60,000")];
    for (number, text) in cases {
        assert_eq!(grouped(number), text);
    }
    assert_eq!(grouped(1_234_567), "1,234,567");
}
