//! Charts as SVG and PNG bytes.
//!
//! A [`Chart`] is plain data: panels with axes and marks, a legend and a caption. All charts have the same
//! layout, and a condition has the same [`Look`] in every chart. The same chart gives the same bytes, and no
//! system font is read.

mod boxes;
mod canvas;
mod caption;
mod clip;
mod curves;
mod dash;
mod layout;
mod legend;
pub mod look;
mod mark;
mod names;
mod sample;
mod scale;
mod text;

use text::Type;

pub use boxes::describe;
pub use caption::{BELOW, Count, sizes};
pub use curves::curves;
pub use layout::{Chart, Grid, Panel, key_fits};
pub use legend::{Entry, Swatch};
pub use look::Look;
pub use mark::{At, GUIDE, Mark, RULE};
pub use names::Names;
pub use sample::Sample;
pub use scale::{PERCENT, Scale, UNBOUNDED, floored};

/// The width of every chart in canvas units; four units are a millimetre in print.
const WIDTH: f64 = 680.0;
/// Canvas units for each millimetre, so that [`WIDTH`] is 17 cm in print.
const UNITS_PER_MM: f64 = 4.0;
/// PNG pixels for each canvas unit: 2720 pixels over 17 cm, about 400 dpi.
const PIXELS_PER_UNIT: f32 = 4.0;

/// Text and axes.
const INK: &str = "#222222";
/// Secondary text.
const MUTED: &str = "#5f5f5f";
/// Grid lines.
const GRID: &str = "#e8e8e8";

/// Titles and the letters of panels.
const TITLE: Type = Type::new(13, INK).bold();
/// Labels of axes (7.8 pt in print).
const BODY: Type = Type::new(11, INK);
/// Labels of ticks and legends (7.1 pt in print).
const TICK: Type = Type::new(10, INK);
/// Text inside a panel (6.4 pt in print).
const SMALL: Type = Type::new(9, INK);
/// Captions and remarks, as small.
const NOTE: Type = Type::new(9, MUTED);

/// A rendered chart, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The SVG document, 17 cm wide. Text is kept as text: a viewer without DejaVu Sans uses a similar font.
    pub svg: String,
    /// A PNG image of the same drawing, about 400 dpi at 17 cm.
    pub png: Vec<u8>,
}

#[cfg(test)]
pub(crate) mod tests;
