//! Colours, dashes and markers with the same meaning in every chart.

/// The hues of Okabe and Ito (2008), legible to colour-blind readers, with grey in place of yellow, which is
/// too faint for a line on white.
pub const BLUE: &str = "#0072B2";
pub const VERMILION: &str = "#D55E00";
pub const GREEN: &str = "#009E73";
pub const ORANGE: &str = "#E69F00";
pub const PINK: &str = "#CC79A7";
pub const SKY_BLUE: &str = "#56B4E9";
pub const BLACK: &str = "#000000";
pub const GREY: &str = "#999999";
const HUES: [&str; 8] = [BLUE, VERMILION, GREEN, ORANGE, PINK, SKY_BLUE, BLACK, GREY];

/// "Plasma" of matplotlib without its palest fifth: the lightness grows evenly, also for colour-blind readers
/// and in grey print.
const RAMP: [&str; 16] = [
    "#0d0887", "#2d0594", "#44039e", "#5a01a5", "#6f00a8", "#8405a6", "#9713a0", "#a82295",
    "#b73189", "#c6417c", "#d35070", "#de6064", "#e87058", "#f0804d", "#f79341", "#fca636",
];

/// The lengths of dash and gap of each style; the first is solid.
const DASHES: [&[f64]; 4] = [&[], &[5.0, 2.5], &[1.5, 2.0], &[6.0, 2.0, 1.5, 2.0]];

/// The appearance of one condition in every panel of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Look {
    /// The colour, as `#RRGGBB`.
    pub hue: &'static str,
    /// Dash and marker: solid and filled, dashed and open, and two styles with other markers.
    pub style: usize,
}

impl Look {
    /// A look of these two.
    pub const fn new(hue: &'static str, style: usize) -> Self {
        Self { hue, style }
    }

    /// The alternating lengths of dash and gap; none for a solid line.
    pub fn dash(self) -> &'static [f64] {
        DASHES[self.style % DASHES.len()]
    }

    /// Whether markers and boxes are white inside.
    pub fn open(self) -> bool {
        self.style % 2 == 1
    }

    /// The look of a condition without its own, by its position among such conditions. The first 16 differ from
    /// each other and from the built-in looks; then they repeat.
    pub fn further(index: usize) -> Self {
        Self::new(HUES[index % HUES.len()], 2 + index / HUES.len() % 2)
    }

    /// The look of one of `count` ordered levels, from dark to light; with more than 16, some have the same.
    pub fn level(index: usize, count: usize) -> Self {
        let last = count.saturating_sub(1).max(1);
        Self::new(RAMP[index.min(last) * (RAMP.len() - 1) / last], 0)
    }
}
