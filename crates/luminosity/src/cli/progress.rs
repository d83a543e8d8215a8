//! The progress of the work: a bar on a terminal, otherwise a line at intervals.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{RunConfig, data, run, schedule};

/// The interval between lines without a terminal.
const EVERY: Duration = Duration::from_secs(30);
/// The resolution of a bar.
const PARTS: f64 = 1e4;

/// A progress bar, or lines.
pub(super) struct Bar {
    bar: ProgressBar,
    began: Instant,
    told: Instant,
    /// The latest message, which stays on the bar until a newer one.
    latest: String,
}

impl Bar {
    pub fn new() -> Self {
        let bar = ProgressBar::new(PARTS as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:16} {elapsed}  {wide_msg}") {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self {
            bar,
            began: now,
            told: now,
            latest: String::new(),
        }
    }

    /// Shows the progress of a run in training.
    pub fn run(&mut self, config: &RunConfig, progress: run::Progress<'_>) {
        let share = progress.step as f64 / progress.steps as f64;
        if let Some(epoch) = progress.epoch {
            let percent = 100.0 * epoch.test_accuracy;
            self.latest = format!("epoch {}: {percent:.1} %", epoch.epoch);
        }
        let began = self.began;
        self.show(share, || {
            let left = began.elapsed().as_secs_f64() * (1.0 - share) / share;
            let left = time_left(Duration::try_from_secs_f64(left).ok());
            let (step, steps) = (progress.step, progress.steps);
            format!("{}: step {step} of {steps}{left}", config.condition)
        });
    }

    /// Shows the progress of a sweep.
    pub fn sweep(&mut self, progress: &schedule::Progress) {
        if let Some(latest) = &progress.latest {
            self.latest = latest.to_string();
        }
        self.show(progress.share, || {
            let left = time_left(progress.left);
            format!("{} of {} runs{left}", progress.done, progress.total)
        });
    }

    /// Shows the progress of a download.
    pub fn download(&mut self, progress: &data::fetch::Progress<'_>) {
        let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
        let total = progress.total.unwrap_or(progress.received);
        self.show(progress.received as f64 / total.max(1) as f64, || {
            let (received, total) = (megabytes(progress.received), megabytes(total));
            format!("{}: {received} of {total} MB", progress.file)
        });
    }

    fn show(&mut self, share: f64, line: impl FnOnce() -> String) {
        let latest = match self.latest.as_str() {
            "" => String::new(),
            latest => format!("  {latest}"),
        };
        if !self.bar.is_hidden() {
            self.bar.set_position((PARTS * share) as u64);
            self.bar.set_message(line() + &latest);
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            super::say(line() + &latest);
        }
    }

    /// Removes the bar from the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The estimated remaining time in words, if there is one.
fn time_left(left: Option<Duration>) -> String {
    left.map_or_else(String::new, |left| format!(", {} left", about(left)))
}

/// A duration in words, such as `about 2 h`.
pub(super) fn about(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 90.0 => format!("about {s:.0} s"),
        s if s < 5400.0 => format!("about {:.0} min", s / 60.0),
        s if s < 36_000.0 => format!("about {:.1} h", s / 3600.0),
        s => format!("about {:.0} h", s / 3600.0),
    }
}
