//! First and second moment of hidden pre-activations, by condition and layer.

use super::boxes;
use super::caption::{Count, MISSING, caption, place};
use super::chart::{Across, Chart, Grid, Panel, letter};
use super::colour::Colour;
use super::mark::{Boxed, Mark, RULE};
use super::sample::{Sample, check};
use super::scale::{Scale, UNBOUNDED};
use super::{Figure, FigureError};

/// Moments of pre-activations, a row of panels for each layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MomentPlots {
    /// Heading of the figure; may be empty.
    pub title: String,
    /// The noun for one value, such as "example".
    pub sample: String,
    /// The layers in order.
    pub layers: Vec<MomentLayer>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MomentLayer {
    /// Name of the layer; may be empty.
    pub heading: String,
    /// The conditions, in the order of drawing.
    pub series: Vec<MomentSeries>,
}

/// One condition. Non-finite values are left out and counted in the caption.
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
/// The ratio of the largest to the smallest variance above which the axis is logarithmic.
const DECADE: f64 = 10.0;

/// Draws means and variances of `m`, the variances on a logarithmic axis if they span a decade.
///
/// # Errors
///
/// See [`FigureError`]; no input makes this panic.
pub fn moment_plots(m: &MomentPlots) -> Result<Figure, FigureError> {
    chart(m)?.draw()
}

pub(super) fn chart(m: &MomentPlots) -> Result<Chart, FigureError> {
    if m.layers.iter().any(|l| l.series.is_empty()) {
        return Err(FigureError::NoSeries);
    }
    type Side = fn(&MomentSeries) -> &Vec<f64>;
    let sides: [(&str, f64, Side); 2] = [
        ("mean of pre-activations", 0.0, |s| &s.mean),
        ("variance of pre-activations", 1.0, |s| &s.variance),
    ];
    let (mut panels, mut counts, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for layer in &m.layers {
        for (label, target, values) in sides {
            let sample = |s| Sample::new(values(s).iter().copied());
            let samples: Vec<Sample> = layer.series.iter().map(sample).collect();
            let y = scale(&samples, target);
            let shows = |v: f64| v > 0.0 || !y.log;
            let ends = [0.5, samples.len() as f64 + 0.5];
            let mut marks = vec![Mark::Line(ends.map(|x| (x, target)).to_vec(), RULE, 1.0)];
            for (k, (series, sample)) in layer.series.iter().zip(&samples).enumerate() {
                let letter = letter(panels.len(), 2 * m.layers.len());
                let place = place(&[&letter, &series.label]);
                counts.push(Count::of(place, sample, |v| !shows(v)));
                let shown = sample.sorted.iter().copied().filter(|v| shows(*v));
                marks.push(Mark::Box(Boxed {
                    x: k as f64 + 1.0,
                    room: 1.0,
                    look: series.colour.look(),
                    sample: Sample::new(shown),
                    points: true,
                }));
            }
            panels.push(Panel {
                heading: layer.heading.clone(),
                keys: Vec::new(),
                x: Across::names(layer.series.iter().map(|s| &s.label)),
                x_label: String::new(),
                y,
                y_label: label.to_owned(),
                marks,
            });
            all.extend(samples);
        }
    }
    check(all.iter(), panels.len())?;
    let (_, marks) = boxes::legend(all.iter(), true);
    let marks = format!("{marks} Dashed: mean 0, variance 1.");
    let size = ("value", m.sample.as_str(), "condition and panel");
    let off = "Not positive, so not on the logarithmic axis";
    Ok(Chart {
        title: m.title.clone(),
        grid: Grid::new(2, 2, HEIGHT),
        panels,
        legend: Vec::new(),
        caption: caption(&marks, size, &counts, [off, MISSING]),
    })
}

/// The scale of `samples` and their `target`; logarithmic if positive values span a decade.
fn scale(samples: &[Sample], target: f64) -> Scale {
    let values = || {
        samples
            .iter()
            .flat_map(|s| &s.sorted)
            .copied()
            .chain([target])
    };
    let positive = || values().filter(|&v| v > 0.0);
    let least = positive().fold(f64::INFINITY, f64::min);
    let most = positive().fold(0.0, f64::max);
    match target > 0.0 && most / least >= DECADE {
        true => Scale::decades(positive()),
        false => Scale::spanning(values(), UNBOUNDED, 0.0, 5.0),
    }
}
