//! Processes that are killed without warning.
#![cfg(unix)]

mod common;

use std::time::Duration;

use common::{Place, text, undisturbed};

#[test]
fn a_sweep_that_is_killed_twenty_times_equals_an_undisturbed_one() {
    let place = Place::new();
    let mut state = 7_u64;
    for _ in 0..20 {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let mut child = place.start("--threads 2");
        std::thread::sleep(Duration::from_millis(1 + (state >> 33) % 120));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let output = place.run("--threads 2");
    assert_eq!(text(&output.stdout), "complete: 60 of 60 done\n");
    assert_eq!(place.records(), undisturbed());
    assert_eq!(place.leftovers(), [""; 0]);
    // Nothing was made anew but what had not been finished: at most two runs a kill.
    let repeated: usize = place.starts().values().map(|starts| starts - 1).sum();
    assert!(repeated <= 40, "{repeated}");
}

#[test]
fn the_runs_of_a_killed_process_go_to_the_other_one() {
    let place = Place::new();
    let survivor = place.start("--threads 2 --slow 2");
    let mut killed = place.start("--threads 3 --slow 2");
    place.wait_for_events(40);
    let victim = killed.id();
    killed.kill().unwrap();
    killed.wait().unwrap();
    let output = survivor.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), "complete: 60 of 60 done\n");
    assert_eq!(place.records(), undisturbed());
    assert_eq!(place.leftovers(), [""; 0]);

    let events = place.events();
    let (by_victim, by_survivor): (Vec<_>, Vec<_>) = events
        .iter()
        .filter(|(what, ..)| what == "start")
        .map(|(_, id, pid)| (id, pid))
        .partition(|(_, pid)| **pid == victim);
    let twice = by_survivor
        .iter()
        .filter(|(id, _)| by_victim.iter().any(|(v, _)| v == id));
    assert!(twice.count() <= 3, "{events:?}");
    assert!(place.starts().values().all(|starts| *starts <= 2));
}

#[test]
fn temporary_files_of_the_killed_are_cleared_and_those_of_the_living_are_not() {
    let place = Place::new();
    let mut child = place.start("--threads 1 --jobs 1 --slow 5000");
    place.wait_for_events(1);
    let living = place.runs().join(".forward-0.writing-abcdef");
    std::fs::write(&living, "{").unwrap();
    assert!(place.run("--jobs 1 --leave").status.success());
    assert!(living.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(place.run("--jobs 1").status.success());
    assert_eq!(common::names(&place.runs()), ["forward-0.json"]);
}
