//! The data of a chart, and the common layout of all charts.

use super::canvas::{Area, Canvas};
use super::caption::Count;
use super::legend::{Entry, Legend, Swatch};
use super::mark::{Axes, Mark};
use super::names::Names;
use super::scale::Scale;
use super::text::{Type, text_width, wrap};
use super::{BODY, Figure, Look, NOTE, SMALL, TITLE, WIDTH};
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
        Self {
            columns,
            width: WIDTH / columns as f64 - LEFT - RIGHT,
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

/// Whether `text` fits on one line beside a swatch above a plot area of `width`.
pub fn key_fits(text: &str, width: f64) -> bool {
    text_width(text, SMALL) <= width - SWATCH
}

/// The axes and marks of a panel.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    /// Heading; may be empty.
    pub heading: String,
    /// A line under the heading: what boxes of a look mean, or a remark; may be empty.
    pub key: (Option<Look>, String),
    pub x: Scale,
    /// Names and descriptions of the categories at 1, 2, ...; none on an axis of numbers.
    pub names: Vec<(String, String)>,
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
type Head = (Option<Look>, String, Type, f64);

impl Panel {
    /// Empty axes of numbers.
    pub fn new(x: Scale, y: Scale, y_label: impl Into<String>) -> Self {
        Self {
            x,
            y,
            y_label: y_label.into(),
            ..Self::default()
        }
    }

    /// Empty axes with a category for each of `names`, which are pairs of name and description.
    pub fn of_names(names: Vec<(String, String)>, y: Scale, y_label: impl Into<String>) -> Self {
        let x = Scale::categories(names.len());
        Self {
            names,
            ..Self::new(x, y, y_label)
        }
    }

    /// The lines above a plot area of `width`: heading, key, label of the y axis.
    fn head(&self, width: f64) -> Vec<Head> {
        let (look, key) = &self.key;
        let (indent, style) = match look {
            Some(_) => (SWATCH, SMALL),
            None => (0.0, NOTE),
        };
        let parts = [
            (None, &self.heading, BODY.bold(), 0.0),
            (*look, key, style, indent),
            (None, &self.y_label, BODY, 0.0),
        ];
        let lines = parts.into_iter().flat_map(|(look, text, style, indent)| {
            let lines = wrap(text, style, width - indent).into_iter().enumerate();
            lines.map(move |(i, line)| (look.filter(|_| i == 0), line, style, indent))
        });
        lines.collect()
    }

    /// Draws the panel around `area`, with its letter at the height `first`.
    fn draw(&self, canvas: &mut Canvas, area: Area, first: f64, letter: &str) {
        let width = area.right - area.left;
        canvas.axes(area, self.x, self.y, !self.names.is_empty());
        canvas.text((area.left - 32.0, first), letter, TITLE);
        let head = self.head(width);
        for (i, (look, text, style, indent)) in head.iter().enumerate() {
            // The last line, the label of the y axis, is directly above the plot area.
            let y = match i + 1 == head.len() {
                true => area.top - 12.0,
                false => first + LINE * i as f64,
            };
            if let Some(look) = *look {
                Swatch::Box.draw(canvas, (area.left + 7.0, y - 3.3), look);
            }
            canvas.text((area.left + indent, y), text, *style);
        }
        let (x, y) = (self.x, self.y);
        let axes = Axes { area, x, y };
        let names = Names::new(&self.names, area.left, width);
        names.draw(canvas, &axes);
        let below = area.bottom + names.height + LABEL_LINE - 2.0;
        let middle = (area.left + area.right) / 2.0;
        let label = wrap(&self.x_label, BODY, width);
        canvas.lines((middle, below), LABEL_LINE, &label, BODY.centred());
        for mark in &self.marks {
            axes.draw(canvas, mark);
        }
    }
}

impl Chart {
    /// A chart without a title and a caption.
    pub fn new(grid: Grid, panels: impl IntoIterator<Item = Panel>, legend: Vec<Entry>) -> Self {
        Self {
            title: String::new(),
            grid,
            panels: panels.into_iter().collect(),
            legend,
            caption: String::new(),
        }
    }

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
            Names::new(&p.names, grid.left(i), grid.width).height + label + 4.0
        });
        let row = above + grid.height + below.fold(0.0, f64::max) + GAP;
        let top = 8.0 + self.title_lines().len() as f64 * TITLE_LINE;
        (top, above, row)
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
        let caption = wrap(&self.caption, NOTE, 0.92 * WIDTH);
        let legend_top = top + row * self.panels.len().div_ceil(self.grid.columns) as f64;
        let gap = if legend.height() > 0.0 { 18.0 } else { 4.0 };
        let caption_at = legend_top + legend.height() + gap;
        let height = caption_at + CAPTION_LINE * caption.len() as f64 - 2.0;

        let mut canvas = Canvas::new(height.ceil());
        let middle = WIDTH / 2.0;
        let title = self.title_lines();
        canvas.lines((middle, 18.0), TITLE_LINE, &title, TITLE.centred());
        for (i, (panel, area)) in self.panels.iter().zip(self.areas()).enumerate() {
            let letter = letter(i, self.panels.len());
            panel.draw(&mut canvas, area, area.top - above + 12.0, &letter);
        }
        legend.draw(&mut canvas, legend_top);
        canvas.lines((middle, caption_at), CAPTION_LINE, &caption, NOTE.centred());
        canvas.render()
    }
}

/// The letter of panel `i` of `panels`, doubled after Z; a single panel has none.
pub fn letter(i: usize, panels: usize) -> String {
    let letter = char::from(b'A' + (i % 26) as u8).to_string();
    letter.repeat(if panels > 1 { i / 26 + 1 } else { 0 })
}
