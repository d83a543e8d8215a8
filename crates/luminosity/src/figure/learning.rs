//! Learning curves: the median of each condition over its runs, with the quartiles.

use super::canvas::{Canvas, Point};
use super::caption::{Count, caption, place};
use super::clip;
use super::colour::Colour;
use super::legend::{Legend, Swatch};
use super::panel::{Across, Axes, Panel};
use super::scale::{PERCENT, Scale, floored, percentages};
use super::sheet::{Grid, Sheet, letter};
use super::stats::{self, Sample};
use super::{Figure, FigureError, Look};

/// Learning curves in panels that share their axes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LearningCurves {
    /// Heading of the figure; may be empty.
    pub title: String,
    /// What gives a run, in the singular, such as "setting".
    pub sample: String,
    /// Where the y axis starts at the lowest; curves are cut there.
    pub floor: Option<f64>,
    /// The panels in order.
    pub panels: Vec<CurvePanel>,
}

/// Conditions to compare.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CurvePanel {
    /// Heading of the panel, such as "ε = 0.75"; may be empty.
    pub heading: String,
    /// The conditions in order of appearance.
    pub series: Vec<CurveSeries>,
}

/// The runs of one condition.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveSeries {
    /// Name in the legend.
    pub label: String,
    /// Colour.
    pub colour: Colour,
    /// For each run the test accuracy in percent after each epoch. An epoch without a finite
    /// value leaves the run out of the quartiles of that epoch, and the run is counted in the
    /// caption, as is one that is shorter than the longest of the figure.
    pub runs: Vec<Vec<f64>>,
}

/// Height of a plot area.
const HEIGHT: f64 = 165.0;

/// The quartiles of one series after each epoch.
struct Curve<'a> {
    series: &'a CurveSeries,
    look: Look,
    epochs: Vec<Sample>,
}

/// Draws the panels of `l`.
///
/// # Errors
///
/// See [`FigureError`]; there is no input on which this panics.
pub fn learning_curves(l: &LearningCurves) -> Result<Figure, FigureError> {
    let runs = l
        .panels
        .iter()
        .flat_map(|p| &p.series)
        .flat_map(|s| &s.runs);
    let epochs = runs.map(Vec::len).max().unwrap_or(0);
    let curve = |series| Curve::new(series, epochs);
    let panels = l
        .panels
        .iter()
        .map(|p| p.series.iter().map(curve).collect());
    let panels: Vec<Vec<Curve>> = panels.collect::<Result<_, _>>()?;
    let all = || panels.iter().flatten();
    stats::check(all().flat_map(|c| &c.epochs), panels.len())?;
    let quartiles = || all().flat_map(|c| &c.epochs).filter_map(Sample::quartiles);
    let medians = quartiles().map(|[_, median, _]| median);
    let bounds = floored(PERCENT, l.floor, medians);
    let scale = Scale::spanning(quartiles().flatten(), bounds, 0.0, 6.0);
    let marks = match all().map(|c| c.series.runs.len()).max() {
        Some(0 | 1) | None => "",
        Some(_) => "Median of the runs, shaded: quartiles.",
    };
    let sheets = l.panels.iter().map(|panel| Panel {
        heading: &panel.heading,
        keys: Vec::new(),
        x: Across::Numbers(Scale::epochs(epochs)),
        x_label: "epoch",
        y: scale,
        y_label: "test accuracy (%)",
    });
    Sheet {
        title: &l.title,
        grid: Grid::new(panels.len(), 3, HEIGHT),
        panels: sheets.collect(),
        legend: Legend::of(
            Swatch::Curve,
            all().map(|c| (c.series.label.as_str(), c.look)),
        ),
        caption: caption(
            marks,
            ("run", &l.sample, "curve"),
            &l.counts(&panels, scale),
            ["Curves below the axis", "Incomplete runs"],
        ),
    }
    .draw(|canvas, i, axes| {
        for curve in &panels[i] {
            curve.band(canvas, axes);
        }
        for curve in &panels[i] {
            curve.line(canvas, axes);
        }
    })
}

impl<'a> Curve<'a> {
    fn new(series: &'a CurveSeries, epochs: usize) -> Result<Self, FigureError> {
        percentages(&series.label, series.runs.iter().flatten().copied())?;
        let at = |e: usize| Sample::new(series.runs.iter().filter_map(|r| r.get(e).copied()));
        Ok(Self {
            series,
            look: series.colour.look(),
            epochs: (0..epochs).map(at).collect(),
        })
    }

    /// Stretches of epochs with values, each with the quartiles in canvas units.
    fn stretches(&self, axes: &Axes) -> Vec<Vec<(f64, [f64; 3])>> {
        let quartiles = |(e, s): (usize, &Sample)| {
            let quartiles = s.quartiles()?.map(|v| axes.free_y(v));
            Some((axes.x(e as f64 + 1.0), quartiles))
        };
        let all: Vec<_> = self.epochs.iter().enumerate().map(quartiles).collect();
        let stretches = all.split(Option::is_none).filter(|s| !s.is_empty());
        stretches
            .map(|s| s.iter().flatten().copied().collect())
            .collect()
    }

    fn band(&self, canvas: &mut Canvas, axes: &Axes) {
        for stretch in self.stretches(axes).iter().filter(|s| s.len() > 1) {
            let edge = |k: usize| stretch.iter().map(move |(x, q)| (*x, q[k]));
            let outline: Vec<Point> = edge(2).chain(edge(0).rev()).collect();
            let outline = clip::area(&outline, axes.area.bottom);
            canvas.area(&outline, self.look.hue, 0.15);
        }
    }

    fn line(&self, canvas: &mut Canvas, axes: &Axes) {
        for stretch in self.stretches(axes) {
            let line: Vec<Point> = stretch.iter().map(|(x, q)| (*x, q[1])).collect();
            match line[..] {
                [only] if only.1 <= axes.area.bottom => canvas.marker(only, 2.6, self.look),
                _ => {
                    for part in clip::line(&line, axes.area.bottom) {
                        canvas.curve(part, self.look, 1.6);
                    }
                }
            }
        }
    }
}

impl LearningCurves {
    /// The runs of each series in each panel.
    fn counts(&self, panels: &[Vec<Curve>], scale: Scale) -> Vec<Count> {
        let curves = panels.iter().enumerate();
        let curves = curves.flat_map(|(i, curves)| curves.iter().map(move |c| (i, c)));
        let count = |(i, curve): (usize, &Curve)| {
            let runs = &curve.series.runs;
            let whole = |run: &&Vec<f64>| {
                run.len() == curve.epochs.len() && run.iter().all(|v| v.is_finite())
            };
            let medians = curve.epochs.iter().filter_map(Sample::median);
            let best = medians.reduce(f64::max);
            Count {
                place: place(&[&letter(i, panels.len()), &curve.series.label]),
                n: runs.len(),
                missing: runs.iter().filter(|r| !whole(r)).count(),
                off: usize::from(best.is_some_and(|v| v < scale.min)),
            }
        };
        curves.map(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::testing::check;

    fn example(panels: usize, conditions: usize, n: usize, epochs: usize) -> LearningCurves {
        let value = |c: usize, r: usize, e: usize| {
            85.0 - 20.0 * (-(e as f64) / 5.0).exp() - c as f64 + (r * 7 % 5) as f64 / 5.0
        };
        let run = |c, r| (0..epochs).map(|e| value(c, r, e)).collect();
        let series = |c: usize| CurveSeries {
            label: format!("condition {c}"),
            colour: Colour::Condition(c),
            runs: (0..n).map(|r| run(c, r)).collect(),
        };
        let panel = |p: usize| CurvePanel {
            heading: format!("ε = 0.{p}"),
            series: (0..conditions).map(series).collect(),
        };
        LearningCurves {
            title: "Title".to_owned(),
            sample: "setting".to_owned(),
            floor: None,
            panels: (0..panels).map(panel).collect(),
        }
    }

    #[test]
    fn every_size_is_drawn_and_labelled() {
        for (panels, conditions, n, epochs) in
            [(4, 10, 30, 50), (1, 2, 1, 1), (6, 4, 8, 12), (2, 1, 1, 200)]
        {
            let l = example(panels, conditions, n, epochs);
            let texts = [
                "Title",
                "ε = 0.0",
                "condition 0",
                "epoch",
                "test accuracy (%)",
            ];
            let figure = check(|| learning_curves(&l), &texts);
            assert!(
                figure
                    .svg
                    .contains(&format!("One run per setting, n = {n}"))
            );
        }
    }

    #[test]
    fn gaps_and_short_runs_are_counted_and_low_curves_named() {
        let mut l = example(2, 3, 4, 20);
        l.panels[0].series[1].runs[2][7] = f64::NAN;
        l.panels[0].series[1].runs[3].truncate(9);
        l.panels[1].series[0]
            .runs
            .iter_mut()
            .for_each(|r| r[5] = f64::INFINITY);
        l.panels[1].series[2]
            .runs
            .iter_mut()
            .flatten()
            .for_each(|v| *v -= 50.0);
        l.floor = Some(70.0);
        let texts = [
            "Incomplete runs (A, condition 1: 2; B, condition 0: 4)",
            "Curves below the axis (B, condition 2: 1)",
        ];
        check(|| learning_curves(&l), &texts);
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        let error = |l: &LearningCurves| learning_curves(l).err();
        assert_eq!(
            error(&LearningCurves::default()),
            Some(FigureError::NoSeries)
        );
        for (conditions, n, epochs) in [(0, 1, 1), (1, 0, 1), (1, 1, 0)] {
            let l = example(1, conditions, n, epochs);
            assert_eq!(error(&l), Some(FigureError::NoFiniteValue));
        }
        let mut l = example(1, 1, 1, 1);
        l.panels[0].series[0].runs[0][0] = -1.0;
        assert!(matches!(
            error(&l),
            Some(FigureError::NotAPercentage { .. })
        ));
    }
}
