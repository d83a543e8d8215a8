//! Marks inside the axes of a panel, in data units.

use super::canvas::{Area, Canvas, Point};
use super::scale::Scale;
use super::text::text_width;
use super::{INK, Look, MUTED, NOTE, SMALL, Sample, boxes, clip};

/// The look of reference lines.
pub const RULE: Look = Look::new(INK, 1);
/// The look of diagonals and similar lines behind the data.
pub const GUIDE: Look = Look::new(MUTED, 1);

/// One mark. Lines and areas are clipped at the bottom of the axes; a value below is drawn as a triangle.
#[derive(Debug, Clone)]
pub enum Mark {
    /// A line through points, with a width.
    Line(Vec<Point>, Look, f64),
    /// A filled outline, with a colour and an opacity.
    Area(Vec<Point>, &'static str, f64),
    /// A translucent dot, with a radius.
    Dot(Point, f64, Look),
    /// A dot with a white rim, with a radius; the axes are equal.
    Point(Point, f64, Look),
    /// A marker, with a radius.
    Marker(Point, f64, Look),
    /// A vertical line between two heights, with caps of a half width.
    Bar(f64, [f64; 2], f64, Look),
    /// A box plot of a sample, with the available width including the space around the box.
    Box(f64, f64, Sample, Look),
    /// Text at a position along the x axis.
    Text(f64, String, At),
}

/// The position of a text.
#[derive(Debug, Clone, Copy)]
pub enum At {
    /// At the top, rotated if the text is wider than this width on the x axis.
    Top(f64),
    /// Above a range of values, or below the range if the top is too near; at a distance in canvas units.
    Beside([f64; 2], f64),
    /// Rotated, in the middle.
    Middle,
}

/// Maps values to the plot area of a panel.
pub struct Axes {
    pub area: Area,
    pub x: Scale,
    pub y: Scale,
}

impl Axes {
    fn share(scale: Scale, value: f64) -> f64 {
        (scale.place(value) - scale.min) / (scale.max - scale.min)
    }

    /// The position of `value` on the x axis, limited to the ends of the axis.
    pub fn x(&self, value: f64) -> f64 {
        let Area { left, right, .. } = self.area;
        left + (right - left) * Self::share(self.x, value).clamp(0.0, 1.0)
    }

    /// The position of `value` on the y axis, limited to the ends of the axis.
    pub fn y(&self, value: f64) -> f64 {
        self.free_y(value).clamp(self.area.top, self.area.bottom)
    }

    /// Like [`Self::y`], but a value below the axis stays below.
    fn free_y(&self, value: f64) -> f64 {
        let Area { top, bottom, .. } = self.area;
        bottom - (bottom - top) * Self::share(self.y, value).min(1.0)
    }

    /// Whether `value` lies below the y axis.
    pub fn below(&self, value: f64) -> bool {
        self.y.place(value) < self.y.min
    }

    /// A width on the x axis in canvas units.
    pub fn width(&self, width: f64) -> f64 {
        (self.area.right - self.area.left) * width / (self.x.max - self.x.min)
    }

    fn free(&self, points: &[Point]) -> Vec<Point> {
        let at = |&(x, y): &Point| (self.x(x), self.free_y(y));
        points.iter().map(at).collect()
    }

    pub fn draw(&self, canvas: &mut Canvas, mark: &Mark) {
        let floor = self.area.bottom;
        let at = |(x, y): Point| (self.x(x), self.y(y));
        match mark {
            Mark::Line(points, look, width) => {
                for part in clip::line(&self.free(points), floor) {
                    canvas.curve(part, *look, *width);
                }
            }
            Mark::Area(outline, color, opacity) => {
                canvas.area(&clip::area(&self.free(outline), floor), color, *opacity);
            }
            // With equal axes either value of a point may lie below.
            Mark::Point(point, _, look) if self.below(point.0.min(point.1)) => {
                canvas.below(at(*point), look.hue);
            }
            Mark::Dot(point, _, look) | Mark::Marker(point, _, look) if self.below(point.1) => {
                canvas.below(at(*point), look.hue);
            }
            Mark::Dot(point, radius, look) => canvas.dot(at(*point), *radius, look.hue),
            Mark::Point(point, radius, look) => canvas.point(at(*point), *radius, look.hue),
            Mark::Marker(point, radius, look) => canvas.marker(at(*point), *radius, *look),
            Mark::Bar(x, ends, cap, look) => {
                let (x, [low, high]) = (self.x(*x), ends.map(|v| self.y(v)));
                canvas.line(vec![(x, low), (x, high)], look.hue, 1.4);
                // Caps that a marker half hides would only blur its shape.
                for y in [low, high].into_iter().filter(|_| low - high > 2.0 * cap) {
                    canvas.line(vec![(x - cap, y), (x + cap, y)], look.hue, 1.4);
                }
            }
            Mark::Box(x, room, sample, look) => {
                boxes::draw(canvas, self, (*x, *room), sample, *look);
            }
            Mark::Text(x, text, place) => self.text(canvas, self.x(*x), text, *place),
        }
    }

    fn text(&self, canvas: &mut Canvas, x: f64, text: &str, place: At) {
        let Area { top, bottom, .. } = self.area;
        match place {
            At::Top(room) if text_width(text, SMALL) <= self.width(room) => {
                canvas.text((x, top + 9.0), text, SMALL.centred());
            }
            At::Top(_) => {
                // Stars are high within their line.
                let aside = if text.contains('*') { 5.5 } else { 3.0 };
                canvas.text((x + aside, top + 2.0), text, SMALL.turned(-90.0));
            }
            At::Beside([low, high], gap) => {
                let above = self.y(high) - gap;
                let y = match above - 7.0 > top {
                    true => above,
                    false => self.y(low) + gap + 7.0,
                };
                canvas.text((x, y), text, SMALL.centred());
            }
            At::Middle => {
                let at = (x + 3.0, (top + bottom) / 2.0);
                canvas.text(at, text, NOTE.turned(-90.0).centred());
            }
        }
    }
}
