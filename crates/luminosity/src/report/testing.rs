//! Artificial records for tests.

use ei_norm::metric::Moments;

use super::Report;
use crate::record::{
    Alignment, Alignments, Epoch, Measures, Outcome, RunRecord, SweepRecord, Timing,
};
use crate::sweep::{Request, SweepRun};

/// The digest of the data of the records.
pub const DATA: &str = crate::data::FASHION_MNIST[0];

/// The number of correct answers of 10,000 in setting 0 at ε = 0, and the decrease at each larger ε.
pub const LEVELS: [(i32, i32); 12] = [
    (8600, 180), // none
    (8830, 110), // ln+
    (8840, 110), // e-only-ln+
    (8500, 180), // inorm
    (8450, 200), // inorm-sub
    (8860, 60),  // inorm+full
    (8833, 110), // inorm+center
    (8690, 180), // inorm+scale
    (8730, 190), // inorm+decorrelate
    (8827, 110), // inorm+lateral
    (8826, 110), // inorm+learned-lateral
    (8857, 60),  // inorm+ln
];

/// Every run of 10 conditions × 4 ε × 8 settings.
pub fn expected() -> Vec<SweepRun> {
    Request::default().runs()
}

/// The records of all these runs; no accuracies are equal.
pub fn records() -> Vec<SweepRecord> {
    expected().iter().map(record).collect()
}

/// The report of these records.
pub fn report(records: impl IntoIterator<Item = SweepRecord>, expected: &[SweepRun]) -> Report {
    let records: Vec<_> = records.into_iter().collect();
    Report::new(&records, expected).unwrap()
}

/// The report of all these runs.
pub fn complete() -> Report {
    report(records(), &expected())
}

/// The record of a run; its accuracy depends on condition, ε and setting.
pub fn record(run: &SweepRun) -> SweepRecord {
    let condition = run.config.condition.index();
    let (best, loss) = LEVELS[condition];
    let level = (run.config.epsilon * 4.0).round() as i32;
    let setting = run.setting as i32;
    // Settings differ by 8 answers, plus a small amount that depends on the condition.
    let spread = setting * (8 + 80 % (condition as i32 + 7));
    let correct = best - loss * level - spread;
    with_correct(run, correct)
}

/// The record of a run with this number of correct answers of 10,000.
pub fn with_correct(run: &SweepRun, correct: i32) -> SweepRecord {
    let config = run.config.clone();
    let accuracy = f64::from(correct) / 1e4;
    let small = run.setting as f64 / 100.0;
    let alignment = match config.condition.name() {
        "inorm+full" => (0.999 - small / 100.0, 0.98 - small / 10.0),
        "inorm+center" => (0.9, 0.7 + small),
        "inorm+lateral" => (0.88, 0.96 - small),
        _ => (0.85 + small, 0.2 + small),
    };
    let one = Alignment {
        output: Some(alignment.0),
        gradient: Some(alignment.1),
    };
    let (mean, variance) = match config.condition.name() {
        "inorm" | "inorm+full" => (0.01 + small, 0.95 + small),
        _ => (0.4 + small, 12.0 + 50.0 * small),
    };
    let measures = Measures {
        alignment: Alignments {
            mean: one.clone(),
            layers: vec![one.clone(), one],
        },
        moments: vec![Moments { mean, variance }; 2],
        lambda_max: vec![Some(1e-4 * (1.0 + small)), Some(3e-5 * (1.0 + small))],
        lateral_cosine: Vec::new(),
        measures: Default::default(),
    };
    let history = (1..=config.epochs).map(|epoch| Epoch {
        validation_accuracy: None,
        epoch,
        train_loss: 1.0 / epoch as f64,
        test_accuracy: match epoch == config.epochs {
            true => accuracy,
            false => accuracy * (1.0 - 0.3 / (epoch as f64).powi(2)),
        },
        measures: measures.clone(),
    });
    SweepRecord {
        setting: run.setting,
        run: RunRecord {
            version: "0.1.0".to_owned(),
            numerics: crate::record::NUMERICS,
            device: "cpu".to_owned(),
            data: "Fashion-MNIST (60,000 training and 10,000 test images)".to_owned(),
            data_sha256: DATA.to_owned(),
            classes: 10,
            weights_sha256: None,
            steps: 18_750,
            test_accuracy: accuracy,
            train_loss: Some(1.0 / config.epochs as f64),
            history: history.collect(),
            alignment: Some(measures.alignment),
            moments: Some(measures.moments),
            lambda_max: Some(measures.lambda_max),
            outcome: Outcome::Completed,
            timing: Timing {
                ms_per_step: None,
                images_per_second: None,
                seconds: 1.0,
                population: None,
                replayed: None,
                ended: None,
                machine: None,
            },
            config,
        },
    }
}

/// The record of a diverged run.
pub fn diverged(run: &SweepRun) -> SweepRecord {
    let mut record = with_correct(run, 1000);
    record.run.outcome = Outcome::Diverged;
    record.run.alignment = None;
    record.run.moments = None;
    record.run.lambda_max = None;
    record.run.train_loss = None;
    record.run.history.truncate(3);
    record
}
