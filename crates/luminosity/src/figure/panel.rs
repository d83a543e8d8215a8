//! One panel of a figure: what stands above its plot area, and the axes.

use kuva::render::layout::ComputedLayout;

use super::canvas::{Canvas, Frame, Point};
use super::legend::Swatch;
use super::names::Names;
use super::scale::Scale;
use super::text::{Type, text_width, wrap};
use super::{BODY, INK, Look, MUTED, SMALL, TITLE};

/// Distance of the lines above a plot area.
pub(super) const LINE: f64 = 15.0;
/// Distance of the lines of the label below it.
const LABEL_LINE: f64 = 13.0;
/// Room of the tick labels below a plot area.
const TICKS: f64 = 20.0;
/// Room of a swatch in a key.
const SWATCH: f64 = 20.0;

/// A line above the plot area.
pub(super) struct Key {
    /// What it explains, if anything.
    pub look: Option<(Swatch, Look)>,
    pub text: String,
}

impl Key {
    /// Whether `text` fits one line beside a swatch above a plot area of `width`.
    pub fn fits(text: &str, width: f64) -> bool {
        text_width(text, SMALL) <= width - SWATCH
    }
}

/// What the x axis shows.
pub(super) enum Across<'a> {
    Numbers(Scale),
    /// Categories, with their names.
    Names(Vec<&'a str>),
}

/// A panel to draw.
pub(super) struct Panel<'a> {
    pub heading: &'a str,
    pub keys: Vec<Key>,
    pub x: Across<'a>,
    /// Label below the x axis; may be empty.
    pub x_label: &'a str,
    pub y: Scale,
    /// Label above the y axis.
    pub y_label: &'a str,
}

/// A rectangle on the canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

/// A line above the plot area, wrapped to its width.
struct Head {
    look: Option<(Swatch, Look)>,
    text: String,
    style: Type,
    indent: f64,
}

/// A panel with its texts set for a plot area.
pub(super) struct Fitted<'a> {
    panel: &'a Panel<'a>,
    head: Vec<Head>,
    x_label: Vec<String>,
    y_label: String,
    names: Option<Names<'a>>,
}

impl<'a> Panel<'a> {
    /// Sets the texts for a plot area of `width` from `left`.
    pub fn fit(&'a self, left: f64, width: f64) -> Fitted<'a> {
        let mut y_label = wrap(self.y_label, BODY, width);
        let last = y_label.pop().unwrap_or_default();
        let heading = wrap(self.heading, BODY, width);
        let line = |text, style| Head {
            look: None,
            text,
            style,
            indent: 0.0,
        };
        let plain = Type::new(BODY, INK);
        let key = |key: &Key| {
            let (look, indent, color) = match key.look {
                Some(look) => (Some(look), SWATCH, INK),
                None => (None, 0.0, MUTED),
            };
            let lines = wrap(&key.text, SMALL, width - indent).into_iter();
            let head = move |(i, text)| Head {
                look: look.filter(|_| i == 0),
                text,
                style: Type::new(SMALL, color),
                indent,
            };
            lines.enumerate().map(head).collect::<Vec<_>>()
        };
        let mut head: Vec<_> = heading.into_iter().map(|t| line(t, plain.bold())).collect();
        head.extend(self.keys.iter().flat_map(key));
        head.extend(y_label.into_iter().map(|text| line(text, plain)));
        let names = match &self.x {
            Across::Numbers(_) => None,
            Across::Names(names) => {
                let names: Vec<_> = names.iter().map(|&n| (n, "")).collect();
                Some(Names::new(&names, left, width))
            }
        };
        Fitted {
            head,
            x_label: wrap(self.x_label, BODY, width),
            y_label: last,
            names,
            panel: self,
        }
    }
}

impl Fitted<'_> {
    /// Lines above the plot area, the label of the y axis not counted.
    pub fn lines(&self) -> usize {
        self.head.len()
    }

    /// Room it takes below the plot area.
    pub fn below(&self) -> f64 {
        let ticks = self.names.as_ref().map_or(TICKS, |n| n.height + 3.0);
        ticks + LABEL_LINE * self.x_label.len() as f64 + 4.0
    }

    /// Draws the panel around `area` with its first line at the height `first`.
    pub fn draw(&self, canvas: &mut Canvas, area: Area, first: f64, letter: &str) -> Axes {
        let Area {
            left,
            top,
            right,
            bottom,
        } = area;
        let (x, x_label) = match &self.panel.x {
            Across::Numbers(scale) => (*scale, Some("")),
            Across::Names(names) => (Scale::categories(names.len()), None),
        };
        let y = self.panel.y;
        let map = canvas.axes(&Frame {
            left,
            top,
            right,
            bottom,
            x,
            y,
            x_label,
            y_label: &self.y_label,
            letter: "",
        });
        let style = Type::new(TITLE, INK).bold();
        canvas.text((left - 32.0, first), letter, style);
        for (i, head) in self.head.iter().enumerate() {
            let y = first + LINE * i as f64;
            if let Some((swatch, look)) = head.look {
                swatch.draw(canvas, (left + 7.0, y - 3.3), 7.0, look);
            }
            canvas.text((left + head.indent, y), &head.text, head.style);
        }
        let axes = Axes { map, area, x, y };
        let mut below = bottom + TICKS;
        if let Some(names) = &self.names {
            let n = names.len();
            let places: Vec<f64> = (1..=n).map(|i| axes.x(i as f64)).collect();
            names.draw(canvas, &places, bottom);
            below = bottom + names.height + 3.0;
        }
        for (i, line) in self.x_label.iter().enumerate() {
            let at = (
                (left + right) / 2.0,
                below + LABEL_LINE * (i as f64 + 1.0) - 2.0,
            );
            canvas.text(at, line, Type::new(BODY, INK).centred());
        }
        axes
    }
}

/// Maps values to the plot area of a panel, those beyond its scales to the edge.
pub(super) struct Axes {
    map: ComputedLayout,
    pub area: Area,
    x: Scale,
    pub y: Scale,
}

impl Axes {
    pub fn x(&self, value: f64) -> f64 {
        let x = self.map.map_x(self.x.place(value));
        x.clamp(self.area.left, self.area.right)
    }

    pub fn y(&self, value: f64) -> f64 {
        let y = self.map.map_y(self.y.place(value));
        y.clamp(self.area.top, self.area.bottom)
    }

    /// Like [`Self::y`], but a value beyond the scale stays beyond.
    pub fn free_y(&self, value: f64) -> f64 {
        self.map.map_y(self.y.place(value))
    }

    pub fn at(&self, x: f64, y: f64) -> Point {
        (self.x(x), self.y(y))
    }

    /// Whether `value` lies below the y axis.
    pub fn below(&self, value: f64) -> bool {
        self.y.place(value) < self.y.min
    }

    /// Width of a category.
    pub fn slot(&self) -> f64 {
        (self.area.right - self.area.left) / (self.x.max - self.x.min)
    }
}
