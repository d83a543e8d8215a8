//! Publication figures as SVG and PNG bytes.
//!
//! A figure is a pure function of plain numbers: the same input gives the same bytes, and no
//! font of the system is read. Each figure has a file of its own; what all of them share is
//! here (the size in print, the type sizes, the palette, the errors) and in `canvas` (drawing
//! and rendering), with `legend` and `names` for what many figures need. A figure of panels of
//! one kind states them to `sheet`, which lays them out, and draws its marks into the axes that
//! `panel` hands it. A condition has one [`Colour`] in every figure.

mod boxes;
mod boxplot;
mod canvas;
mod caption;
mod clip;
mod colour;
mod comparison;
mod dash;
mod histogram;
mod learning;
mod legend;
mod moments;
mod names;
mod panel;
mod scale;
mod scatter;
mod sheet;
mod stats;
#[cfg(test)]
mod testing;
mod text;
mod title;

pub use boxplot::{BoxPanel, BoxPlots, BoxSeries, box_plots};
pub use colour::Colour;
pub use comparison::{Comparison, Series, comparison};
pub use histogram::{Histogram, HistogramSet, Histograms, Unit, histograms};
pub use learning::{CurvePanel, CurveSeries, LearningCurves, learning_curves};
pub use moments::{MomentLayer, MomentPlots, MomentSeries, moment_plots};
pub use scatter::{Scatter, ScatterPanel, scatter};

/// Width of every figure in canvas units; four units are a millimetre in print.
const WIDTH: f64 = 680.0;
/// Canvas units a millimetre, so that [`WIDTH`] prints 17 cm wide.
const UNITS_PER_MM: f64 = 4.0;
/// PNG pixels a canvas unit: 2720 pixels over 17 cm, about 400 dpi.
const PIXELS_PER_UNIT: f32 = 4.0;

/// Type size of titles.
const TITLE: u32 = 13;
/// Type size of axis labels, panel headings and legends (7.8 pt in print).
const BODY: u32 = 11;
/// Type size of tick labels (7.1 pt in print).
const TICK: u32 = 10;
/// Type size of secondary text (6.4 pt in print).
const SMALL: u32 = 9;

/// Text and axes.
const INK: &str = "#222222";
/// Secondary text.
const MUTED: &str = "#5f5f5f";
/// Grid lines.
const GRID: &str = "#e8e8e8";

/// The hues of Okabe and Ito (2008), legible to colour-blind readers, with grey in the place
/// of their yellow, which is too faint for a line on white.
const HUES: [&str; 8] = [
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000", "#999999",
];

/// How one condition looks in every panel of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    /// Hex colour.
    hue: &'static str,
    /// Second round through the hues: dashed lines and open markers.
    second: bool,
}

impl Look {
    /// Number of looks that can be told apart.
    const COUNT: usize = 2 * HUES.len();

    /// Look `index`; they repeat.
    fn of(index: usize) -> Self {
        Self {
            hue: HUES[index % HUES.len()],
            second: index % Self::COUNT >= HUES.len(),
        }
    }
}

/// A rendered figure, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// SVG document, 17 cm wide. Text stays text: a viewer without DejaVu Sans substitutes a
    /// similar face.
    pub svg: String,
    /// PNG image of the same drawing, about 400 dpi at 17 cm.
    pub png: Vec<u8>,
}

/// Why a figure cannot be drawn.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FigureError {
    /// There is no condition to draw.
    #[error("no series to draw")]
    NoSeries,
    /// A condition has no run.
    #[error("series \"{label}\" has no curve")]
    NoCurve {
        /// Label of the series.
        label: String,
    },
    /// A finite accuracy is not a percentage.
    #[error("series \"{label}\" has an accuracy of {value}, outside 0 to 100 percent")]
    NotAPercentage {
        /// Label of the series.
        label: String,
        /// The offending value.
        value: f64,
    },
    /// A series does not have one entry for each of the groups.
    #[error("series \"{label}\" has {got} entries for {groups} groups")]
    Groups {
        /// Label of the series.
        label: String,
        /// Number of entries.
        got: usize,
        /// Number of groups.
        groups: usize,
    },
    /// Bins of a histogram that are none.
    #[error("{bins} bins from {from} to {to}: at least one bin and an ascending range needed")]
    Bins {
        /// Number of bins.
        bins: usize,
        /// Start of the range.
        from: f64,
        /// End of the range.
        to: f64,
    },
    /// There are more panels than letters.
    #[error("{got} panels, but at most 26 have a letter")]
    TooManyPanels {
        /// Number of panels given.
        got: usize,
    },
    /// Every value is missing or not finite.
    #[error("no series has a finite value")]
    NoFiniteValue,
    /// The PNG could not be encoded.
    #[error("PNG encoding failed: {0}")]
    Png(String),
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn looks_are_distinct() {
        let looks: HashSet<_> = (0..Look::COUNT)
            .map(|i| (Look::of(i).hue, Look::of(i).second))
            .collect();
        assert_eq!(looks.len(), Look::COUNT);
    }
}
