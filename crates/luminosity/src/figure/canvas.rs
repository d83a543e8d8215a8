//! A drawing surface over kuva: marks and text in canvas units, axes, rendering.

use kuva::RasterBackend;
use kuva::backend::svg::SvgBackend;
use kuva::render::axis::{add_axes_and_grid, add_labels_and_title};
use kuva::render::color::Color;
use kuva::render::layout::{ComputedLayout, Layout};
use kuva::render::render::{PathData, Primitive, Scene, TextSpan};
use kuva::render::theme::Theme;

use super::dash::dashes;
use super::scale::Scale;
use super::text::Type;
use super::{
    BODY, Figure, FigureError, GRID, INK, Look, PIXELS_PER_UNIT, TICK, TITLE, UNITS_PER_MM, WIDTH,
};

/// First choice is the face kuva rasterizes with and measures by.
const FONTS: &str = "DejaVu Sans, Verdana, Arial, sans-serif";

/// A position on the canvas, y downwards.
pub(super) type Point = (f64, f64);

/// A plot area on the canvas with its axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
    pub x: Scale,
    pub y: Scale,
    /// Label of the x axis; without one the axis has no ticks, for a caller who names
    /// categories, and with an empty one it has nothing but ticks.
    pub x_label: Option<&'a str>,
    /// Label of the y axis, set level above it.
    pub y_label: &'a str,
    /// Letter of the panel.
    pub letter: &'a str,
}

/// A figure being drawn.
pub(super) struct Canvas {
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

    /// Draws axes, grid and labels of `frame`; the result maps data to canvas positions.
    pub fn axes(&mut self, frame: &Frame) -> ComputedLayout {
        let Frame { x, y, .. } = *frame;
        let mut layout = Layout::new((x.min, x.max), (y.min, y.max))
            .with_width(self.scene.width)
            .with_height(self.scene.height)
            .with_force_margins(frame.left, self.scene.width - frame.right)
            .with_force_margins_y(frame.top, self.scene.height - frame.bottom)
            .with_x_axis_min(x.min)
            .with_x_axis_max(x.max)
            .with_y_axis_min(y.min)
            .with_y_axis_max(y.max)
            .with_x_tick_step(x.step)
            .with_y_tick_step(y.step)
            .with_x_tick_format(x.format())
            .with_y_tick_format(y.format())
            .with_tick_size(TICK)
            .with_label_size(BODY)
            .with_tick_length(4.0)
            .with_theme(Theme {
                axis_color: INK.to_owned(),
                tick_color: INK.to_owned(),
                text_color: INK.to_owned(),
                grid_color: GRID.to_owned(),
                ..Theme::light()
            });
        match frame.x_label {
            None => {
                layout.suppress_x_ticks = true;
                layout.x_categories = Some(Vec::new());
            }
            Some("") => {}
            Some(label) => {
                let from_foot = self.scene.height - frame.bottom;
                layout = layout
                    .with_x_label(label)
                    .with_x_label_offset(0.0, 35.0 - from_foot);
            }
        }
        let computed = ComputedLayout::from_layout(&layout);
        add_axes_and_grid(&mut self.scene, &computed, &layout);
        add_labels_and_title(&mut self.scene, &computed, &layout);
        let above = frame.top - 12.0;
        let letter = Type::new(TITLE, INK).bold();
        self.text((frame.left - 32.0, above), frame.letter, letter);
        let label = Type::new(BODY, INK);
        self.text((frame.left, above), frame.y_label, label);
        computed
    }

    /// Sets `content`, if there is any, with its baseline at `at`.
    pub fn text(&mut self, at: Point, content: &str, style: Type) {
        if content.is_empty() {
            return;
        }
        let (x, y) = at;
        let content = content.replace(char::is_control, " ");
        let Type { size, anchor, .. } = style;
        let color = Some(Color::from(style.color));
        // The raster backend has a bold face for spans only.
        self.scene.add(if style.bold {
            Primitive::RichText {
                x,
                y,
                spans: vec![TextSpan {
                    text: content,
                    bold: true,
                    italic: false,
                    underline: false,
                    code: false,
                    math: false,
                }],
                size,
                anchor,
                color,
            }
        } else {
            Primitive::Text {
                x,
                y,
                content,
                size,
                anchor,
                rotate: style.rotate,
                bold: false,
                color,
            }
        });
    }

    /// A solid line through `points`.
    pub fn line(&mut self, points: Vec<Point>, color: &str, width: f64) {
        self.scene.add(Primitive::PolyLine {
            points,
            stroke: Color::from(color),
            stroke_width: width,
            stroke_dasharray: None,
        });
    }

    /// A line through `points` in the manner of `look`.
    pub fn curve(&mut self, points: Vec<Point>, look: Look, width: f64) {
        if look.second {
            for dash in dashes(&points) {
                self.line(dash, look.hue, width);
            }
        } else {
            self.line(points, look.hue, width);
        }
    }

    /// A translucent area between two lines.
    pub fn band(&mut self, upper: &[Point], lower: &[Point], look: Look) {
        let outline: Vec<Point> = upper.iter().chain(lower.iter().rev()).copied().collect();
        self.area(&outline, look.hue, 0.15);
    }

    /// The area inside `outline`.
    pub fn area(&mut self, outline: &[Point], color: &str, opacity: f64) {
        if outline.is_empty() {
            return;
        }
        let mut d = String::new();
        for (i, (x, y)) in outline.iter().enumerate() {
            let command = if i == 0 { 'M' } else { 'L' };
            d.push_str(&format!("{command}{x:.2} {y:.2} "));
        }
        d.push('Z');
        self.scene.add(Primitive::Path(Box::new(PathData {
            d,
            fill: Some(Color::from(color)),
            stroke: Color::None,
            stroke_width: 0.0,
            opacity: Some(opacity),
            stroke_dasharray: None,
        })));
    }

    /// A box between two corners, white inside for a second look.
    pub fn rectangle(&mut self, (left, top): Point, (right, bottom): Point, look: Look) {
        let mut outline = vec![(left, top), (right, top), (right, bottom), (left, bottom)];
        self.area(&outline, "#ffffff", 1.0);
        if !look.second {
            self.area(&outline, look.hue, 0.35);
        }
        outline.push((left, top));
        self.line(outline, look.hue, 1.2);
    }

    /// A filled triangle that points down to a value below the axis at `at`.
    pub fn below(&mut self, (x, y): Point, color: &str) {
        let outline = [(x - 3.0, y - 6.0), (x + 3.0, y - 6.0), (x, y - 0.5)];
        self.area(&outline, color, 1.0);
    }

    /// A translucent dot, for one value among many.
    pub fn dot(&mut self, at: Point, radius: f64, look: Look) {
        self.scene.add(Primitive::Circle {
            cx: at.0,
            cy: at.1,
            r: radius,
            fill: Color::from(look.hue),
            fill_opacity: Some(0.45),
            stroke: None,
            stroke_width: None,
        });
    }

    /// A dot with a white rim, for one value among many that are told apart by colour.
    pub fn point(&mut self, at: Point, radius: f64, color: &str) {
        self.scene.add(Primitive::Circle {
            cx: at.0,
            cy: at.1,
            r: radius,
            fill: Color::from(color),
            fill_opacity: Some(0.85),
            stroke: Some(Color::from("#ffffff")),
            stroke_width: Some(0.5),
        });
    }

    /// A solid marker, open for a second look, for a value that stands for others.
    pub fn marker(&mut self, at: Point, radius: f64, look: Look) {
        let fill = if look.second { "#ffffff" } else { look.hue };
        self.scene.add(Primitive::Circle {
            cx: at.0,
            cy: at.1,
            r: radius,
            fill: Color::from(fill),
            fill_opacity: None,
            stroke: Some(Color::from(look.hue)),
            stroke_width: Some(1.4),
        });
    }

    /// The finished figure.
    pub fn render(self) -> Result<Figure, FigureError> {
        let png = RasterBackend::new()
            .with_scale(PIXELS_PER_UNIT)
            .render_scene(&self.scene)
            .map_err(FigureError::Png)?;
        let Scene { width, height, .. } = self.scene;
        let svg = SvgBackend::new()
            .with_pretty(true)
            .render_scene(&self.scene);
        // The backend writes a size in pixels; print wants one in millimetres.
        let svg = svg.replacen(
            &format!("width=\"{width}\" height=\"{height}\""),
            &format!(
                "width=\"{}mm\" height=\"{}mm\" viewBox=\"0 0 {width} {height}\"",
                width / UNITS_PER_MM,
                height / UNITS_PER_MM,
            ),
            1,
        );
        Ok(Figure { svg, png })
    }
}
