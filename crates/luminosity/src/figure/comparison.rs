//! Final accuracy and learning curves of several conditions, side by side.

mod accuracy;
mod curves;
mod summary;

use summary::Summary;

use super::canvas::Canvas;
use super::legend::{Entry, Legend, Swatch};
use super::names::Names;
use super::text::Type;
use super::title::Title;
use super::{Colour, Figure, FigureError, Look, MUTED, SMALL, WIDTH};

/// The runs of one condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Series<'a> {
    /// Short name, shown on the axis and in the legend.
    pub label: &'a str,
    /// A few words on what the name stands for; may be empty.
    pub description: &'a str,
    /// Its colour; by its place in the comparison if there is none.
    pub colour: Option<Colour>,
    /// For each seed the test accuracy in percent after each epoch. A value that is not finite
    /// ends the run there.
    pub curves: Vec<Vec<f64>>,
}

/// Conditions to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison<'a> {
    /// Heading of the figure; may be empty.
    pub title: String,
    /// The conditions in order of appearance.
    pub series: Vec<Series<'a>>,
}

/// One condition, ready to draw.
struct Condition<'a> {
    label: &'a str,
    description: &'a str,
    look: Look,
    summary: Summary,
}

/// Height of a plot area.
const PLOT: f64 = 205.0;
/// Plot area of panel A, left and right.
const A: (f64, f64) = (42.0, 346.0);
/// Plot area of panel B, left and right.
const B: (f64, f64) = (394.0, 668.0);

/// Draws final accuracies (panel A) and learning curves (panel B) of the conditions of `c`.
///
/// A run counts as diverged if it has a value that is not finite or is shorter than the longest
/// run of the comparison: it leaves the mean curve where it ends, has no final accuracy, and is
/// counted in the legend.
///
/// # Errors
///
/// See [`FigureError`]; there is no input on which this panics.
pub fn comparison(c: &Comparison) -> Result<Figure, FigureError> {
    let (conditions, epochs) = conditions(c)?;
    let names: Vec<_> = conditions
        .iter()
        .map(|c| (c.label, c.description))
        .collect();
    let names = Names::new(&names, A.0, A.1 - A.0);
    let entries = conditions.iter().map(|c| c.entry(!names.describe()));
    let legend = Legend::new(entries.collect());

    let title = Title::new(&c.title);
    let top = 34.0 + title.height();
    let bottom = top + PLOT;
    let legend_top = bottom + names.height.max(38.0) + 14.0;
    let caption_at = legend_top + legend.height() + 16.0;

    let mut canvas = Canvas::new((caption_at + 8.0).ceil());
    title.draw(&mut canvas);
    let places = accuracy::draw(&mut canvas, &conditions, (top, bottom));
    names.draw(&mut canvas, &places, bottom);
    curves::draw(&mut canvas, &conditions, epochs, (top, bottom));
    legend.draw(&mut canvas, legend_top);
    let style = Type::new(SMALL, MUTED).centred();
    canvas.text((WIDTH / 2.0, caption_at), &caption(&conditions), style);
    canvas.render()
}

/// Checks the series and finds the number of epochs that all runs should have.
fn conditions<'a>(c: &Comparison<'a>) -> Result<(Vec<Condition<'a>>, usize), FigureError> {
    if c.series.is_empty() {
        return Err(FigureError::NoSeries);
    }
    let lengths = c.series.iter().flat_map(|s| &s.curves).map(Vec::len);
    let epochs = lengths.max().unwrap_or(0);
    let condition = |(i, series): (usize, &Series<'a>)| {
        Ok(Condition {
            label: series.label,
            description: series.description,
            look: match series.colour {
                Some(colour) => colour.look(),
                None => Look::of(i),
            },
            summary: Summary::new(series, epochs)?,
        })
    };
    let conditions: Vec<_> = c
        .series
        .iter()
        .enumerate()
        .map(condition)
        .collect::<Result<_, _>>()?;
    if conditions.iter().all(|c| c.summary.curve.is_empty()) {
        return Err(FigureError::NoFiniteValue);
    }
    Ok((conditions, epochs))
}

impl<'a> Condition<'a> {
    /// Its line in the legend.
    fn entry(&self, describe: bool) -> Entry<'a> {
        let mut note = if describe {
            self.description.to_owned()
        } else {
            String::new()
        };
        let (diverged, runs) = (self.summary.diverged(), self.summary.runs);
        if diverged > 0 {
            let gap = if note.is_empty() { "" } else { " " };
            note.push_str(&format!("{gap}(diverged: {diverged} of {runs})"));
        }
        Entry {
            look: self.look,
            swatch: Swatch::Curve,
            label: self.label,
            note,
        }
    }
}

/// What the marks mean, and how many seeds there are.
fn caption(conditions: &[Condition]) -> String {
    let runs = || conditions.iter().map(|c| c.summary.runs);
    let least = runs().fold(usize::MAX, usize::min);
    let most = runs().fold(0, usize::max);
    let seeds = match (least, most) {
        (1, 1) => return "n = 1 seed per condition".to_owned(),
        (a, b) if a == b => format!("n = {a} seeds per condition"),
        (a, b) => format!("n = {a} to {b} seeds per condition"),
    };
    let number = if accuracy::numbered(conditions.len()) {
        " (number)"
    } else {
        ""
    };
    format!("{seeds}. A: a dot per seed, mean{number} ± s.d. B: mean, shaded ± s.d.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [&str; 4] = ["inorm", "inorm+full", "ln+", "a<b&c"];

    /// `conditions` conditions of `seeds` runs over `epochs` epochs.
    fn example(conditions: usize, seeds: usize, epochs: usize) -> Comparison<'static> {
        let value = |c: usize, s: usize, e: usize| {
            80.0 - c as f64 - 0.3 * s as f64 - 10.0 / (e as f64 + 1.0)
        };
        let curve = |c, s| (0..epochs).map(|e| value(c, s, e)).collect();
        let series = (0..conditions).map(|c| Series {
            label: LABELS[c % LABELS.len()],
            description: "forward + error",
            colour: None,
            curves: (0..seeds).map(|s| curve(c, s)).collect(),
        });
        Comparison {
            title: "Title".to_owned(),
            series: series.collect(),
        }
    }

    /// Width and height in the header of a PNG.
    fn png_size(png: &[u8]) -> (u32, u32) {
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("header"));
        (number(16), number(20))
    }

    #[test]
    fn svg_names_every_condition_and_the_seeds() {
        let figure = comparison(&example(4, 3, 25)).expect("valid");
        for text in [
            "Title",
            "inorm",
            "inorm+full",
            "ln+",
            "a&lt;b&amp;c",
            "n = 3",
            "epoch",
        ] {
            assert!(figure.svg.contains(text), "{text}");
        }
        assert!(figure.svg.contains("width=\"170mm\""));
        assert!(!figure.svg.contains("NaN"));
    }

    #[test]
    fn png_has_the_proportions_of_the_svg() {
        let figure = comparison(&example(2, 2, 3)).expect("valid");
        assert_eq!(figure.png[..8], *b"\x89PNG\r\n\x1a\n");
        let (width, height) = png_size(&figure.png);
        assert_eq!(width, 2720);
        let view = format!("viewBox=\"0 0 680 {}\"", height / 4);
        assert!(figure.svg.contains(&view));
    }

    #[test]
    fn same_input_same_bytes() {
        let once = comparison(&example(10, 2, 12)).expect("valid");
        assert_eq!(comparison(&example(10, 2, 12)).as_ref(), Ok(&once));
        assert_ne!(comparison(&example(10, 2, 13)).as_ref(), Ok(&once));
    }

    #[test]
    fn every_size_is_drawn() {
        for (conditions, seeds, epochs) in [(1, 1, 1), (2, 30, 200), (10, 1, 1), (16, 5, 50)] {
            let figure = comparison(&example(conditions, seeds, epochs)).expect("valid");
            assert!(!figure.svg.contains("NaN") && !figure.svg.contains("inf"));
        }
    }

    #[test]
    fn diverged_runs_are_counted_and_leave_the_scale_alone() {
        let whole = comparison(&example(2, 3, 20)).expect("valid");
        assert!(!whole.svg.contains("diverged"));
        let mut c = example(2, 3, 20);
        c.series[0].curves[0][15] = f64::NAN;
        c.series[0].curves[1].truncate(4);
        for curve in &mut c.series[1].curves {
            curve[2..].fill(f64::INFINITY);
        }
        let figure = comparison(&c).expect("valid");
        assert!(figure.svg.contains("(diverged: 2 of 3)"));
        assert!(figure.svg.contains("(diverged: 3 of 3)"));
        assert!(!figure.svg.contains("NaN"));
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        let error = |c: &Comparison| comparison(c).err();
        assert_eq!(error(&example(0, 0, 0)), Some(FigureError::NoSeries));
        let label = LABELS[0].to_owned();
        assert_eq!(
            error(&example(2, 0, 0)),
            Some(FigureError::NoCurve { label })
        );
        assert_eq!(error(&example(2, 2, 0)), Some(FigureError::NoFiniteValue));
        let mut c = example(2, 1, 1);
        c.series.iter_mut().for_each(|s| s.curves[0][0] = f64::NAN);
        assert_eq!(error(&c), Some(FigureError::NoFiniteValue));
    }
}
