//! Final accuracy and learning curves of several conditions, side by side.

use super::chart::{Across, Chart, Grid, Panel};
use super::learning::curve_marks;
use super::legend::{Entry, Swatch};
use super::mark::{At, Mark};
use super::names::Names;
use super::scale::{PERCENT, Scale, percentages};
use super::{Colour, Figure, FigureError, Look};
use crate::stats::{mean, sample_sd};

/// The runs of one condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Series<'a> {
    /// Short name, shown on the axis and in the legend.
    pub label: &'a str,
    /// A few words that explain the name; may be empty.
    pub description: &'a str,
    /// The colour; if none, it follows from the position in the comparison.
    pub colour: Option<Colour>,
    /// The test accuracy in percent after each epoch, for each seed. A run ends at its first non-finite
    /// value.
    pub curves: Vec<Vec<f64>>,
}

/// Conditions to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison<'a> {
    /// Heading of the figure; may be empty.
    pub title: String,
    /// The conditions, in the order of drawing.
    pub series: Vec<Series<'a>>,
}

/// Height of a plot area.
const HEIGHT: f64 = 205.0;
/// The widest space for the marks of a condition.
const WIDEST: f64 = 80.0;
/// The narrowest space in which a mean is written as a number.
const NUMBERED: f64 = 28.0;

/// Draws final accuracies (panel A) and learning curves (panel B) of the conditions of `c`.
///
/// A run counts as diverged if it has a non-finite value or is shorter than the longest run of the
/// comparison: it is left out of the mean curve from its end on, has no final accuracy, and is counted in the
/// legend.
///
/// # Errors
///
/// See [`FigureError`]; no input makes this panic.
pub fn comparison(c: &Comparison) -> Result<Figure, FigureError> {
    chart(c)?.draw()
}

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

/// One condition, ready to draw.
struct Condition<'a> {
    series: &'a Series<'a>,
    look: Look,
    /// The accuracy of each run after the last epoch, `None` if the run diverged.
    finals: Vec<Option<f64>>,
    /// The moments over the remaining runs after epoch 1, 2, ..., until no run is left.
    curve: Vec<Moments>,
}

impl<'a> Condition<'a> {
    fn new(i: usize, series: &'a Series<'a>, epochs: usize) -> Result<Self, FigureError> {
        percentages(series.label, series.curves.iter().flatten().copied())?;
        let end = |c: &Vec<f64>| c.iter().position(|v| !v.is_finite()).unwrap_or(c.len());
        let alive: Vec<&[f64]> = series.curves.iter().map(|c| &c[..end(c)]).collect();
        let at = |e: usize| moments(alive.iter().filter_map(|run| run.get(e).copied()));
        let last = epochs.saturating_sub(1);
        Ok(Self {
            series,
            look: series.colour.unwrap_or(Colour::Condition(i)).look(),
            finals: alive.iter().map(|run| run.get(last).copied()).collect(),
            curve: (0..epochs).map_while(at).collect(),
        })
    }

    /// The final accuracies of the runs that reached the last epoch.
    fn finished(&self) -> impl Iterator<Item = f64> {
        self.finals.iter().flatten().copied()
    }

    /// The entry in the legend.
    fn entry(&self, described: bool) -> Entry {
        let diverged = self.finals.len() - self.finished().count();
        let mut notes = Vec::new();
        if !described && !self.series.description.is_empty() {
            notes.push(self.series.description.to_owned());
        }
        if diverged > 0 {
            notes.push(format!("(diverged: {diverged} of {})", self.finals.len()));
        }
        Entry {
            look: self.look,
            swatch: Swatch::Curve,
            label: self.series.label.to_owned(),
            note: notes.join(" "),
        }
    }

    /// The marks of panel A at `x`: a dot for each run, the mean with its deviation, and its number.
    fn column(&self, x: f64, slot: f64) -> Vec<Mark> {
        let Some([low, mean, high]) = moments(self.finished()) else {
            let why = if self.finals.is_empty() {
                "no runs"
            } else {
                "diverged"
            };
            return vec![Mark::Text(x, why.to_owned(), At::Middle)];
        };
        let (look, width) = (self.look, slot.min(WIDEST));
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
            let range = [
                self.finished().fold(low, f64::min),
                self.finished().fold(high, f64::max),
            ];
            let at = At::Beside(range, radius + 4.0);
            marks.push(Mark::Text(x, format!("{mean:.1}"), at));
        }
        marks
    }
}

pub(super) fn chart(c: &Comparison) -> Result<Chart, FigureError> {
    let lengths = c.series.iter().flat_map(|s| &s.curves).map(Vec::len);
    let epochs = lengths.max().unwrap_or(0);
    let conditions = c.series.iter().enumerate();
    let conditions = conditions.map(|(i, s)| Condition::new(i, s, epochs));
    let conditions: Vec<Condition> = conditions.collect::<Result<_, _>>()?;
    if conditions.is_empty() {
        return Err(FigureError::NoSeries);
    }
    if conditions.iter().all(|c| c.curve.is_empty()) {
        return Err(FigureError::NoFiniteValue);
    }
    let grid = Grid::new(2, 2, HEIGHT);
    let slot = grid.width / conditions.len() as f64;
    let names = c.series.iter();
    let names = names.map(|s| (s.label.to_owned(), s.description.to_owned()));
    let names: Vec<_> = names.collect();
    let described = Names::new(&names, grid.left(0), grid.width).describe();
    let finals = conditions.iter().flat_map(|c| {
        let moments = moments(c.finished()).into_iter().flatten();
        c.finished().chain(moments)
    });
    let columns = conditions.iter().enumerate();
    let a = Panel {
        heading: String::new(),
        keys: Vec::new(),
        x: Across::Names(names),
        x_label: String::new(),
        y: Scale::spanning(finals, PERCENT, 0.1, 7.0),
        y_label: "final test accuracy (%)".to_owned(),
        marks: columns
            .flat_map(|(i, c)| c.column(i as f64 + 1.0, slot))
            .collect(),
    };
    // With a single epoch all conditions are at one place: draw them side by side.
    let aside = |i: usize| match epochs {
        1 => 0.6 * ((i as f64 + 0.5) / conditions.len() as f64 - 0.5),
        _ => 0.0,
    };
    let curves = conditions.iter().enumerate().map(|(i, c)| {
        let epochs = c.curve.iter().enumerate();
        let points = epochs.map(|(e, m)| Some((e as f64 + 1.0 + aside(i), *m)));
        curve_marks(&points.collect::<Vec<_>>(), c.look)
    });
    let (bands, lines): (Vec<_>, Vec<_>) = curves.unzip();
    let values = conditions.iter().flat_map(|c| &c.curve).flatten().copied();
    let b = Panel {
        x: Across::Numbers(Scale::epochs(epochs)),
        x_label: "epoch".to_owned(),
        y: Scale::spanning(values, PERCENT, 0.0, 7.0),
        y_label: "test accuracy (%)".to_owned(),
        marks: bands.into_iter().chain(lines).flatten().collect(),
        ..a.clone()
    };
    Ok(Chart {
        title: c.title.clone(),
        grid,
        panels: vec![a, b],
        legend: conditions.iter().map(|c| c.entry(described)).collect(),
        caption: caption(&conditions, slot >= NUMBERED),
    })
}

/// The meaning of the marks, and the number of seeds.
fn caption(conditions: &[Condition], numbered: bool) -> String {
    let runs = || conditions.iter().map(|c| c.finals.len());
    let seeds = match (runs().min().unwrap_or(0), runs().max().unwrap_or(0)) {
        (1, 1) => return "n = 1 seed per condition".to_owned(),
        (a, b) if a == b => format!("n = {a} seeds per condition"),
        (a, b) => format!("n = {a} to {b} seeds per condition"),
    };
    let number = if numbered { " (number)" } else { "" };
    format!("{seeds}. A: a dot per seed, mean{number} ± s.d. B: mean, shaded ± s.d.")
}
