//! Colours that keep their meaning from figure to figure.

use super::{FigureError, HUES, Look};

/// What the colour of a series stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// A condition, by its place in the list: none, ln+, e-only-ln+, inorm, inorm-sub,
    /// inorm+full, inorm+center, inorm+scale, inorm+decorrelate, inorm+lateral,
    /// inorm+learned-lateral.
    Condition(usize),
    /// One of several levels in order, from dark to light.
    Level {
        /// Place of the level, from 0.
        index: usize,
        /// Number of levels, at most 6.
        count: usize,
    },
}

/// Look of each condition: kin share a hue.
const CONDITIONS: [usize; 11] = [
    7,              // none: grey
    6,              // ln+: black
    6 + HUES.len(), // e-only-ln+: black, open
    0,              // inorm: blue
    HUES.len(),     // inorm-sub: blue, open
    1,              // inorm+full: vermilion
    2,              // inorm+center: green
    3,              // inorm+scale: orange
    4,              // inorm+decorrelate: pink
    5,              // inorm+lateral: sky blue
    5 + HUES.len(), // inorm+learned-lateral: sky blue, open
];

/// Largest number of levels.
const LEVELS: usize = 6;

/// "Plasma" of matplotlib without its palest fifth: lightness grows evenly, for colour-blind
/// readers and in grey print too.
const RAMP: [&str; 16] = [
    "#0d0887", "#2d0594", "#44039e", "#5a01a5", "#6f00a8", "#8405a6", "#9713a0", "#a82295",
    "#b73189", "#c6417c", "#d35070", "#de6064", "#e87058", "#f0804d", "#f79341", "#fca636",
];

impl Colour {
    /// How it looks.
    pub(super) fn look(self) -> Result<Look, FigureError> {
        let hue = match self {
            Self::Condition(index) => {
                let look = CONDITIONS.get(index).map(|&i| Look::of(i));
                return look.ok_or(FigureError::NoColour(self));
            }
            Self::Level { count: 1, .. } => RAMP.first(),
            Self::Level { index, count } if index < count && count <= LEVELS => {
                RAMP.get(index * (RAMP.len() - 1) / (count - 1))
            }
            Self::Level { .. } => None,
        };
        let look = |&hue| Look { hue, second: false };
        hue.map(look).ok_or(FigureError::NoColour(self))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn distinct(colours: impl Iterator<Item = Colour>) -> usize {
        let look = |c: Colour| c.look().expect("a colour");
        let looks: HashSet<_> = colours.map(look).map(|l| (l.hue, l.second)).collect();
        looks.len()
    }

    #[test]
    fn conditions_and_levels_are_distinct() {
        assert_eq!(distinct((0..11).map(Colour::Condition)), 11);
        for count in 1..=LEVELS {
            let levels = (0..count).map(|index| Colour::Level { index, count });
            assert_eq!(distinct(levels), count);
        }
    }

    #[test]
    fn what_has_no_colour_is_refused() {
        for (index, count) in [(4, 4), (0, 7), (0, 0)] {
            let colour = Colour::Level { index, count };
            assert_eq!(colour.look(), Err(FigureError::NoColour(colour)));
        }
        assert!(Colour::Condition(11).look().is_err());
    }
}
