//! Publication figures as SVG and PNG bytes.
//!
//! A figure is a pure function of plain numbers: the same input gives the same bytes, and no system font is
//! read. Each kind of figure has its own file, which turns its numbers into a `chart`: panels with axes and
//! marks, a legend and a caption. All charts have the same layout. A condition has the same [`Colour`] in
//! every figure.

mod boxes;
mod boxplot;
mod canvas;
mod caption;
mod chart;
mod clip;
mod colour;
mod comparison;
mod dash;
mod histogram;
mod learning;
mod legend;
mod mark;
mod moments;
mod names;
mod sample;
mod scale;
mod scatter;
mod text;

pub use boxplot::{BoxPanel, BoxPlots, BoxSeries, box_plots};
pub use colour::Colour;
use colour::Look;
pub use comparison::{Comparison, Series, comparison};
pub use histogram::{Histogram, HistogramSet, Histograms, Unit, histograms};
pub use learning::{CurvePanel, CurveSeries, LearningCurves, learning_curves};
pub use moments::{MomentLayer, MomentPlots, MomentSeries, moment_plots};
pub use scatter::{Scatter, ScatterPanel, scatter};

/// The width of every figure in canvas units; four units are a millimetre in print.
const WIDTH: f64 = 680.0;
/// Canvas units for each millimetre, so that [`WIDTH`] is 17 cm in print.
const UNITS_PER_MM: f64 = 4.0;
/// PNG pixels for each canvas unit: 2720 pixels over 17 cm, about 400 dpi.
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

/// A rendered figure, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The SVG document, 17 cm wide. Text is kept as text: a viewer without DejaVu Sans uses a similar font.
    pub svg: String,
    /// A PNG image of the same drawing, about 400 dpi at 17 cm.
    pub png: Vec<u8>,
}

/// The reason why a figure cannot be drawn.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FigureError {
    /// There is no condition to draw.
    #[error("no series to draw")]
    NoSeries,
    /// A finite accuracy is not a percentage.
    #[error("series \"{label}\" has an accuracy of {value}, outside 0 to 100 percent")]
    NotAPercentage {
        /// Label of the series.
        label: String,
        /// The invalid value.
        value: f64,
    },
    /// The number of entries of a series is not the number of groups.
    #[error("series \"{label}\" has {got} entries for {groups} groups")]
    Groups {
        /// Label of the series.
        label: String,
        /// Number of entries.
        got: usize,
        /// Number of groups.
        groups: usize,
    },
    /// The bins of a histogram are invalid.
    #[error("{bins} bins from {from} to {to}: at least one bin and an ascending range needed")]
    Bins {
        /// Number of bins.
        bins: usize,
        /// Start of the range.
        from: f64,
        /// End of the range.
        to: f64,
    },
    /// Every value is missing or not finite.
    #[error("no series has a finite value")]
    NoFiniteValue,
    /// The PNG could not be encoded.
    #[error("PNG encoding failed: {0}")]
    Png(String),
}

#[cfg(test)]
mod tests;
