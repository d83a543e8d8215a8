//! Panels of one size in rows, with title, legend and caption: a whole figure.

use super::canvas::Canvas;
use super::legend::{Entry, Legend};
use super::panel::{Area, Axes, LINE, Panel};
use super::text::{Type, wrap};
use super::title::Title;
use super::{Figure, FigureError, MUTED, SMALL, WIDTH};

/// Room left of a plot area, for tick labels and the letter.
const LEFT: f64 = 42.0;
/// Room right of a plot area.
const RIGHT: f64 = 12.0;
/// Gap between rows.
const GAP: f64 = 14.0;
/// Distance of the lines of the caption.
const CAPTION_LINE: f64 = 12.0;

/// The plot areas of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grid {
    columns: usize,
    pub width: f64,
    pub height: f64,
}

impl Grid {
    /// Columns that suit `panels` panels, none of them narrower than a third of the figure.
    fn columns(panels: usize) -> usize {
        match panels {
            0 | 1 => 1,
            2 | 4 => 2,
            _ => 3,
        }
    }

    /// Plot areas of `height` for `panels` panels, in `most` columns at most.
    pub fn new(panels: usize, most: usize, height: f64) -> Self {
        let columns = Self::columns(panels).min(most);
        Self {
            columns,
            width: WIDTH / columns as f64 - LEFT - RIGHT,
            height,
        }
    }

    /// Square plot areas for `panels` panels, no wider than `widest`.
    pub fn squares(panels: usize, widest: f64) -> Self {
        let grid = Self::new(panels, 3, 0.0);
        let side = grid.width.min(widest);
        Self {
            width: side,
            height: side,
            ..grid
        }
    }

    /// Left end of the plot area of panel `i`.
    fn left(self, i: usize) -> f64 {
        let cell = WIDTH / self.columns as f64;
        let spare = cell - LEFT - RIGHT - self.width;
        (i % self.columns) as f64 * cell + LEFT + spare / 2.0
    }
}

/// A figure of panels.
pub(super) struct Sheet<'a> {
    pub title: &'a str,
    pub grid: Grid,
    pub panels: Vec<Panel<'a>>,
    pub legend: Vec<Entry<'a>>,
    pub caption: String,
}

impl Sheet<'_> {
    /// Draws the figure, with the data by `marks`, which gets the index of a panel and its axes.
    pub fn draw(
        self,
        mut marks: impl FnMut(&mut Canvas, usize, &Axes),
    ) -> Result<Figure, FigureError> {
        let Self { grid, panels, .. } = self;
        check(panels.len())?;
        let panels = panels.iter().enumerate();
        let fitted = panels.map(|(i, panel)| panel.fit(grid.left(i), grid.width));
        let fitted: Vec<_> = fitted.collect();
        let title = Title::new(self.title);
        let legend = Legend::new(self.legend);
        let caption = wrap(&self.caption, SMALL, 0.92 * WIDTH);

        let lines = fitted.iter().map(|p| p.lines()).fold(0, usize::max);
        let above = LINE * lines as f64 + 24.0;
        let below = fitted.iter().map(|p| p.below()).fold(0.0, f64::max);
        let row = above + grid.height + below + GAP;
        let top = 8.0 + title.height();
        let rows = fitted.len().div_ceil(grid.columns);
        let legend_top = top + row * rows as f64;
        let gap = if legend.height() > 0.0 { 18.0 } else { 4.0 };
        let caption_at = legend_top + legend.height() + gap;
        let height = caption_at + CAPTION_LINE * caption.len() as f64 - 2.0;

        let mut canvas = Canvas::new(height.ceil());
        title.draw(&mut canvas);
        for (i, panel) in fitted.iter().enumerate() {
            let first = top + row * (i / grid.columns) as f64;
            let area = Area {
                left: grid.left(i),
                top: first + above,
                right: grid.left(i) + grid.width,
                bottom: first + above + grid.height,
            };
            let letter = letter(i, fitted.len());
            let axes = panel.draw(&mut canvas, area, first + 12.0, &letter);
            marks(&mut canvas, i, &axes);
        }
        legend.draw(&mut canvas, legend_top);
        for (i, line) in caption.iter().enumerate() {
            let at = (WIDTH / 2.0, caption_at + CAPTION_LINE * i as f64);
            canvas.text(at, line, Type::new(SMALL, MUTED).centred());
        }
        canvas.render()
    }
}

/// Checks that there are panels, and a letter for each.
fn check(panels: usize) -> Result<(), FigureError> {
    match panels {
        0 => Err(FigureError::NoSeries),
        1..=26 => Ok(()),
        got => Err(FigureError::TooManyPanels { got }),
    }
}

/// Letter of panel `i` of `panels`; a panel on its own has none.
pub(super) fn letter(i: usize, panels: usize) -> String {
    let letter = u8::try_from(i).ok().and_then(|i| b'A'.checked_add(i));
    let letter = letter.filter(|_| panels > 1);
    letter.map_or(String::new(), |l| char::from(l).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plot_areas_stay_on_the_canvas_and_apart() {
        for panels in 1..=9 {
            for grid in [Grid::new(panels, 3, 100.0), Grid::squares(panels, 240.0)] {
                for i in 0..grid.columns {
                    let end = grid.left(i) + grid.width;
                    assert!(grid.left(i) >= LEFT && end <= WIDTH - RIGHT);
                    assert!(i == 0 || grid.left(i) >= grid.left(i - 1) + grid.width + LEFT);
                }
            }
        }
    }

    #[test]
    fn panels_have_letters_and_there_is_at_least_one() {
        assert_eq!([0, 25].map(|i| letter(i, 26)), ["A", "Z"]);
        assert_eq!(letter(0, 1), "");
        assert_eq!(check(0), Err(FigureError::NoSeries));
        assert_eq!(check(27), Err(FigureError::TooManyPanels { got: 27 }));
    }
}
