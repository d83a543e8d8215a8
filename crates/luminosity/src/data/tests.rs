use std::fs;
use std::path::{Path, PathBuf};

use super::testing::{environment, gzip, images, labels, tiny, write_tiny};
use super::verify::verify_in;
use super::*;

fn load(selection: &Selection, root: &Path) -> Result<Dataset, Error> {
    Dataset::load_in(selection, &environment(root))
}

fn directory(path: &Path) -> Selection {
    Selection::Directory(path.to_path_buf())
}

#[test]
fn the_default_is_the_embedded_subset() {
    let root = tempfile::tempdir().unwrap();
    let data = load(&Selection::Default, root.path()).unwrap();
    assert_eq!(
        data.source().to_string(),
        "embedded subset of Fashion-MNIST (10,000 training and 2,000 test images)"
    );
    for (split, length) in [
        (data.train(), embedded::TRAIN),
        (data.test(), embedded::TEST),
    ] {
        assert_eq!((split.len(), split.classes()), (length, 10));
        for class in 0..10 {
            let members = split
                .labels()
                .iter()
                .filter(|&&label| usize::from(label) == class);
            assert_eq!(members.count(), length / 10, "class {class}");
        }
        // Real images are neither empty nor constant.
        let bright = |index| split.image(index).iter().any(|&pixel| pixel > 127);
        assert!((0..length).filter(|&index| bright(index)).count() > length * 9 / 10);
    }
    // The published data start with an ankle boot, in both splits.
    assert_eq!((data.train().label(0), data.test().label(0)), (9, 9));
}

#[test]
fn a_directory_may_hold_other_data() {
    let root = tempfile::tempdir().unwrap();
    write_tiny(root.path());
    let data = load(&directory(root.path()), root.path()).unwrap();
    assert_eq!((data.train().len(), data.test().len()), (12, 3));
    assert_eq!(data.train().image(11), [11; 784]);
    assert_eq!(data.test().labels(), [0, 1, 2]);
    assert_eq!(
        data.source().to_string(),
        format!(
            "{} (12 training and 3 test images, 28x28, 10 classes) in {}",
            data.name(),
            root.path().display()
        )
    );
}

#[test]
fn the_digest_is_that_of_the_content() {
    let root = tempfile::tempdir().unwrap();
    write_tiny(root.path());
    let raw = load(&directory(root.path()), root.path()).unwrap();
    // From `sha256sum` over the four files, and again over its output.
    assert_eq!(
        raw.sha256(),
        "b29d4fdf8009ebc7fe88b7ccbf29f6203d52f67f70999450ea3e06569c57d70b"
    );

    for file in IdxFile::ALL {
        fs::remove_file(root.path().join(file.name())).unwrap();
        fs::write(root.path().join(file.gzipped_name()), gzip(&tiny(file))).unwrap();
    }
    let packed = load(&directory(root.path()), root.path()).unwrap();
    assert_eq!(packed, raw);

    let mut changed = tiny(IdxFile::TestImages);
    changed[16] ^= 1;
    fs::write(root.path().join(IdxFile::TestImages.name()), changed).unwrap();
    let changed = load(&directory(root.path()), root.path()).unwrap();
    assert_ne!(changed.sha256(), raw.sha256());
}

#[test]
fn the_variable_names_a_folder_unless_it_is_empty() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("mine");
    write_tiny(&folder);
    let with = |value: &Path| Environment {
        data: Some(value.into()),
        ..environment(root.path())
    };
    let data = Dataset::load_in(&Selection::Default, &with(&folder)).unwrap();
    assert!(
        data.source()
            .to_string()
            .ends_with(&format!("in {} (named by EI_NORM_DATA)", folder.display()))
    );

    let data = Dataset::load_in(&Selection::Default, &with(Path::new(""))).unwrap();
    assert_eq!(data.source(), &Source::Embedded);

    // A wrong value is an error; there is no fallback.
    let error = Dataset::load_in(&Selection::Default, &with(Path::new("/no/such"))).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/no/such: no such file or folder; must be")
    );

    // The option takes precedence over the variable.
    let other = root.path().join("other");
    write_tiny(&other);
    let data = Dataset::load_in(&directory(&other), &with(&folder)).unwrap();
    assert!(matches!(
        data.source(),
        Source::Folder { path, chosen_by: ChosenBy::Name, .. } if *path == other
    ));
}

#[test]
fn a_missing_file_is_named() {
    for file in IdxFile::ALL {
        let root = tempfile::tempdir().unwrap();
        write_tiny(root.path());
        fs::remove_file(root.path().join(file.name())).unwrap();
        let error = load(&directory(root.path()), root.path()).unwrap_err();
        let (folder, name) = (root.path().display(), file.name());
        let beginning = format!("{folder}: no file {name} or {name}.gz; it holds t");
        assert!(error.to_string().starts_with(&beginning), "{error}");
    }
}

#[test]
fn a_malformed_file_is_named() {
    for file in IdxFile::ALL {
        let root = tempfile::tempdir().unwrap();
        write_tiny(root.path());
        let path = root.path().join(file.name());
        fs::write(&path, "").unwrap();
        let error = load(&directory(root.path()), root.path()).unwrap_err();
        let name = path.display().to_string();
        assert!(error.to_string().starts_with(&name), "{error}");
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
        let error = load(&directory(root.path()), root.path()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("the counts must be equal"), "{text}");
        assert!(text.contains(&path.display().to_string()), "{text}");
    }
}

#[test]
fn full_prefers_the_cache_when_it_is_complete() {
    let root = tempfile::tempdir().unwrap();
    let found = |root: &Path| -> PathBuf {
        match verify_in(&Selection::Full, &environment(root))
            .unwrap()
            .source
        {
            Source::Folder { path, .. } => path,
            other => panic!("{other} is not the full data"),
        }
    };
    write_tiny(&root.path().join("system"));
    assert_eq!(found(root.path()), root.path().join("system"));

    let cache = root.path().join("cache");
    write_tiny(&cache);
    assert_eq!(found(root.path()), cache);

    fs::remove_file(cache.join(IdxFile::TestLabels.name())).unwrap();
    assert_eq!(found(root.path()), root.path().join("system"));
}

#[test]
fn full_without_data_says_how_to_get_it() {
    let root = tempfile::tempdir().unwrap();
    let text = load(&Selection::Full, root.path()).unwrap_err().to_string();
    for part in [
        root.path().join("cache").to_str().unwrap(),
        root.path().join("system").to_str().unwrap(),
        "luminosity data --fetch",
        "apt-get install dataset-fashion-mnist",
        "--data DIR",
        "EI_NORM_DATA",
    ] {
        assert!(text.contains(part), "{part} not in {text}");
    }
}

#[test]
fn full_takes_nothing_but_the_published_data() {
    let root = tempfile::tempdir().unwrap();
    write_tiny(&root.path().join("cache"));
    let error = load(&Selection::Full, root.path()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("must be the published"), "{text}");

    // `verify_in` reports this instead of failing.
    let report = verify_in(&Selection::Full, &environment(root.path())).unwrap();
    assert_eq!(report.files[0].identity, Some(Identity::Other));
    assert!(
        report.files[0]
            .to_string()
            .ends_with("not the published Fashion-MNIST")
    );
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
        full.source().to_string(),
        "the published Fashion-MNIST (60,000 training and 10,000 test images) \
         in /usr/share/datasets/fashion-mnist (the package dataset-fashion-mnist)"
    );
    let subset = load(&Selection::Default, root.path()).unwrap();
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
