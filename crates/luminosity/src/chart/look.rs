//! Colours, dashes and markers with the same meaning in every chart.

/// The hues of Okabe and Ito (2008), legible to colour-blind readers, with grey in place of yellow, which is
/// too faint for a line on white.
const HUES: [&str; 8] = [
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000", "#999999",
];

/// The hue and style of each built-in condition, in their order; related conditions share a hue.
const CONDITIONS: [(usize, usize); 11] = [
    (7, 0), // none: grey
    (6, 0), // ln+: black
    (6, 1), // e-only-ln+: black, open
    (0, 0), // inorm: blue
    (0, 1), // inorm-sub: blue, open
    (1, 0), // inorm+full: vermilion
    (2, 0), // inorm+center: green
    (3, 0), // inorm+scale: orange
    (4, 0), // inorm+decorrelate: pink
    (5, 0), // inorm+lateral: sky blue
    (5, 1), // inorm+learned-lateral: sky blue, open
];

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
    /// Hex colour.
    pub hue: &'static str,
    /// Dash and marker: solid and filled, dashed and open, and two styles with other markers.
    pub style: usize,
}

impl Look {
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

    /// The look of a condition, by its position among all conditions. The first 27 differ; then looks repeat.
    pub fn condition(index: usize) -> Self {
        let more = index.saturating_sub(CONDITIONS.len());
        let later = (more % HUES.len(), 2 + more / HUES.len() % 2);
        let (hue, style) = CONDITIONS.get(index).copied().unwrap_or(later);
        Self::new(HUES[hue], style)
    }

    /// The look of one of `count` ordered levels, from dark to light; with more than 16, some have the same.
    pub fn level(index: usize, count: usize) -> Self {
        let last = count.saturating_sub(1).max(1);
        Self::new(RAMP[index.min(last) * (RAMP.len() - 1) / last], 0)
    }
}
