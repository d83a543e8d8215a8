//! First and second moment of hidden pre-activations, by condition and layer.

use super::boxes::{self, Place, rule};
use super::caption::{Count, MISSING, caption, place};
use super::colour::Colour;
use super::panel::{Across, Panel};
use super::scale::{Scale, UNBOUNDED};
use super::sheet::{Grid, Sheet, letter};
use super::stats::{self, Sample};
use super::{Figure, FigureError, Look};

/// Moments of pre-activations, a row of panels for each layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MomentPlots {
    /// Heading of the figure; may be empty.
    pub title: String,
    /// What gives a value, in the singular, such as "example".
    pub sample: String,
    /// The layers in order.
    pub layers: Vec<MomentLayer>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MomentLayer {
    /// Name of the layer; may be empty.
    pub heading: String,
    /// The conditions in order of appearance.
    pub series: Vec<MomentSeries>,
}

/// One condition. Values that are not finite are left out and counted in the caption.
#[derive(Debug, Clone, PartialEq)]
pub struct MomentSeries {
    /// Name on the x axis.
    pub label: String,
    /// Colour.
    pub colour: Colour,
    /// Means over the units of the layer.
    pub mean: Vec<f64>,
    /// Variances over the units of the layer.
    pub variance: Vec<f64>,
}

/// Height of a plot area.
const HEIGHT: f64 = 150.0;
/// Ratio of the largest to the smallest variance from which their axis is logarithmic.
const DECADE: f64 = 10.0;

/// One moment of one layer.
struct Moment<'a> {
    heading: &'a str,
    label: &'static str,
    /// Value of a normalized layer.
    target: f64,
    names: Vec<&'a str>,
    rows: Vec<(Look, Sample)>,
    scale: Scale,
}

/// Draws means and variances of `m`, the variances on a logarithmic axis if they span a decade.
///
/// # Errors
///
/// See [`FigureError`]; there is no input on which this panics.
pub fn moment_plots(m: &MomentPlots) -> Result<Figure, FigureError> {
    let mut moments = Vec::new();
    for layer in &m.layers {
        if layer.series.is_empty() {
            return Err(FigureError::NoSeries);
        }
        moments.push(Moment::new(layer, "mean of pre-activations", 0.0, |s| {
            &s.mean
        })?);
        moments.push(Moment::new(
            layer,
            "variance of pre-activations",
            1.0,
            |s| &s.variance,
        )?);
    }
    let samples = || moments.iter().flat_map(|m| &m.rows).map(|r| &r.1);
    stats::check(samples(), moments.len())?;
    let panels = moments.iter().map(|moment| Panel {
        heading: moment.heading,
        keys: Vec::new(),
        x: Across::Names(moment.names.clone()),
        x_label: "",
        y: moment.scale,
        y_label: moment.label,
    });
    let (_, marks) = boxes::legend(samples(), true);
    let marks = format!("{marks} Dashed: mean 0, variance 1.");
    Sheet {
        title: &m.title,
        grid: Grid::new(2, 2, HEIGHT),
        panels: panels.collect(),
        legend: Vec::new(),
        caption: caption(
            &marks,
            ("value", &m.sample, "condition and panel"),
            &counts(&moments),
            ["Not positive, so not on the logarithmic axis", MISSING],
        ),
    }
    .draw(|canvas, i, axes| {
        let moment = &moments[i];
        let room = axes.slot();
        rule(
            canvas,
            axes,
            moment.target,
            (axes.area.left, axes.area.right),
        );
        for (k, (look, sample)) in moment.rows.iter().enumerate() {
            let (x, look) = (axes.x(k as f64 + 1.0), *look);
            let shown = sample.filter(|v| moment.shows(v));
            Place { x, room, look }.draw(canvas, axes, &shown, true);
        }
    })
}

impl<'a> Moment<'a> {
    fn new(
        layer: &'a MomentLayer,
        label: &'static str,
        target: f64,
        values: fn(&MomentSeries) -> &Vec<f64>,
    ) -> Result<Self, FigureError> {
        let row = |s: &MomentSeries| {
            let sample = Sample::new(values(s).iter().copied());
            Ok((s.colour.look(), sample))
        };
        let rows: Vec<(Look, Sample)> = layer.series.iter().map(row).collect::<Result<_, _>>()?;
        let all = || {
            rows.iter()
                .flat_map(|r| &r.1.sorted)
                .copied()
                .chain([target])
        };
        let positive = || all().filter(|&v| v > 0.0);
        let least = positive().fold(f64::INFINITY, f64::min);
        let most = positive().fold(0.0, f64::max);
        let log = target > 0.0 && most / least >= DECADE;
        Ok(Self {
            heading: &layer.heading,
            label,
            target,
            names: layer.series.iter().map(|s| s.label.as_str()).collect(),
            scale: if log {
                Scale::decades(positive())
            } else {
                Scale::spanning(all(), UNBOUNDED, 0.0, 5.0)
            },
            rows,
        })
    }

    /// Whether the axis can show `value`.
    fn shows(&self, value: f64) -> bool {
        value > 0.0 || !self.scale.log
    }
}

fn counts(moments: &[Moment]) -> Vec<Count> {
    let mut counts = Vec::new();
    for (i, moment) in moments.iter().enumerate() {
        let boxes = moment.names.iter().zip(&moment.rows);
        counts.extend(boxes.map(|(name, (_, sample))| Count {
            place: place(&[&letter(i, moments.len()), name]),
            n: sample.n(),
            missing: sample.missing,
            off: sample.sorted.iter().filter(|&&v| !moment.shows(v)).count(),
        }));
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::testing::{check, count};

    fn example(layers: usize, conditions: usize, n: usize) -> MomentPlots {
        let series = |c: usize| MomentSeries {
            label: format!("c{c}"),
            colour: Colour::Condition(c),
            mean: (0..n).map(|i| (i % 5) as f64 / 5.0 - 0.4).collect(),
            variance: (0..n)
                .map(|i| 0.2 * 2f64.powi((i % 5 + c) as i32))
                .collect(),
        };
        let layer = |l: usize| MomentLayer {
            heading: format!("layer {l}"),
            series: (0..conditions).map(series).collect(),
        };
        MomentPlots {
            title: "Title".to_owned(),
            sample: "example".to_owned(),
            layers: (0..layers).map(layer).collect(),
        }
    }

    #[test]
    fn every_size_is_drawn_and_labelled() {
        for (layers, conditions, n) in [(1, 3, 30), (2, 4, 8), (1, 10, 1), (2, 3, 1000)] {
            let m = example(layers, conditions, n);
            let figure = check(
                || moment_plots(&m),
                &[
                    "Title",
                    "layer 0",
                    "c0",
                    "mean of pre",
                    "variance of pre",
                    "mean 0, variance 1",
                ],
            );
            assert!(figure.svg.contains(&format!("n = {n} per condition")));
            if n <= 60 {
                assert_eq!(count(&figure, "circle"), 2 * layers * conditions * n);
            }
        }
    }

    #[test]
    fn variances_over_decades_are_on_a_logarithmic_axis() {
        let scale = |conditions| {
            let m = example(1, conditions, 5);
            let moment = Moment::new(&m.layers[0], "", 1.0, |s| &s.variance);
            moment.expect("valid").scale
        };
        assert!(scale(10).log);
        let mut m = example(1, 10, 5);
        m.layers[0].series[0].variance[0] = 0.0;
        m.layers[0].series[1].mean[2] = f64::NAN;
        check(
            || moment_plots(&m),
            &["logarithmic axis (B, c0: 1)", "not finite (A, c1: 1)"],
        );
        m.layers[0].series.truncate(1);
        m.layers[0].series[0].variance = vec![0.8, 1.2];
        let linear = Moment::new(&m.layers[0], "", 1.0, |s| &s.variance);
        assert!(!linear.expect("valid").scale.log);
    }

    #[test]
    fn extreme_values_are_no_panic() {
        let mut m = example(1, 1, 1);
        m.layers[0].series[0].mean = vec![1e99, -1e99, f64::MAX];
        m.layers[0].series[0].variance = vec![1e99, 5e-324, -1.0];
        assert!(moment_plots(&m).is_ok_and(|f| !f.svg.contains("NaN")));
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        let error = |m: &MomentPlots| moment_plots(m).err();
        assert_eq!(error(&MomentPlots::default()), Some(FigureError::NoSeries));
        assert_eq!(error(&example(1, 0, 0)), Some(FigureError::NoSeries));
        assert_eq!(error(&example(2, 2, 0)), Some(FigureError::NoFiniteValue));
    }
}
