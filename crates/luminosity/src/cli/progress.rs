//! Progress bars with an estimate, on a terminal; silence elsewhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::RunConfig;
use crate::record::SweepRecord;
use crate::run::Progress;
use crate::schedule;

/// The progress of one or several runs, in training steps.
pub(super) struct Steps {
    bar: ProgressBar,
    made: Vec<AtomicUsize>,
    planned: Vec<AtomicUsize>,
}

impl Steps {
    /// A bar for `runs` runs.
    pub fn new(runs: usize) -> Self {
        let style = "{bar:32} {percent:>3} %  {elapsed} + about {eta}  {wide_msg}";
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        let counters = || (0..runs).map(|_| AtomicUsize::new(0)).collect();
        Self {
            bar,
            made: counters(),
            planned: counters(),
        }
    }

    /// Hears of a run.
    pub fn update(&self, run: usize, config: &RunConfig, progress: Progress<'_>) {
        if self.planned[run].swap(progress.steps, Ordering::Relaxed) == 0 {
            // Runs that have not begun count like those that have.
            let known = self.planned.iter().map(|n| n.load(Ordering::Relaxed));
            let begun: Vec<usize> = known.filter(|n| *n > 0).collect();
            let mean = begun.iter().sum::<usize>() / begun.len().max(1);
            self.bar.set_length((mean * self.planned.len()) as u64);
        }
        let before = self.made[run].swap(progress.step, Ordering::Relaxed);
        self.bar.inc(progress.step.saturating_sub(before) as u64);
        if let Some(epoch) = progress.epoch {
            self.bar.set_message(format!(
                "{} seed {}: epoch {}, {:.1} %",
                config.condition,
                config.seed,
                epoch.epoch,
                100.0 * epoch.test_accuracy
            ));
        }
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of downloads, in bytes.
pub(super) struct Download {
    bar: ProgressBar,
}

impl Download {
    pub fn new() -> Self {
        let bar = ProgressBar::no_length();
        let style = "{msg:30} {bar:32} {bytes} of {total_bytes}, about {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self { bar }
    }

    pub fn update(&self, progress: &crate::data::fetch::Progress<'_>) {
        if let Some(total) = progress.total {
            self.bar.set_length(total);
        }
        self.bar.set_message(progress.file.to_owned());
        self.bar.set_position(progress.received);
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of a sweep, in runs.
pub(super) struct Runs {
    bar: ProgressBar,
}

impl Runs {
    /// A bar for `runs` runs.
    pub fn new(runs: usize) -> Self {
        let bar = ProgressBar::new(runs as u64);
        let style = "{bar:32} {pos} of {len} runs  {elapsed}  {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Hears of the sweep.
    pub fn update(&self, progress: &schedule::Progress<'_, SweepRecord>) {
        self.bar.set_position(progress.done as u64);
        let left = progress.remaining_seconds.map_or_else(String::new, |s| {
            format!("about {} left  ", HumanDuration(Duration::from_secs_f64(s)))
        });
        let latest = progress.latest.map_or_else(String::new, |record| {
            let run = &record.run;
            format!(
                "{} at ε = {}: {:.1} %",
                run.config.condition,
                run.config.epsilon,
                100.0 * run.test_accuracy
            )
        });
        self.bar.set_message(format!("{left}{latest}"));
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
