//! A drawing surface on top of kuva: marks and text in canvas units, axes, rendering.

use kuva::RasterBackend;
use kuva::backend::svg::SvgBackend;
use kuva::render::axis::add_axes_and_grid;
use kuva::render::color::Color;
use kuva::render::layout::{ComputedLayout, Layout};
use kuva::render::render::{PathData, Primitive, Scene, TextSpan};
use kuva::render::theme::Theme;

use super::dash::dashes;
use super::scale::Scale;
use super::text::Type;
use super::{Figure, GRID, INK, Look, PIXELS_PER_UNIT, TICK, UNITS_PER_MM, WIDTH};
use crate::Error;

/// The first is the font with which kuva rasterizes and measures.
const FONTS: &str = "DejaVu Sans, Verdana, Arial, sans-serif";

/// A position on the canvas, y downwards.
pub type Point = (f64, f64);

/// A rectangle on the canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

/// A chart being drawn.
pub struct Canvas {
    scene: Scene,
}

impl Canvas {
    /// A white canvas of the common width.
    pub fn new(height: f64) -> Self {
        let mut scene = Scene::new(WIDTH, height);
        scene.font_family = Some(FONTS.to_owned());
        scene.text_color = Some(INK.to_owned());
        Self { scene }
    }

    /// Draws axes and grid around `area`; categories have no ticks on the x axis.
    pub fn axes(&mut self, area: Area, x: Scale, y: Scale, categories: bool) {
        let mut layout = Layout::new((x.min, x.max), (y.min, y.max))
            .with_width(self.scene.width)
            .with_height(self.scene.height)
            .with_force_margins(area.left, self.scene.width - area.right)
            .with_force_margins_y(area.top, self.scene.height - area.bottom)
            .with_x_axis_min(x.min)
            .with_x_axis_max(x.max)
            .with_y_axis_min(y.min)
            .with_y_axis_max(y.max)
            .with_x_tick_step(x.step)
            .with_y_tick_step(y.step)
            .with_x_tick_format(x.format())
            .with_y_tick_format(y.format())
            .with_tick_size(TICK.size)
            .with_tick_length(4.0)
            .with_theme(Theme {
                axis_color: INK.to_owned(),
                tick_color: INK.to_owned(),
                grid_color: GRID.to_owned(),
                ..Theme::light()
            });
        if categories {
            layout = layout.with_x_categories(Vec::new());
        }
        let computed = ComputedLayout::from_layout(&layout);
        add_axes_and_grid(&mut self.scene, &computed, &layout);
    }

    /// Draws `content`, if not empty, with its baseline at `at`.
    pub fn text(&mut self, at: Point, content: &str, style: Type) {
        if content.is_empty() {
            return;
        }
        let (x, y) = at;
        let content = content.replace(char::is_control, " ");
        let Type { size, anchor, .. } = style;
        let color = Some(Color::from(style.color));
        self.scene.add(match style.bold {
            // The raster backend has a bold font only for spans.
            true => Primitive::RichText {
                x,
                y,
                spans: vec![TextSpan {
                    bold: true,
                    ..TextSpan::plain(content)
                }],
                size,
                anchor,
                color,
            },
            false => Primitive::Text {
                x,
                y,
                content,
                size,
                anchor,
                rotate: style.rotate,
                bold: false,
                color,
            },
        });
    }

    /// Draws lines of text at distances of `step`, the first at `at`.
    pub fn lines(&mut self, at: Point, step: f64, lines: &[String], style: Type) {
        for (i, line) in lines.iter().enumerate() {
            self.text((at.0, at.1 + step * i as f64), line, style);
        }
    }

    /// Draws a solid line through `points`.
    pub fn line(&mut self, points: Vec<Point>, color: &str, width: f64) {
        self.scene.add(Primitive::PolyLine {
            points,
            stroke: Color::from(color),
            stroke_width: width,
            stroke_dasharray: None,
        });
    }

    /// Draws a line through `points` with the dashes and colour of `look`.
    pub fn curve(&mut self, points: Vec<Point>, look: Look, width: f64) {
        match look.dash() {
            [] => self.line(points, look.hue, width),
            pattern => {
                for dash in dashes(&points, pattern) {
                    self.line(dash, look.hue, width);
                }
            }
        }
    }

    /// Fills the area inside `outline`.
    pub fn area(&mut self, outline: &[Point], color: &str, opacity: f64) {
        if outline.is_empty() {
            return;
        }
        let corners = outline.iter().map(|(x, y)| format!("{x:.2} {y:.2} "));
        let corners: Vec<String> = corners.collect();
        self.scene.add(Primitive::Path(Box::new(PathData {
            d: format!("M{}Z", corners.join("L")),
            fill: Some(Color::from(color)),
            stroke: Color::None,
            stroke_width: 0.0,
            opacity: Some(opacity),
            stroke_dasharray: None,
        })));
    }

    /// Draws a box between two corners, white inside for an open look.
    pub fn rectangle(&mut self, (left, top): Point, (right, bottom): Point, look: Look) {
        let mut outline = vec![(left, top), (right, top), (right, bottom), (left, bottom)];
        self.area(&outline, "#ffffff", 1.0);
        if !look.open() {
            self.area(&outline, look.hue, 0.35);
        }
        outline.push((left, top));
        match look.style {
            0 | 1 => self.line(outline, look.hue, 1.2),
            _ => self.curve(outline, look, 1.2),
        }
    }

    /// Draws a filled triangle that points down to a position, for a value below the axis.
    pub fn below(&mut self, (x, y): Point, color: &str) {
        let outline = [(x - 3.0, y - 6.0), (x + 3.0, y - 6.0), (x, y - 0.5)];
        self.area(&outline, color, 1.0);
    }

    fn circle(&mut self, (cx, cy): Point, r: f64, fill: (&str, f64), rim: Option<(&str, f64)>) {
        self.scene.add(Primitive::Circle {
            cx,
            cy,
            r,
            fill: Color::from(fill.0),
            fill_opacity: Some(fill.1).filter(|o| *o < 1.0),
            stroke: rim.map(|r| Color::from(r.0)),
            stroke_width: rim.map(|r| r.1),
        });
    }

    /// Draws a translucent dot, for one value among many.
    pub fn dot(&mut self, at: Point, radius: f64, color: &str) {
        self.circle(at, radius, (color, 0.45), None);
    }

    /// Draws a dot with a white rim, for one value among many that differ in colour.
    pub fn point(&mut self, at: Point, radius: f64, color: &str) {
        self.circle(at, radius, (color, 0.85), Some(("#ffffff", 0.5)));
    }

    /// Draws a marker in the style of `look`, for a value that summarizes others.
    pub fn marker(&mut self, at: Point, radius: f64, look: Look) {
        let fill = if look.open() { "#ffffff" } else { look.hue };
        if look.style < 2 {
            return self.circle(at, radius, (fill, 1.0), Some((look.hue, 1.4)));
        }
        let corners = match look.style {
            2 => [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)],
            _ => [(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
        };
        let corner = |(x, y): Point| (at.0 + x * radius, at.1 + y * radius);
        let mut outline = corners.map(corner).to_vec();
        self.area(&outline, fill, 1.0);
        outline.push(outline[0]);
        self.line(outline, look.hue, 1.4);
    }

    pub fn render(self) -> Result<Figure, Error> {
        let scene = self.scene;
        let raster = RasterBackend::new().with_scale(PIXELS_PER_UNIT);
        let png = raster.render_scene(&scene).map_err(Error::Figure)?;
        let svg = SvgBackend::new().with_pretty(true).render_scene(&scene);
        // The backend writes the size in pixels; print needs millimetres.
        let (x, y) = (scene.width, scene.height);
        let [width, height] = [x, y].map(|units| units / UNITS_PER_MM);
        let size = format!("width=\"{width}mm\" height=\"{height}mm\" viewBox=\"0 0 {x} {y}\"");
        let svg = svg.replacen(&format!("width=\"{x}\" height=\"{y}\""), &size, 1);
        Ok(Figure { svg, png })
    }
}
