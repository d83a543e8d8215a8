//! The chart of a comparison: final accuracies and learning curves of several conditions, side by side.

use crate::Condition;
use crate::chart::{
    At, Chart, Entry, Grid, Mark, Names, PERCENT, Panel, Scale, Swatch, curves, sizes,
};
use crate::record::{Outcome, RunRecord, SweepRecord, longest};
use crate::stats::{mean, sample_sd};

/// Height of a plot area.
const HEIGHT: f64 = 205.0;
/// The widest space for the marks of a condition.
const WIDEST: f64 = 80.0;
/// The narrowest space in which a mean is written as a number.
const NUMBERED: f64 = 28.0;

/// The mean minus the standard deviation, the mean, and the mean plus the standard deviation, limited to
/// percentages.
type Moments = [f64; 3];

/// The moments of `values`; all three are equal for a single value.
fn moments(values: impl Iterator<Item = f64>) -> Option<Moments> {
    let values: Vec<f64> = values.collect();
    let mean = mean(&values)?;
    let sd = sample_sd(&values).unwrap_or(0.0);
    Some([mean - sd, mean, mean + sd].map(|v| v.clamp(PERCENT.0, PERCENT.1)))
}

/// The runs of one condition.
struct Runs {
    condition: Condition,
    /// The accuracy of each run at its end in percent, `None` if the run diverged.
    finals: Vec<Option<f64>>,
    /// The moments over the runs that have not diverged, after epoch 1, 2, ..., until no run is left.
    curve: Vec<Moments>,
}

impl Runs {
    fn new(condition: Condition, records: &[SweepRecord], epochs: usize) -> Self {
        let own = |r: &&SweepRecord| r.run.config.condition == condition;
        let runs = records.iter().filter(own).map(|r| &r.run);
        let end = |run: &RunRecord| match run.outcome {
            Outcome::Diverged => None,
            _ => Some(100.0 * run.test_accuracy),
        };
        let curves: Vec<_> = runs.clone().map(|run| run.curve(epochs)).collect();
        let at = |e: usize| curves.iter().filter_map(move |curve| curve.get(e).copied());
        Self {
            condition,
            finals: runs.map(end).collect(),
            curve: (0..).map_while(|e| moments(at(e))).collect(),
        }
    }

    /// The final accuracies of the runs that did not diverge.
    fn finished(&self) -> impl Iterator<Item = f64> {
        self.finals.iter().flatten().copied()
    }

    /// The entry in the legend.
    fn entry(&self, described: bool) -> Entry {
        let all = self.finals.len();
        let diverged = all - self.finished().count();
        let mut note = String::new();
        if !described {
            note += self.condition.description;
        }
        if diverged > 0 {
            note += &format!(" (diverged: {diverged} of {all})");
        }
        Entry {
            look: self.condition.look(),
            swatch: Swatch::Curve,
            label: self.condition.name().to_owned(),
            note,
        }
    }

    /// The marks of panel A at `x`: a dot for each run, the mean with its deviation, and its number.
    fn column(&self, x: f64, slot: f64) -> Vec<Mark> {
        let Some([low, mean, high]) = moments(self.finished()) else {
            return vec![Mark::Text(x, "diverged".to_owned(), At::Middle)];
        };
        let (look, width) = (self.condition.look(), slot.min(WIDEST));
        let radius = (0.07 * width).clamp(1.8, 3.2);
        let (room, n) = (width / slot, self.finals.len());
        let mut marks = Vec::new();
        // Each seed has the same offset in all conditions.
        for (k, value) in self.finals.iter().enumerate().filter(|_| n > 1) {
            let along = (k as f64 + 0.5) / n as f64 - 0.5;
            let x = x + room * (0.34 * along - 0.12);
            marks.extend(value.map(|v| Mark::Dot((x, v), radius, look)));
        }
        let aside = if n > 1 { x + 0.2 * room } else { x };
        if high > low {
            marks.push(Mark::Bar(aside, [low, high], radius, look));
        }
        marks.push(Mark::Marker((aside, mean), radius, look));
        if slot >= NUMBERED {
            let low = self.finished().fold(low, f64::min);
            let high = self.finished().fold(high, f64::max);
            let at = At::Beside([low, high], radius + 4.0);
            marks.push(Mark::Text(x, format!("{mean:.1}"), at));
        }
        marks
    }
}

/// The final accuracies (panel A) and learning curves (panel B) of `conditions`, trained on `task`; none without an
/// epoch.
///
/// A run that diverged is left out of the mean curve from its end on, has no final accuracy, and is counted in the
/// legend. Early stopping leaves a run its last accuracy.
pub fn chart(task: &str, conditions: &[Condition], records: &[SweepRecord]) -> Option<Chart> {
    let epsilon = records.first()?.run.config.epsilon;
    let epochs = longest(records.iter().map(|record| &record.run));
    if epochs == 0 {
        return None;
    }
    let runs = conditions.iter().map(|c| Runs::new(*c, records, epochs));
    let runs: Vec<Runs> = runs.collect();
    let grid = Grid::new(2, HEIGHT);
    let slot = grid.width / runs.len() as f64;
    let names = conditions.iter();
    let names = names.map(|c| (c.name().to_owned(), c.description.to_owned()));
    let names: Vec<_> = names.collect();
    let described = Names::new(&names, grid.left(0), grid.width).describe();
    let legend = runs.iter().map(|runs| runs.entry(described)).collect();
    let finals = runs.iter().flat_map(|runs| {
        let moments = moments(runs.finished()).into_iter().flatten();
        runs.finished().chain(moments)
    });
    let finals = Scale::spanning(finals, PERCENT, 0.1, 7.0);
    let columns = (1..).map(f64::from).zip(&runs);
    let a = Panel {
        marks: columns.flat_map(|(x, runs)| runs.column(x, slot)).collect(),
        ..Panel::of_names(names, finals, "final test accuracy (%)")
    };
    // With a single epoch all conditions are at one place: draw them side by side.
    let aside = |i: usize| match epochs {
        1 => 0.6 * ((i as f64 + 0.5) / runs.len() as f64 - 0.5),
        _ => 0.0,
    };
    let lines = runs.iter().enumerate();
    let lines = lines.map(|(i, runs)| (runs.condition.look(), aside(i), runs.curve.as_slice()));
    let values = runs.iter().flat_map(|runs| &runs.curve).flatten().copied();
    let y = Scale::spanning(values, PERCENT, 0.0, 7.0);
    let number = if slot >= NUMBERED { " (number)" } else { "" };
    let caption = match sizes(runs.iter().map(|runs| runs.finals.len())) {
        n if n == "n = 1" => format!("{n} seed per condition"),
        n => format!(
            "{n} seeds per condition. A: a dot per seed, mean{number} ± s.d. B: mean, shaded ± s.d."
        ),
    };
    Some(Chart {
        title: format!("{} (ε = {epsilon})", titled(task)),
        caption,
        ..Chart::new(grid, [a, curves(lines, epochs, y)], legend)
    })
}

/// A text that begins in upper case.
fn titled(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::tests::check;
    use crate::condition::{INORM, PAPER};
    use crate::report::testing::record;
    use crate::sweep::Request;

    fn made(conditions: &[Condition], seeds: u64, epochs: usize) -> Vec<SweepRecord> {
        let request = Request {
            conditions: conditions.to_vec(),
            epsilons: vec![0.75],
            settings: 0,
            seeds,
            epochs,
            ..Request::default()
        };
        request.runs().iter().map(record).collect()
    }

    #[test]
    fn comparisons_of_every_size_are_drawn() {
        for (n, seeds, epochs) in [(1, 1, 1), (2, 30, 200), (4, 3, 25), (10, 5, 10)] {
            let records = made(&PAPER[..n], seeds, epochs);
            let chart = chart("title", &PAPER[..n], &records).unwrap();
            let title = "Title (ε = 0.75)";
            check(&chart, &[title, "epoch", &format!("n = {seeds} seed")]);
        }
        assert!(chart("", &PAPER, &[]).is_none());
    }

    #[test]
    fn a_diverged_run_leaves_the_mean_and_a_stopped_run_stays() {
        let mut records = made(&[INORM], 3, 3);
        let curves = [&[0.1, 0.2, 0.3][..], &[0.3], &[0.2]];
        for (record, curve) in records.iter_mut().zip(curves) {
            record.run.history.truncate(curve.len());
            let epochs = record.run.history.iter_mut().zip(curve);
            epochs.for_each(|(epoch, accuracy)| epoch.test_accuracy = *accuracy);
            record.run.test_accuracy = curve[curve.len() - 1];
        }
        let draws = |chart: &Chart, line: &[(f64, f64)]| {
            let is = |mark: &Mark| matches!(mark, Mark::Line(points, ..) if points == line);
            chart.panels[1].marks.iter().any(is)
        };
        let stopped = chart("", &[INORM], &records).unwrap();
        assert!(!check(&stopped, &["26.7"]).svg.contains("diverged"));
        assert!(draws(
            &stopped,
            &[(1.0, 20.0), (2.0, 70.0 / 3.0), (3.0, 80.0 / 3.0)]
        ));
        for record in &mut records[1..] {
            record.run.outcome = Outcome::Diverged;
        }
        let some = chart("", &[INORM], &records).unwrap();
        check(&some, &["(diverged: 2 of 3)"]);
        assert!(draws(&some, &[(1.0, 20.0), (2.0, 20.0), (3.0, 30.0)]));
        // Of the same length, and each at its end.
        records[0].run.outcome = Outcome::Diverged;
        let none = chart("", &[INORM], &records).unwrap();
        assert!(!check(&none, &["(diverged: 3 of 3)"]).svg.contains("30.0"));
        for record in &mut records[1..] {
            record.run.history.clear();
        }
        records.extend(made(&[PAPER[0]], 1, 4));
        let all = chart("", &[INORM, PAPER[0]], &records).unwrap();
        check(&all, &["(diverged: 3 of 3)", "n = 1 to 3 seeds"]);
    }
}
