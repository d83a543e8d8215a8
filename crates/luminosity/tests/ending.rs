//! Requests, failures and signals.

mod common;

use common::{Place, text, undisturbed};

#[cfg(unix)]
#[test]
fn a_signal_ends_a_sweep_cleanly_and_it_continues() {
    let place = Place::new();
    for name in ["TERM", "INT"] {
        let before = place.events().len();
        let child = place.start("--threads 3 --slow 8");
        place.wait_for_events(before + 12);
        common::signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        let done = place.records().len();
        assert_eq!(
            text(&output.stdout),
            format!("interrupted: {done} of 60 done\n")
        );
        assert!(done > 0 && done < 60);
        assert_eq!(place.leftovers(), [""; 0]);
    }
    assert!(place.run("--threads 8").status.success());
    assert_eq!(place.records(), undisturbed());
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_a_sweep_at_once() {
    let place = Place::new();
    let child = place.start("--jobs 2 --slow 2000 --deaf");
    place.wait_for_events(2);
    common::signal(&child, "TERM");
    std::thread::sleep(std::time::Duration::from_millis(200));
    common::signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(text(&output.stdout), "");
    // The claims it could not give back bind nobody.
    assert!(place.run("--jobs 2").status.success());
}

#[test]
fn failures_do_not_stop_the_others_and_are_tried_again() {
    let place = Place::new();
    let failed = place.store().join("failed");
    let output = place.run("--threads 8 --fail error-3 --panic forward-7");
    assert_eq!(output.status.code(), Some(1));
    let message = "incomplete: 58 of 60 done, 2 failed, the first of them error-3: the loss is not \
                   a number\n";
    assert_eq!(text(&output.stdout), message);
    assert_eq!(common::names(&failed), ["error-3.json", "forward-7.json"]);
    let panic = std::fs::read_to_string(failed.join("forward-7.json")).unwrap();
    assert!(panic.contains("panicked: a bug in the run"), "{panic}");

    assert_eq!(place.run("--fail error-3").status.code(), Some(1));
    assert_eq!(common::names(&failed), ["error-3.json"]);
    let again = std::fs::read_to_string(failed.join("error-3.json")).unwrap();
    assert!(again.contains("\"attempts\": 2"), "{again}");

    assert!(place.run("").status.success());
    assert_eq!(common::names(&failed), [""; 0]);
    assert_eq!(place.records(), undisturbed());
}

#[test]
fn a_failure_of_another_process_is_not_repeated() {
    let place = Place::new();
    let options = "--jobs 6 --slow 10 --fail error-2";
    let children = [place.start(options), place.start(options)];
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(text(&output.stdout).starts_with("incomplete: 5 of 6 done, 1 failed"));
    }
    // Twice only if one process began after the other had failed.
    assert!((1..=2).contains(&place.starts()["error-2"]));
}

#[test]
fn another_request_needs_another_folder_or_an_extension() {
    let place = Place::new();
    assert!(place.run("--threads 8 --jobs 20").status.success());
    let manifest = place.store().join("manifest.json");
    let refused = |options: &str, wanted: &str| {
        let output = place.run(options);
        assert_eq!(output.status.code(), Some(1));
        let message = text(&output.stderr).trim_end();
        assert!(message.starts_with(manifest.to_str().unwrap()), "{message}");
        assert!(
            message.contains(wanted) && message.lines().count() == 1,
            "{message}"
        );
    };
    refused(
        "--jobs 20 --size 5",
        "was made for asked.size = 0, asked for is asked.size = 5; allowed: the same request, or",
    );
    refused("--jobs 30", "asked.jobs = 20, asked for is asked.jobs = 30");
    refused(
        "--jobs 10 --extend",
        "holds the run forward-5, which is not among the 10 asked for",
    );

    let before = place.events().len();
    assert!(place.run("--threads 8 --jobs 30 --extend").status.success());
    assert_eq!(place.events().len(), before + 20);
    assert_eq!(place.records().len(), 30);
    assert!(place.run("--jobs 30").status.success());

    let content = std::fs::read_to_string(&manifest).unwrap();
    let newer = content.replace("\"format\": 1", "\"format\": 2");
    std::fs::write(&manifest, newer).unwrap();
    refused("--jobs 30", "written in format 2; allowed: format 1");
    std::fs::write(&manifest, &content[..50]).unwrap();
    refused("--jobs 30 --extend", "not the manifest of a store");
    std::fs::remove_file(&manifest).unwrap();
    refused("--jobs 30", "missing beside");
}
