//! The data of a chart, and the common layout of all charts.

use super::canvas::{Area, Canvas};
use super::caption::Count;
use super::legend::{Entry, Legend, Swatch};
use super::mark::{Axes, Mark};
use super::names::Names;
use super::scale::Scale;
use super::text::{Type, text_width, wrap};
use super::{BODY, Figure, INK, Look, MUTED, SMALL, TITLE, WIDTH};
use crate::Error;

/// The space left of a plot area, for tick labels and the letter.
const LEFT: f64 = 42.0;
/// The space right of a plot area.
const RIGHT: f64 = 12.0;
/// The gap between rows of panels.
const GAP: f64 = 14.0;
/// The line distance of the title.
const TITLE_LINE: f64 = 16.25;
/// The line distance above a plot area.
const LINE: f64 = 15.0;
/// The line distance of the label below a plot area.
const LABEL_LINE: f64 = 13.0;
/// The line distance of the caption.
const CAPTION_LINE: f64 = 12.0;
/// The space of the tick labels below a plot area.
const TICKS: f64 = 20.0;
/// The space of a swatch in a key.
const SWATCH: f64 = 20.0;

/// The plot areas of a chart, all of the same size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    columns: usize,
    pub width: f64,
    pub height: f64,
}

impl Grid {
    /// Plot areas of `height` for `panels` panels.
    pub fn new(panels: usize, height: f64) -> Self {
        let columns = match panels {
            0 | 1 => 1,
            2 | 4 => 2,
            _ => 3,
        };
        let width = WIDTH / columns as f64 - LEFT - RIGHT;
        Self {
            columns,
            width,
            height,
        }
    }

    /// Square plot areas for `panels` panels, no wider than `widest`.
    pub fn squares(panels: usize, widest: f64) -> Self {
        let mut grid = Self::new(panels, 0.0);
        grid.width = grid.width.min(widest);
        grid.height = grid.width;
        grid
    }

    /// The left end of the plot area of panel `i`.
    pub fn left(self, i: usize) -> f64 {
        let cell = WIDTH / self.columns as f64;
        let spare = cell - LEFT - RIGHT - self.width;
        (i % self.columns) as f64 * cell + LEFT + spare / 2.0
    }
}

/// The x axis.
#[derive(Debug, Clone)]
pub enum Across {
    Numbers(Scale),
    /// Categories at 1, 2, ..., each with its name and an optional description.
    Names(Vec<(String, String)>),
}

impl Across {
    /// Categories without descriptions.
    pub fn names(names: impl Iterator<Item = impl Into<String>>) -> Self {
        Self::Names(names.map(|n| (n.into(), String::new())).collect())
    }
}

/// A line above a plot area: the meaning of a look, or a remark.
pub type Key = (Option<(Swatch, Look)>, String);

/// Whether `text` fits on one line beside a swatch above a plot area of `width`.
pub fn key_fits(text: &str, width: f64) -> bool {
    text_width(text, SMALL) <= width - SWATCH
}

/// The axes and marks of a panel.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Heading; may be empty.
    pub heading: String,
    pub keys: Vec<Key>,
    pub x: Across,
    /// Label below the x axis; may be empty.
    pub x_label: String,
    pub y: Scale,
    /// Label above the y axis.
    pub y_label: String,
    pub marks: Vec<Mark>,
    /// The counts of its samples, for the caption.
    pub counts: Vec<Count>,
}

/// A chart; its title and its caption may be empty.
#[derive(Debug, Clone)]
pub struct Chart {
    pub title: String,
    pub grid: Grid,
    pub panels: Vec<Panel>,
    pub legend: Vec<Entry>,
    pub caption: String,
}

/// A line of text above a plot area, with its indent.
type Head = (Option<(Swatch, Look)>, String, Type, f64);

impl Panel {
    /// Empty axes.
    pub fn new(x: Across, y: Scale, y_label: impl Into<String>) -> Self {
        Self {
            heading: String::new(),
            keys: Vec::new(),
            x,
            x_label: String::new(),
            y,
            y_label: y_label.into(),
            marks: Vec::new(),
            counts: Vec::new(),
        }
    }

    /// The lines above a plot area of `width`: heading, keys, label of the y axis.
    fn head(&self, width: f64) -> Vec<Head> {
        let plain = Type::new(BODY, INK);
        let lines = |text: &str, style: Type| {
            let lines = wrap(text, BODY, width).into_iter();
            lines.map(move |line| (None, line, style, 0.0))
        };
        let mut head: Vec<Head> = lines(&self.heading, plain.bold()).collect();
        for (look, text) in &self.keys {
            let (indent, color) = match look {
                Some(_) => (SWATCH, INK),
                None => (0.0, MUTED),
            };
            let lines = wrap(text, SMALL, width - indent).into_iter().enumerate();
            let style = Type::new(SMALL, color);
            head.extend(lines.map(|(i, text)| (look.filter(|_| i == 0), text, style, indent)));
        }
        head.extend(lines(&self.y_label, plain));
        head
    }

    fn names(&self, left: f64, width: f64) -> Option<Names<'_>> {
        match &self.x {
            Across::Numbers(_) => None,
            Across::Names(names) => Some(Names::new(names, left, width)),
        }
    }

    /// The space of the ticks or names below a plot area.
    fn ticks(&self, left: f64, width: f64) -> f64 {
        self.names(left, width).map_or(TICKS, |n| n.height + 3.0)
    }

    /// Draws the panel around `area`, with its letter at the height `first`.
    fn draw(&self, canvas: &mut Canvas, area: Area, first: f64, letter: &str) {
        let width = area.right - area.left;
        let x = match &self.x {
            Across::Numbers(scale) => *scale,
            Across::Names(names) => Scale::categories(names.len()),
        };
        let names = self.names(area.left, width);
        canvas.axes(area, x, self.y, names.is_some());
        let style = Type::new(TITLE, INK).bold();
        canvas.text((area.left - 32.0, first), letter, style);
        let head = self.head(width);
        for (i, (look, text, style, indent)) in head.iter().enumerate() {
            // The last line, the label of the y axis, is directly above the plot area.
            let y = match i + 1 == head.len() {
                true => area.top - 12.0,
                false => first + LINE * i as f64,
            };
            if let Some((swatch, look)) = *look {
                swatch.draw(canvas, (area.left + 7.0, y - 3.3), 7.0, look);
            }
            canvas.text((area.left + indent, y), text, *style);
        }
        let axes = Axes { area, x, y: self.y };
        if let Some(names) = names {
            let places: Vec<f64> = (1..=names.len()).map(|i| axes.x(i as f64)).collect();
            names.draw(canvas, &places, area.bottom);
        }
        let below = area.bottom + self.ticks(area.left, width);
        for (i, line) in wrap(&self.x_label, BODY, width).iter().enumerate() {
            let y = below + LABEL_LINE * (i as f64 + 1.0) - 2.0;
            let at = ((area.left + area.right) / 2.0, y);
            canvas.text(at, line, Type::new(BODY, INK).centred());
        }
        for mark in &self.marks {
            axes.draw(canvas, mark);
        }
    }
}

impl Chart {
    fn title_lines(&self) -> Vec<String> {
        wrap(&self.title, TITLE, 0.8 * WIDTH)
    }

    /// The top of the first row, the space above a plot area, and the distance of the rows.
    fn rows(&self) -> (f64, f64, f64) {
        let (grid, panels) = (self.grid, self.panels.iter());
        let lines = panels.clone().map(|p| p.head(grid.width).len()).max();
        let above = LINE * lines.unwrap_or(0).saturating_sub(1) as f64 + 24.0;
        let below = panels.enumerate().map(|(i, p)| {
            let label = LABEL_LINE * wrap(&p.x_label, BODY, grid.width).len() as f64;
            p.ticks(grid.left(i), grid.width) + label + 4.0
        });
        let row = above + grid.height + below.fold(0.0, f64::max) + GAP;
        (
            8.0 + self.title_lines().len() as f64 * TITLE_LINE,
            above,
            row,
        )
    }

    /// The plot areas in order.
    pub fn areas(&self) -> Vec<Area> {
        let (grid, (top, above, row)) = (self.grid, self.rows());
        let area = |i: usize| {
            let top = top + row * (i / grid.columns) as f64 + above;
            Area {
                left: grid.left(i),
                top,
                right: grid.left(i) + grid.width,
                bottom: top + grid.height,
            }
        };
        (0..self.panels.len()).map(area).collect()
    }

    /// Whether there is no value to draw.
    pub fn is_empty(&self) -> bool {
        let mut counts = self.panels.iter().flat_map(|p| &p.counts);
        counts.all(|count| count.n == 0)
    }

    /// Draws the chart.
    ///
    /// # Errors
    ///
    /// [`Error::Figure`] if the image cannot be encoded.
    pub fn draw(&self) -> Result<Figure, Error> {
        let (top, above, row) = self.rows();
        let legend = Legend::new(&self.legend);
        let caption = wrap(&self.caption, SMALL, 0.92 * WIDTH);
        let legend_top = top + row * self.panels.len().div_ceil(self.grid.columns) as f64;
        let gap = if legend.height() > 0.0 { 18.0 } else { 4.0 };
        let caption_at = legend_top + legend.height() + gap;
        let height = caption_at + CAPTION_LINE * caption.len() as f64 - 2.0;

        let mut canvas = Canvas::new(height.ceil());
        for (i, line) in self.title_lines().iter().enumerate() {
            let at = (WIDTH / 2.0, 18.0 + i as f64 * TITLE_LINE);
            canvas.text(at, line, Type::new(TITLE, INK).bold().centred());
        }
        for (i, (panel, area)) in self.panels.iter().zip(self.areas()).enumerate() {
            let letter = letter(i, self.panels.len());
            panel.draw(&mut canvas, area, area.top - above + 12.0, &letter);
        }
        legend.draw(&mut canvas, legend_top);
        for (i, line) in caption.iter().enumerate() {
            let at = (WIDTH / 2.0, caption_at + CAPTION_LINE * i as f64);
            canvas.text(at, line, Type::new(SMALL, MUTED).centred());
        }
        canvas.render()
    }
}

/// The letter of panel `i` of `panels`, doubled after Z; a single panel has none.
pub fn letter(i: usize, panels: usize) -> String {
    let letter = char::from(b'A' + (i % 26) as u8).to_string();
    letter.repeat(if panels > 1 { i / 26 + 1 } else { 0 })
}
