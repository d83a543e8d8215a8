//! A legend in columns at the bottom of a chart, outside the plot areas.

use super::canvas::{Canvas, Point};
use super::text::{Type, text_width, wrap};
use super::{INK, Look, MUTED, SMALL, TICK, WIDTH};

/// The width of a symbol and the gap after it.
const SAMPLE: f64 = 28.0;
/// The gap between label and note.
const GAP: f64 = 7.0;
/// The gap between columns.
const GUTTER: f64 = 22.0;
/// The distance of lines.
const LINE: f64 = 14.0;
/// The largest width of all columns.
const ROOM: f64 = WIDTH - 24.0;

/// The symbol of a look in a legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swatch {
    /// A curve with a marker.
    Curve,
    Line,
    Marker,
    Point,
    Box,
}

impl Swatch {
    /// Draws the symbol around `middle`, no wider than twice `half`.
    pub fn draw(self, canvas: &mut Canvas, middle: Point, half: f64, look: Look) {
        let (x, y) = middle;
        let line = vec![(x - half, y), (x + half, y)];
        match self {
            Self::Curve => {
                canvas.curve(line, look, 1.8);
                canvas.marker(middle, 3.0, look);
            }
            Self::Line => canvas.curve(line, look, 1.8),
            Self::Marker => canvas.marker(middle, 3.0, look),
            Self::Point => canvas.point(middle, 3.6, look.hue),
            Self::Box => canvas.rectangle((x - 6.0, y - 4.0), (x + 6.0, y + 4.0), look),
        }
    }
}

/// An entry of a legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub look: Look,
    pub swatch: Swatch,
    pub label: String,
    /// A note after the label, in smaller type; may be empty.
    pub note: String,
}

/// The entries with their positions.
pub struct Legend {
    entries: Vec<(Entry, Vec<String>)>,
    rows: usize,
    column: f64,
    /// The number of text lines in the tallest entry.
    lines: usize,
}

impl Legend {
    /// Arranges `entries` in the smallest number of rows that fit, column by column.
    pub fn new(entries: &[Entry]) -> Self {
        let lead = |e: &Entry| SAMPLE + text_width(&e.label, TICK) + GAP;
        let entries: Vec<_> = entries
            .iter()
            .map(|e| (e.clone(), wrap(&e.note, SMALL, ROOM - lead(e))))
            .collect();
        let width = |(entry, lines): &(Entry, Vec<String>)| {
            let note = lines.iter().map(|l| text_width(l, SMALL));
            lead(entry) + note.fold(0.0, f64::max)
        };
        let column = entries.iter().map(width).fold(0.0, f64::max);
        let most = ((ROOM + GUTTER) / (column + GUTTER)).floor().max(1.0) as usize;
        Self {
            rows: entries.len().div_ceil(most),
            lines: entries.iter().map(|e| e.1.len()).fold(1, usize::max),
            entries,
            column,
        }
    }

    /// One entry for each pair of label and look in `series`.
    pub fn of<L: Into<String>>(
        swatch: Swatch,
        series: impl IntoIterator<Item = (L, Look)>,
    ) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for (label, look) in series {
            let entry = Entry {
                look,
                swatch,
                label: label.into(),
                note: String::new(),
            };
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        entries
    }

    /// The height of the legend.
    pub fn height(&self) -> f64 {
        LINE * (self.rows * self.lines) as f64
    }

    /// Draws the legend below `top`, centred.
    pub fn draw(&self, canvas: &mut Canvas, top: f64) {
        let columns = self.entries.len().div_ceil(self.rows.max(1)) as f64;
        let width = columns * (self.column + GUTTER) - GUTTER;
        let left = (WIDTH - width) / 2.0;
        for (i, (entry, lines)) in self.entries.iter().enumerate() {
            let x = left + (i / self.rows) as f64 * (self.column + GUTTER);
            let y = top + LINE * ((i % self.rows * self.lines) as f64 + 0.75);
            let middle = y - 3.6;
            let swatch = entry.swatch;
            swatch.draw(canvas, (x + 10.0, middle), 10.0, entry.look);
            canvas.text((x + SAMPLE, y), &entry.label, Type::new(TICK, INK));
            let x = x + SAMPLE + text_width(&entry.label, TICK) + GAP;
            for (k, line) in lines.iter().enumerate() {
                canvas.text((x, y + LINE * k as f64), line, Type::new(SMALL, MUTED));
            }
        }
    }
}
