//! Progress bars with an estimate, on a terminal.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::RunConfig;
use crate::run::Progress;
use crate::schedule;

/// How often a sweep is told of where there is no terminal.
const EVERY: Duration = Duration::from_secs(30);

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

/// The progress of a sweep: a bar on a terminal, elsewhere a line now and then.
pub(super) struct Runs {
    bar: ProgressBar,
    told: Instant,
}

impl Runs {
    const PARTS: f64 = 1e4;

    pub fn new() -> Self {
        let bar = ProgressBar::new(Self::PARTS as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {elapsed}  {wide_msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            told: Instant::now(),
        }
    }

    /// Hears of the sweep.
    pub fn update(&mut self, progress: &schedule::Progress) {
        let mut line = format!("{} of {} runs", progress.done, progress.total);
        if let Some(left) = progress.left {
            line += &format!(", {} left", about(left));
        }
        if self.bar.is_hidden() {
            if self.told.elapsed() >= EVERY {
                self.told = Instant::now();
                super::say(&line);
            }
            return;
        }
        if let Some(latest) = &progress.latest {
            line += &format!("  {latest}");
        }
        self.bar.set_position((Self::PARTS * progress.share) as u64);
        self.bar.set_message(line);
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A time in words, such as `about 2 h`.
pub(super) fn about(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 90.0 => format!("about {s:.0} s"),
        s if s < 5400.0 => format!("about {:.0} min", s / 60.0),
        s if s < 36_000.0 => format!("about {:.1} h", s / 3600.0),
        s => format!("about {:.0} h", s / 3600.0),
    }
}
