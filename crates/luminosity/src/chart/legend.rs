//! A legend in columns at the bottom of a chart, outside the plot areas.

use super::canvas::{Canvas, Point};
use super::text::{text_width, wrap};
use super::{Look, NOTE, TICK, WIDTH};

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
    /// Draws the symbol around `middle`.
    pub fn draw(self, canvas: &mut Canvas, middle: Point, look: Look) {
        let (x, y) = middle;
        let line = vec![(x - 10.0, y), (x + 10.0, y)];
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

impl Entry {
    /// An entry without a note for each different pair of label and look in `series`.
    pub fn all(swatch: Swatch, series: impl IntoIterator<Item = (String, Look)>) -> Vec<Self> {
        let mut entries = Vec::new();
        for (label, look) in series {
            let entry = Self {
                look,
                swatch,
                label,
                note: String::new(),
            };
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        entries
    }

    /// The distance of the note.
    fn lead(&self) -> f64 {
        SAMPLE + text_width(&self.label, TICK) + GAP
    }
}

/// The entries, with the lines of their notes, in their arrangement.
pub struct Legend<'a> {
    entries: Vec<(&'a Entry, Vec<String>)>,
    rows: usize,
    column: f64,
    /// The number of text lines in the tallest entry.
    lines: usize,
}

impl<'a> Legend<'a> {
    /// Arranges `entries` in the smallest number of rows that fit, column by column.
    pub fn new(entries: &'a [Entry]) -> Self {
        let wrapped = |e: &'a Entry| (e, wrap(&e.note, NOTE, ROOM - e.lead()));
        let entries: Vec<_> = entries.iter().map(wrapped).collect();
        let width = |(entry, lines): &(&Entry, Vec<String>)| {
            let note = lines.iter().map(|l| text_width(l, NOTE));
            entry.lead() + note.fold(0.0, f64::max)
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
            let middle = (x + 10.0, y - 3.6);
            entry.swatch.draw(canvas, middle, entry.look);
            canvas.text((x + SAMPLE, y), &entry.label, TICK);
            canvas.lines((x + entry.lead(), y), LINE, lines, NOTE);
        }
    }
}
