//! Records that are not what they should be.

mod common;

use std::path::Path;

use common::{Place, names, text, undisturbed};

#[test]
fn damaged_and_foreign_records_are_reported_put_aside_and_made_again() {
    let place = Place::new();
    assert!(place.run("--threads 8").status.success());
    let path = |id: &str| place.runs().join(format!("{id}.json"));
    let read = |id: &str| std::fs::read_to_string(path(id)).unwrap();
    let write = |id: &str, content: &str| std::fs::write(path(id), content).unwrap();
    let good = read("error-0");
    let cases = [
        (
            "error-1",
            read("error-1")[..200].to_owned(),
            "damaged: EOF while parsing",
        ),
        ("error-2", String::new(), "damaged: EOF while parsing"),
        ("error-3", "no JSON".to_owned(), "damaged: expected"),
        (
            "error-4",
            good.clone(),
            "holds the run error-0, not error-4",
        ),
        (
            "error-5",
            good.replace("\"error-0\"", "\"error-5\""),
            "its values are those of error-0, not of error-5",
        ),
        (
            "error-6",
            read("error-6").replace("\"format\": 1", "\"format\": 9"),
            "in format 9; allowed: format 1",
        ),
        (
            "error-7",
            read("error-7").replace("accuracy", "precision"),
            "not a record: missing field `accuracy`",
        ),
        ("error-8", "\0".repeat(4096), "damaged: expected value"),
        (
            "stranger-1",
            good.clone(),
            "of a run that this store was not made for",
        ),
    ];
    for (id, content, _) in &cases {
        write(id, content);
    }
    std::fs::remove_file(path("error-9")).unwrap();
    std::fs::create_dir(path("error-9")).unwrap();

    let before = place.events().len();
    let output = place.run("--threads 8");
    assert_eq!(text(&output.stdout), "complete: 60 of 60 done\n");
    let reports = text(&output.stderr);
    assert_eq!(reports.lines().count(), cases.len() + 1, "{reports}");
    for (id, content, reason) in &cases {
        let wanted = format!("{}: {reason}", path(id).display());
        assert!(reports.contains(&wanted), "{wanted}\n{reports}");
        if *id != "stranger-1" {
            let aside = place.runs().join(format!("{id}.json.damaged-1"));
            assert_eq!(&std::fs::read_to_string(aside).unwrap(), content);
        }
    }
    assert_eq!(place.events().len(), before + 2 * 9);
    assert_eq!(read("error-0"), good);

    write("error-1", "again");
    assert!(place.run("").status.success());
    assert_eq!(
        std::fs::read_to_string(path("error-1.json.damaged-2").with_extension("")).unwrap(),
        "again"
    );
    assert_eq!(place.leftovers().len(), 10);
    std::fs::remove_file(path("stranger-1")).unwrap();
    assert_eq!(place.records(), undisturbed());
}

#[test]
fn a_complete_record_is_never_touched() {
    let place = Place::new();
    assert!(place.run("--threads 8 --jobs 10").status.success());
    let content = |name: &String| std::fs::read(place.runs().join(name)).unwrap();
    let before: Vec<Vec<u8>> = names(&place.runs()).iter().map(content).collect();
    assert!(place.run("--threads 8 --jobs 10").status.success());
    let after: Vec<Vec<u8>> = names(&place.runs()).iter().map(content).collect();
    assert_eq!(before, after);
    assert_eq!(place.events().len(), 20);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let place = Place::new();
    std::fs::write(place.store(), "a file").unwrap();
    let output = place.run("");
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.starts_with("cannot create "), "{message}");
    assert!(
        message.contains(place.store().to_str().unwrap()),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn a_read_only_store_can_be_read_and_says_what_it_cannot_write() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    assert!(place.run("--threads 8 --jobs 4").status.success());
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(&place.runs(), 0o555);
    // Permissions bind everybody but root.
    let bound = std::fs::write(place.runs().join("probe"), "").is_err();
    if bound {
        assert!(place.run("--jobs 4").status.success());
        let output = place.run("--jobs 6 --extend");
        assert_eq!(output.status.code(), Some(1));
        let message = text(&output.stderr);
        assert!(
            message.starts_with("cannot write ") && message.contains(".claim"),
            "{message}"
        );
    }
    chmod(&place.runs(), 0o755);
}
