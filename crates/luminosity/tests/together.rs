//! Several threads and several processes at one store.

mod common;

use common::{Place, text, undisturbed};

#[test]
fn the_number_of_threads_does_not_matter() {
    let expected = undisturbed();
    for threads in ["--threads 1", "--threads 2", "--threads 7"] {
        let place = Place::new();
        assert!(place.run(threads).status.success());
        assert_eq!(place.records(), expected, "{threads}");
        let starts = place.starts();
        assert!(
            starts.len() == 60 && starts.values().all(|n| *n == 1),
            "{starts:?}"
        );
    }
}

#[test]
fn two_and_four_processes_make_each_run_once() {
    let expected = undisturbed();
    for processes in [2, 4] {
        let place = Place::new();
        let children: Vec<_> = (0..processes).map(|_| place.start("--threads 2")).collect();
        for child in children {
            // Each waits for the others, so each ends with all.
            let output = child.wait_with_output().unwrap();
            assert_eq!(
                text(&output.stdout),
                "complete: 60 of 60 done\n",
                "{output:?}"
            );
        }
        assert_eq!(place.records(), expected);
        assert_eq!(place.leftovers(), [""; 0]);
        let starts = place.starts();
        assert!(
            starts.len() == 60 && starts.values().all(|n| *n == 1),
            "{starts:?}"
        );
        let pids: std::collections::BTreeSet<u32> = place.events().iter().map(|e| e.2).collect();
        assert!(pids.len() > 1, "more than one took part");
    }
}

#[test]
fn shards_of_one_store_add_up() {
    let place = Place::new();
    for shard in 1..=3 {
        let output = place.run(&format!("--threads 8 --shard {shard}/3"));
        assert!(text(&output.stdout).starts_with("complete: "), "{output:?}");
    }
    assert_eq!(place.records(), undisturbed());
    assert!(place.starts().values().all(|n| *n == 1));
    let output = place.run("--shard 4/3");
    let message =
        "shard \"4/3\" is not one of the parts; allowed: i/n with 1 ≤ i ≤ n, such as 2/5\n";
    assert_eq!(text(&output.stderr), message);
}

#[test]
fn a_process_need_not_wait_for_the_others() {
    let place = Place::new();
    let mut first = place.start("--jobs 2 --threads 2 --slow 5000");
    place.wait_for_events(2);
    let output = place.run("--jobs 2 --leave");
    assert_eq!(
        text(&output.stdout),
        "left to other processes: 0 of 2 done\n"
    );
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(place.events().len(), 2);
}

#[test]
fn the_longest_runs_start_first() {
    let place = Place::new();
    assert!(place.run("--threads 1 --jobs 12").status.success());
    let order: Vec<String> = place
        .events()
        .into_iter()
        .filter(|event| event.0 == "start")
        .map(|event| event.1)
        .collect();
    // 5 + seed * 37 % 76 milliseconds.
    let seeds = [2, 4, 1, 3, 5, 0];
    let expected = seeds.map(|seed| [format!("forward-{seed}"), format!("error-{seed}")]);
    assert_eq!(order, expected.concat());
}
