use std::fs;
use std::net::TcpListener;

use super::*;
use crate::data::files::list;
use crate::data::sha256;
use crate::data::testing::{gzip, tiny};
use crate::error::shown;

mod server;

use server::{good, not_found, response, serve};

/// The digest that the tiny data set must have.
fn digest(file: IdxFile) -> String {
    sha256([&tiny(file)[..]])
}

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

/// Downloads the tiny data set, without a proxy from the environment.
fn run(base_url: &str, folder: &Path, progress: &mut Observer<'_>) -> Result<Vec<Fetched>, Error> {
    let digests = IdxFile::ALL.map(digest);
    let config = Agent::config_builder()
        .proxy(None)
        .timeout_per_read(Some(Duration::from_secs(2)));
    let agent = config.build().into();
    let expected = digests.each_ref().map(String::as_str);
    fetch_with(&agent, base_url, folder, expected, 1 << 20, progress)
}

fn names_in(folder: &Path) -> Vec<String> {
    assert!(folder.is_dir(), "{folder:?}");
    list(folder).into_keys().collect()
}

#[test]
fn a_download_that_is_interrupted_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut heard = 0;
    let stopped = run(&serve(good), folder.path(), &mut |_| {
        heard += 1;
        match heard {
            1 => GO_ON,
            _ => ControlFlow::Break(()),
        }
    });
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    assert_eq!(names_in(folder.path()), Vec::<String>::new());
}

#[test]
fn all_four_files_arrive_and_are_not_fetched_again() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("new").join("folder");
    let mut seen = Vec::new();
    let mut last = None;
    let base_url = serve(good);
    let fetched = run(&base_url, &folder, &mut |progress| {
        seen.push(progress.file.to_owned());
        if let (Some(received), Some(total)) = (last, progress.total)
            && progress.received > 0
        {
            assert!(received < progress.received && progress.received <= total);
        }
        last = Some(progress.received);
        assert!(progress.total.is_some());
        GO_ON
    });
    for (file, fetched) in IdxFile::ALL.into_iter().zip(fetched.unwrap()) {
        assert_eq!(fetched.path, folder.join(file.gzipped_name()));
        assert!(!fetched.was_there);
        assert_eq!(fs::read(fetched.path).unwrap(), gzip(&tiny(file)));
    }
    seen.dedup();
    assert_eq!(seen, IdxFile::ALL.map(IdxFile::gzipped_name));
    assert_eq!(last, Some(gzip(&tiny(IdxFile::TestLabels)).len() as u64));
    assert_eq!(names_in(&folder).len(), 4);

    let again = run(&base_url, &folder, &mut |_| panic!("fetched again")).unwrap();
    assert!(again.iter().all(|file| file.was_there));
}

#[test]
fn only_what_is_missing_or_damaged_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let place = |file: IdxFile, bytes: &[u8]| {
        fs::write(folder.path().join(file.gzipped_name()), bytes).unwrap();
    };
    place(IdxFile::TrainLabels, &gzip(&tiny(IdxFile::TrainLabels)));
    place(IdxFile::TestImages, b"half a fi");
    // A well-formed file, but the wrong one.
    place(IdxFile::TestLabels, &tiny(IdxFile::TrainLabels));
    let fetched = run(&serve(good), folder.path(), &mut |_| GO_ON).unwrap();
    let there: Vec<bool> = fetched.iter().map(|file| file.was_there).collect();
    assert_eq!(there, [false, true, false, false]);
    for file in IdxFile::ALL {
        let path = folder.path().join(file.gzipped_name());
        assert_eq!(fs::read(path).unwrap(), gzip(&tiny(file)));
    }
}

#[test]
fn a_wrong_file_that_would_be_preferred_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(IdxFile::TrainImages.name());
    fs::write(&path, "mine").unwrap();
    let error = run(&serve(good), folder.path(), &mut |_| GO_ON).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("{}: not the published file", shown(&path))),
        "{text}"
    );
    assert_eq!(fs::read(path).unwrap(), b"mine");
}

#[test]
fn a_failure_is_reported_and_leaves_nothing() {
    fn changed(file: IdxFile) -> Vec<u8> {
        let mut content = tiny(file);
        content[20] ^= 1;
        let body = gzip(&content);
        response(&body, body.len())
    }
    fn short_of_its_length(file: IdxFile) -> Vec<u8> {
        let body = gzip(&tiny(file));
        response(&body[..body.len() / 2], body.len())
    }
    fn without_length(file: IdxFile) -> Vec<u8> {
        let body = gzip(&tiny(file));
        [b"HTTP/1.0 200 OK\r\n\r\n", &body[..body.len() / 2]].concat()
    }
    let listener = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        (listener, url)
    };
    // The system accepts connections, but nothing answers.
    let (_silent, of_silent) = listener();
    let of_closed = || listener().1;
    let expected = format!("must be {}", digest(IdxFile::TrainImages));
    let page = |_| response(b"<html>Please log in</html>", 26);
    let long = |_| response(&vec![0; 2 << 20], 2 << 20);
    for (base_url, reason) in [
        (serve(changed), expected.as_str()),
        (serve(page), "web page"),
        (serve(short_of_its_length), "disconnect"),
        (serve(without_length), "damaged gzip"),
        (serve(long), "larger"),
        (serve(|_| not_found()), "404"),
        (of_silent, "timeout"),
        ("not an address/".to_owned(), "uri"),
        // Closed last, so that no server above gets its port.
        (of_closed(), "refused"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("ei-norm").join("data");
        let error = run(&base_url, &folder, &mut |_| GO_ON).unwrap_err();
        let text = error.to_string();
        let url = format!("{base_url}train-images-idx3-ubyte.gz: ");
        for part in [&url, reason, "dataset-fashion-mnist", "--data DIR"] {
            assert!(text.contains(part), "{part} not in {text}");
        }
        assert!(!text.contains('\n'));
        assert_eq!(names_in(&folder), [""; 0]);
    }
}

#[test]
fn a_failed_download_keeps_the_files_before_it() {
    fn second_is_gone(file: IdxFile) -> Vec<u8> {
        match file {
            IdxFile::TrainLabels => not_found(),
            other => good(other),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let error = run(&serve(second_is_gone), folder.path(), &mut |_| GO_ON).unwrap_err();
    assert!(error.to_string().contains("train-labels-idx1-ubyte.gz"));
    assert_eq!(
        names_in(folder.path()),
        [IdxFile::TrainImages.gzipped_name()]
    );
}

#[test]
fn a_place_that_cannot_be_written_is_named_and_left_without_temporaries() {
    let root = tempfile::tempdir().unwrap();
    let not_stored = |folder: &Path, action: &str, place: &Path| {
        let error = run(&serve(good), folder, &mut |_| GO_ON).unwrap_err();
        let start = format!("cannot {action} {}: ", shown(place));
        assert!(error.to_string().starts_with(&start), "{error}");
    };
    let below_a_file = root.path().join("file").join("data");
    fs::write(root.path().join("file"), "").unwrap();
    not_stored(&below_a_file, "create", &below_a_file);

    let folder = root.path().join("folder");
    let name = IdxFile::TrainImages.gzipped_name();
    fs::create_dir_all(folder.join(&name)).unwrap();
    not_stored(&folder, "write", &folder.join(&name));
    assert_eq!(names_in(&folder), [name]);
}
