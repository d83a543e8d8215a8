//! The style and the width of text.

use kuva::render::layout::{ComputedLayout, Layout};
use kuva::render::render::TextAnchor;

/// The style of a text.
#[derive(Debug, Clone, Copy)]
pub struct Type {
    pub size: u32,
    pub color: &'static str,
    pub bold: bool,
    pub anchor: TextAnchor,
    /// The rotation in degrees, clockwise.
    pub rotate: Option<f64>,
}

impl Type {
    pub const fn new(size: u32, color: &'static str) -> Self {
        Self {
            size,
            color,
            bold: false,
            anchor: TextAnchor::Start,
            rotate: None,
        }
    }

    /// In bold type, horizontal only.
    pub const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// Centred at its position.
    pub fn centred(self) -> Self {
        Self {
            anchor: TextAnchor::Middle,
            ..self
        }
    }

    /// Ending at its position, and rotated about it by `degrees` clockwise.
    pub fn turned(self, degrees: f64) -> Self {
        Self {
            anchor: TextAnchor::End,
            rotate: Some(degrees),
            ..self
        }
    }
}

/// The width of `text` in canvas units.
///
/// kuva does not export its font metrics but measures the labels of a category axis with them, with a minimum
/// width; the filler makes every text longer than this minimum.
pub fn text_width(text: &str, style: Type) -> f64 {
    const FILLER: &str = "MMMM";
    let measure = |label: String| {
        let layout = Layout::new((0.0, 1.0), (0.0, 1.0))
            .with_tick_size(style.size)
            .with_y_categories(vec![label]);
        ComputedLayout::from_layout(&layout).y_tick_label_px
    };
    measure(format!("{text}{FILLER}")) - measure(FILLER.to_owned())
}

/// Breaks `text` between words into lines no wider than `width`, if the words are short enough.
pub fn wrap(text: &str, style: Type, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), style) <= width => {
                *line += " ";
                *line += word;
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
