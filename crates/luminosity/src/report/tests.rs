use std::collections::BTreeMap;

use super::page::html;
use super::testing::{complete, diverged, expected, record, records, report, with_correct};
use super::*;
use crate::condition::ConditionSpec;
use crate::sweep::Request;
use crate::{Condition, condition, stimulus};

/// The rows of a CSV file of the report, by column.
fn rows(report: &Report, name: &str) -> Vec<BTreeMap<String, String>> {
    let files = report.files();
    let (_, content) = files.iter().find(|(file, _)| file == name).unwrap();
    let mut reader = csv::Reader::from_reader(content.as_slice());
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

fn row(report: &Report, name: &str, condition: &str, epsilon: &str) -> BTreeMap<String, String> {
    let own = |r: &BTreeMap<_, _>| r["condition"] == condition && r["epsilon"] == epsilon;
    rows(report, name).into_iter().find(own).unwrap()
}

fn near(row: &BTreeMap<String, String>, expected: &[(&str, f64)]) {
    for (column, expected) in expected {
        let value: f64 = row[*column].parse().unwrap();
        let close = (value - expected).abs() <= 1e-9 * expected.abs().max(1.0);
        assert!(close, "{column} is {value}, not {expected}");
    }
}

/// The ruling on the claim whose text starts with `start`.
fn ruling(report: &Report, start: &str) -> &'static str {
    let own = |v: &&Verdict| v.claim.text.starts_with(start);
    report.verdicts.iter().find(own).unwrap().ruling.words()
}

#[test]
fn statistics_are_those_computed_by_hand() {
    let report = complete();
    assert_eq!(rows(&report, "statistics.csv").len(), 40);
    // Correct answers of inorm+full at ε = 0: 8860, 8844, … 8748; of e-only-ln+ 20 fewer each; of inorm 8500,
    // 8492, … 8444.
    let full = row(&report, "statistics.csv", "inorm+full", "0");
    let expected = [
        ("n", 8.0),
        ("missing", 0.0),
        ("diverged", 0.0),
        ("median", 88.04),
        ("mean", 88.04),
        ("sd", 0.16 * 6.0_f64.sqrt()),
        ("lower_quartile", 87.76),
        ("upper_quartile", 88.32),
    ];
    near(&full, &expected);
    let low: f64 = full["median_low_95"].parse().unwrap();
    let high: f64 = full["median_high_95"].parse().unwrap();
    assert!((87.48..88.04).contains(&low), "{low}");
    assert!(high > 88.04 && high <= 88.6, "{high}");
}

#[test]
fn effects_are_those_computed_by_hand() {
    let report = complete();
    assert_eq!(rows(&report, "effects.csv").len(), 3 * 36);
    let over = |reference: &str| {
        let own = |r: &BTreeMap<_, _>| {
            r["condition"] == "inorm+full" && r["against"] == reference && r["epsilon"] == "0"
        };
        rows(&report, "effects.csv").into_iter().find(own).unwrap()
    };
    let over_layer_norm = [
        ("u", 43.0),
        ("cliffs_delta", 22.0 / 64.0),
        ("pairs", 8.0),
        // Eight differences of the same size and sign: two of the 2⁸ choices of signs.
        ("w", 0.0),
        ("p", 2.0 / 256.0),
        ("difference", 0.2),
        ("difference_low_95", 0.2),
        ("difference_high_95", 0.2),
    ];
    near(&over("e-only-ln+"), &over_layer_norm);
    let over_inorm = [
        ("u", 64.0),
        ("p_unpaired", 2.0 / 12_870.0),
        ("p", 2.0 / 256.0),
        // There are 36 tests against inorm, and none has a smaller p.
        ("p_holm", 36.0 * 2.0 / 256.0),
        ("cliffs_delta", 1.0),
        ("higher", 8.0),
        ("difference", 3.32),
        ("median_against", 84.72),
        ("relative_percent", 332.0 / 84.72),
        ("percent_of_remaining_error", 332.0 / 15.28),
    ];
    near(&over("inorm"), &over_inorm);
    let summary = report.summary();
    for line in [
        "Here normalizing errors as well as activity helps at every ε: +3.3 points at ε = 0, +6.9 points at ε = 0.75.",
        "ε = 0: inorm+full over inorm +3.3 points (95 % interval +3.1 to +3.5)",
        "  p = 0.0078, higher in 8 of 8 settings; +3.9 % of accuracy, +22 % of the error",
    ] {
        assert!(summary.contains(line), "{summary}");
    }
    assert!(summary.contains("\ninorm+full "), "{summary}");
}

#[test]
fn results_fit_80_columns() {
    const LONG: Condition = Condition::built_in(&ConditionSpec {
        name: "inorm+a-rule-of-a-program-with-a-name-as-long-as-an-abstract",
        description: "",
        look: None,
        hidden: condition::HiddenSpec::INorm {
            divisive: true,
            errors: condition::ErrorRule::LearnedLateral,
        },
    });
    let levels = |n: u32| (1..=n).map(|i| f64::from(i) / f64::from(n)).collect();
    let with = |name| vec![condition::INORM, condition::INORM_FULL, name];
    for epsilons in [vec![0.75], levels(4), levels(5), levels(20)] {
        for (last, settings) in [(condition::INORM_LEARNED_LATERAL, 8), (LONG, 2), (LONG, 30)] {
            let request = Request {
                conditions: with(last),
                epsilons: epsilons.clone(),
                settings,
                epochs: 1,
                ..Request::default()
            };
            let made = |run: &SweepRun| match run.setting % 3 {
                0 => diverged(run),
                _ => with_correct(run, 100 * (1 + run.config.condition.index() as i32)),
            };
            let records: Vec<_> = request.runs().iter().map(made).collect();
            let samples = Samples::new(&records, &[]);
            let table = statistics::lines(&samples);
            let effects = epsilons.iter().filter_map(|epsilon| {
                let effect = Effect::new(&samples, MAIN.0, MAIN.1, *epsilon)?;
                Some(effect.lines(samples.unit))
            });
            let text = [table, effects.collect()].concat().join("\n");
            let wide = text.lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None, "{text}");
            for epsilon in &epsilons {
                let head = format!(" {}", text::epsilon(*epsilon));
                let ends = |line: &str| {
                    line.starts_with("mean")
                        && (line.to_owned() + " ").contains(&(head.clone() + " "))
                };
                assert!(text.lines().any(ends), "{text}");
            }
            assert!(text.contains(last.name()), "{text}");
        }
    }
}

#[test]
fn every_record_is_a_row_with_all_its_fields() {
    let runs = expected();
    let report = report(
        [record(&runs[0]), diverged(&runs[1]), record(&runs[2])],
        &[],
    );
    let runs = rows(&report, "runs.csv");
    assert_eq!(runs.len(), 3);
    let first = &runs[0];
    for (column, expected) in [
        ("condition", "none"),
        ("epsilon", "0.0"),
        ("setting", "0"),
        ("seed", "0"),
        ("epochs", "10"),
        ("test_accuracy", "0.86"),
        ("alignment.output", "0.85"),
        ("alignment.layers.1.gradient", "0.2"),
        ("moments.0.mean", "0.4"),
        ("moments.1.variance", "12.0"),
        ("lambda_max.1", "0.00003"),
        ("outcome", "completed"),
        ("init", "lognormal"),
        ("device", "cpu"),
        ("timing.seconds", "1.0"),
        ("timing.machine", ""),
        ("data_sha256", crate::data::FASHION_MNIST[0]),
        // Settings that a record leaves out.
        ("network", "mlp"),
        ("stimulus", "luminosity"),
        ("optimizer", "sgd"),
        ("patience", ""),
        ("clip_errors", ""),
        ("classes", "10"),
    ] {
        assert_eq!(first[column], expected, "{column}");
    }
    assert!(!first.keys().any(|column| column.starts_with("history")));
    assert_eq!(runs[1]["outcome"], "diverged");
    assert_eq!(runs[1]["moments.0.mean"], "");
    let curves = rows(&report, "curves.csv");
    assert_eq!(curves.len(), 10 + 3 + 10);
    assert_eq!(curves[9]["epoch"], "10");
    assert_eq!(curves[9]["setting"], "0");
    assert_eq!(curves[9]["alignment.gradient"], "0.2");
    assert!(!curves[9].contains_key("moments.0.mean"));
}

#[test]
fn measures_and_options_have_columns_where_there_are_some() {
    let made = |run: &SweepRun| {
        let mut record = record(run);
        record.run.config.network = "conv".parse().unwrap();
        for epoch in &mut record.run.history {
            let value = epoch.epoch as f64 / 100.0;
            epoch.measures.lateral_cosine = vec![Some(0.5), Some(value)];
            let own = ("silent".to_owned(), vec![None, Some(value)]);
            epoch.measures.measures = [own].into();
        }
        record
    };
    let runs = expected();
    let report = report([made(&runs[0]), record(&runs[1])], &[]);
    let (runs, curves) = (rows(&report, "runs.csv"), rows(&report, "curves.csv"));
    for (row, last) in [(&runs[0], "0.1"), (&curves[9], "0.1"), (&curves[2], "0.03")] {
        let columns = [
            ("lateral_cosine.0", "0.5"),
            ("lateral_cosine.1", last),
            ("measures.silent.0", ""),
            ("measures.silent.1", last),
        ];
        for (column, expected) in columns {
            assert_eq!(row[column], expected, "{column}");
        }
    }
    assert_eq!(
        (&*runs[0]["options.kernel"], &*runs[1]["options.kernel"]),
        ("5", "")
    );
    assert_eq!(
        (&*runs[1]["network"], &*runs[1]["measures.silent.1"]),
        ("mlp", "")
    );
    assert!(!html(&report).contains("<dt>measures"));
}

#[test]
fn figures_of_an_earlier_report_go_and_the_files_of_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    complete().write(folder.path()).unwrap();
    for mine in ["fig9.svg", "fig6.csv"] {
        std::fs::write(path(mine), "mine").unwrap();
    }
    let few = report(records().into_iter().take(1), &[]);
    let written = few.write(folder.path()).unwrap();
    for gone in ["fig6.svg", "fig6.png"] {
        assert!(!path(gone).exists(), "{gone}");
    }
    assert!(path("fig9.svg").exists() && path("fig6.csv").exists());
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, written.len() + 2);
}

#[test]
fn verdicts_flip_when_the_data_do() {
    for verdict in &complete().verdicts {
        assert_eq!(verdict.ruling, verdict::Ruling::Agrees, "{verdict:?}");
    }
    // The report with the accuracies of two conditions exchanged.
    let exchanged = |a: &str, b: &str| {
        let exchanged = |mut record: SweepRecord| {
            let other = match record.run.config.condition.name() {
                name if name == a => b,
                name if name == b => a,
                name => name,
            };
            record.run.config.condition = other.parse().unwrap();
            record
        };
        report(records().into_iter().map(exchanged), &expected())
    };
    let report = exchanged("inorm+full", "inorm");
    let harm = "activity does harm at every ε: −3.3 points";
    assert!(report.summary().contains(harm));
    assert_eq!(ruling(&report, "Centering"), "agrees");
    for claim in [
        "Normalizing errors",
        "What normalizing errors",
        "Normalizing activity alone",
        "With full",
    ] {
        assert_eq!(ruling(&report, claim), "differs", "{claim}");
    }
    for (a, b, claims) in [
        (
            "e-only-ln+",
            "inorm+scale",
            &["Decorrelating", "Centering", "With LayerNorm"][..],
        ),
        ("ln+", "none", &["Without normalization"]),
        ("inorm+lateral", "inorm+decorrelate", &["Lateral"]),
        ("e-only-ln+", "inorm+full", &["Forward and full"]),
    ] {
        let report = exchanged(a, b);
        for claim in claims {
            assert_eq!(ruling(&report, claim), "differs", "{claim}");
        }
    }
}

#[test]
fn few_settings_decide_nothing_but_the_alignments() {
    let with = |has: &dyn Fn(&SweepRecord) -> bool| {
        report(records().into_iter().filter(|r| has(r)), &expected())
    };
    let few = |n| with(&|r| r.setting < n);
    let report = few(5);
    assert_eq!(ruling(&report, "Normalizing errors"), "too few runs");
    assert_eq!(ruling(&report, "With LayerNorm"), "too few runs");
    let full = report.main_effects().next().unwrap();
    assert_eq!((full.paired.test.p, full.paired.interval), (0.0625, None));
    let summary = report.summary();
    assert!(summary.contains("There are too few runs to say whether"));
    assert_eq!(ruling(&few(3), "With full"), "agrees");
    assert_eq!(ruling(&few(2), "With full"), "too few runs");
    assert_eq!(ruling(&few(6), "Normalizing errors"), "agrees");
    let lacking = with(&|r| r.run.config.condition != condition::INORM_LATERAL);
    assert_eq!(ruling(&lacking, "Lateral"), "not run");
}

#[test]
fn alike_is_an_interval_within_a_point() {
    // Centered errors against LayerNorm, with these differences in answers of 10,000 in each setting.
    for (differences, expected_ruling) in [
        ([0; 8], "agrees"),
        // A difference, but a negligible one.
        ([-50; 8], "agrees"),
        ([-101; 8], "differs"),
        ([60, 150, 60, 150, 60, 150, 60, 150], "differs"),
        // With such a large spread no test finds a difference, but this does not show that there is none.
        ([-400, 400, -300, 300, -200, 200, -100, 100], "undecided"),
    ] {
        let records = |run: &SweepRun| match run.config.condition.name() {
            "inorm+center" => with_correct(run, 8000 + differences[run.setting]),
            _ => with_correct(run, 8000),
        };
        let report = report(expected().iter().map(records), &expected());
        assert_eq!(ruling(&report, "Centering"), expected_ruling);
    }
}

/// The number of correct answers of a run, which depends on its seed.
fn by_seed(run: &SweepRun) -> i32 {
    8000 + (run.config.seed / 10_000) as i32
}

#[test]
fn several_seeds_of_one_setting_are_the_sample() {
    let request = Request {
        settings: 1,
        seeds: 7,
        ..Request::default()
    };
    let runs = request.runs();
    let better = |run: &SweepRun| 100 * i32::from(run.config.condition == condition::INORM_FULL);
    let made = |run: &SweepRun| with_correct(run, by_seed(run) + better(run));
    let report = report(runs.iter().map(made), &runs);
    near(&row(&report, "statistics.csv", "inorm", "0"), &[("n", 7.0)]);
    assert_eq!(ruling(&report, "Normalizing errors"), "agrees");
    let summary = report.summary();
    let line = "+1.0 to +1.0)\n  p = 0.016, higher in 7 of 7 seeds;";
    assert!(summary.contains(line), "{summary}");
}

#[test]
fn an_unfinished_store_says_what_is_missing() {
    let there = |r: &SweepRecord| match r.run.config.condition.name() {
        "inorm+full" => r.run.config.epsilon != 0.75 || r.setting < 5,
        name => name != "inorm+scale",
    };
    let report = report(records().into_iter().filter(there), &expected());
    let missing = report.missing();
    for line in [
        "inorm+full at ε = 0.75, λ = 0.01: 5 of 8 runs",
        "inorm+scale at ε = 0, λ = 0.01: 0 of 8 runs",
    ] {
        assert!(missing.contains(&line.to_owned()), "{missing:?}");
    }
    let full = row(&report, "statistics.csv", "inorm+full", "0.75");
    near(&full, &[("n", 5.0), ("missing", 3.0)]);
    // Over the five remaining settings: 8680 − 16 · 2 against 7960 − 8 · 2.
    let effect = row(&report, "effects.csv", "inorm+full", "0.75");
    near(&effect, &[("pairs", 5.0), ("difference", 7.04)]);
    assert_eq!(ruling(&report, "Decorrelating"), "too few runs");
    let html = html(&report);
    assert!(html.contains("unfinished sweep: 35 of 320 runs missing"));
    assert!(html.contains("5 of 8 runs") && html.contains("0 of 8 runs"));
}

#[test]
fn a_diverged_run_counts_with_chance_and_is_not_drawn() {
    for (classes, chance, left_out) in [
        (10, 10.0, "Left out: 3 values at or below 10 %."),
        (47, 100.0 / 47.0, "Left out: 3 values at or below 2.1 %."),
    ] {
        let made = |run: &SweepRun| {
            let c = &run.config;
            let bad = c.condition == condition::INORM_SCALE && c.epsilon == 0.75 && run.setting < 3;
            let mut record = if bad { diverged(run) } else { record(run) };
            record.run.classes = classes;
            if bad {
                record.run.test_accuracy = 1.0 / classes as f64;
            }
            record
        };
        let report = report(expected().iter().map(made), &expected());
        let scale = row(&report, "statistics.csv", "inorm+scale", "0.75");
        near(&scale, &[("n", 8.0), ("diverged", 3.0)]);
        // Ascending: three values of chance, then the rest; the lower quartile is between the second and the
        // third value.
        let lower = scale["lower_quartile"].parse::<f64>().unwrap();
        assert!((lower - chance).abs() < 1e-7, "{lower}");
        let html = html(&report);
        assert!(html.contains(left_out));
        assert!(html.contains("0 missing, 3 diverged"));
    }
}

#[test]
fn chance_of_every_number_of_classes_is_that_of_a_diverged_run() {
    let runs = |seeds| {
        let request = Request {
            conditions: vec![condition::INORM],
            epsilons: vec![0.75],
            settings: 2,
            seeds,
            ..Request::default()
        };
        request.runs()
    };
    let runs = [runs(1), runs(3)];
    let at_chance = |classes: usize, run: &SweepRun| {
        let mut record = diverged(run);
        record.run.classes = classes;
        record.run.test_accuracy = 1.0 / classes as f64;
        record
    };
    for (classes, runs) in (2..=255).flat_map(|classes| [(classes, &runs[0]), (classes, &runs[1])])
    {
        let records = runs.iter().map(|run| at_chance(classes, run));
        let samples = Samples::new(&records.collect::<Vec<_>>(), &[]);
        let percents = sample::percents(samples.at_largest("inorm"));
        assert_eq!(percents, [samples.chance; 2], "{classes}");
    }
}

#[test]
fn the_mean_over_seeds_is_one_value_and_ties_stay_exact() {
    let request = Request {
        seeds: 3,
        ..Request::default()
    };
    let runs = request.runs();
    let made = |run: &SweepRun| with_correct(run, by_seed(run));
    let report = report(runs.iter().map(made), &runs);
    let full = row(&report, "statistics.csv", "inorm+full", "0");
    near(&full, &[("n", 8.0), ("median", 80.01)]);
    let effect = row(&report, "effects.csv", "inorm+full", "0");
    near(&effect, &[("p", 1.0), ("u", 32.0)]);
}

#[test]
fn the_main_lambda_is_the_requests_also_while_others_have_more_records() {
    let request = Request {
        conditions: vec![condition::INORM],
        lambdas: vec![1e-5, 1.0],
        ..Request::default()
    };
    let runs = request.runs();
    let further = runs
        .iter()
        .filter(|run| run.config.lambda != request.lambda);
    let unfinished = report(further.chain(&runs[..1]).map(record), &runs);
    let report = report(runs.iter().map(record), &runs);
    for report in [report, unfinished] {
        assert_eq!(report.samples.lambda, request.lambda);
    }
}

#[test]
fn claims_are_not_judged_on_other_steps_or_another_lambda() {
    for (max_steps, lambda, part) in [(Some(1 << 20), 0.01, "steps"), (None, 1.0, "lambda")] {
        let made = |mut record: SweepRecord| {
            let config = &mut record.run.config;
            (config.max_steps, config.lambda) = (max_steps, lambda);
            record
        };
        let other = report(records().into_iter().map(made), &[]);
        assert!(other.verdicts.is_empty());
        assert_eq!(other.task.differences, [part]);
    }
}

#[test]
fn the_figure_of_lambda_shows_all_and_the_rest_the_main_one() {
    let request = Request {
        lambdas: vec![1e-3, 0.1],
        ..Request::default()
    };
    let runs = request.runs();
    let report = report(runs.iter().map(record), &runs);
    assert_eq!(report.missing(), Vec::<String>::new());
    let mut plots = report.plots.iter();
    assert!(plots.any(|plot| plot.spec.name == "fig_lambda"));
    near(&row(&report, "statistics.csv", "inorm", "0"), &[("n", 8.0)]);
    let html = html(&report);
    assert!(html.contains("<dt>lambda</dt><dd>0.001, 0.01, 0.1</dd>"));
    assert!(html.contains("shows λ = 0.01."));
}

#[test]
fn the_figures_are_those_of_the_stimulus_and_of_the_conditions() {
    let main = |stimulus: stimulus::Stimulus, conditions: &[Condition]| {
        let mut runs = expected();
        runs.retain(|run| conditions.contains(&run.config.condition));
        let made = runs.iter().map(record).map(|mut record| {
            record.run.config.stimulus = stimulus;
            record
        });
        let report = report(made, &[]);
        let plot = &report.plots[0];
        let words = [plot.title.clone(), plot.caption.clone()];
        (words, report.missing())
    };
    let all = Condition::all();
    let (words, missing) = main(stimulus::LUMINOSITY, &all);
    assert_eq!(words[0], "Accuracy by luminosity");
    assert!(words[1].starts_with("Networks of excitation"));
    let lambda =
        "fig_lambda (Appendix: the weight of the local loss): needs runs of inorm with several λ";
    assert_eq!(missing, [lambda]);
    let (words, missing) = main(
        stimulus::CONTRAST,
        &[condition::INORM, condition::INORM_FULL],
    );
    let caption = "inorm: forward only; inorm+full: forward + error.";
    assert_eq!(words, ["Accuracy by contrast", caption]);
    for end in [
        ": needs runs of ln+ and none, or ln+ and e-only-ln+",
        ": needs runs of one of ln+, e-only-ln+, none",
        ": needs runs of inorm+lateral",
        ": needs runs of two of inorm+lateral, inorm+center, inorm+full",
    ] {
        assert!(
            missing.iter().any(|line| line.ends_with(end)),
            "{missing:?}"
        );
    }
    assert!(
        !missing.iter().any(|line| line.contains("no data")),
        "{missing:?}"
    );
}

#[test]
fn bad_data_give_an_error_or_clear_text() {
    let error = Report::new(&[], &expected()).unwrap_err().to_string();
    assert!(error.contains("no run of 320 has ended"), "{error}");

    // One setting of one condition, and fields that are not numbers.
    let mut one = record(&expected()[0]);
    one.run.lambda_max = Some(vec![None, Some(f64::NAN), Some(-1.0)]);
    one.run.history.clear();
    one.run.moments = None;
    if let Some(alignment) = &mut one.run.alignment {
        alignment.mean.gradient = Some(f64::NAN);
    }
    let report = report([one], &[]);
    assert_eq!(report.plots.len(), 2, "{:?}", report.missing());
    assert!(html(&report).contains("There is nothing yet in which"));
}
