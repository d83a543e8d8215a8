//! The heading of a figure.

use super::canvas::Canvas;
use super::text::{Type, wrap};
use super::{INK, TITLE, WIDTH};

/// Distance of its lines, relative to their size.
const LEADING: f64 = 1.25;

/// A heading across the top of a figure, in as many lines as it takes.
pub(super) struct Title {
    lines: Vec<String>,
}

impl Title {
    /// Sets `text`, which may be empty.
    pub fn new(text: &str) -> Self {
        let lines = wrap(text, TITLE, 0.8 * WIDTH);
        Self { lines }
    }

    /// Height it takes.
    pub fn height(&self) -> f64 {
        self.lines.len() as f64 * f64::from(TITLE) * LEADING
    }

    /// Draws it at the top of the canvas.
    pub fn draw(&self, canvas: &mut Canvas) {
        for (i, line) in self.lines.iter().enumerate() {
            let y = 18.0 + i as f64 * f64::from(TITLE) * LEADING;
            let style = Type::new(TITLE, INK).bold().centred();
            canvas.text((WIDTH / 2.0, y), line, style);
        }
    }
}
