//! Colours that keep their meaning from figure to figure.

use super::{HUES, Look};

/// What the colour of a series stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// A condition, by its place among all.
    Condition(usize),
    /// One of several levels in order, from dark to light.
    Level {
        /// Place of the level, from 0.
        index: usize,
        /// Number of levels; more than 16 do not all differ.
        count: usize,
    },
}

/// Look of each condition: kin share a hue. What a program adds has the rest, again and again.
const CONDITIONS: [usize; 16] = [
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
    4 + HUES.len(), // further ones: pink, open
    3 + HUES.len(), // orange, open
    2 + HUES.len(), // green, open
    1 + HUES.len(), // vermilion, open
    7 + HUES.len(), // grey, open
];

/// How many conditions have a look of their own kind.
const KNOWN: usize = 11;

/// "Plasma" of matplotlib without its palest fifth: lightness grows evenly, for colour-blind
/// readers and in grey print too.
const RAMP: [&str; 16] = [
    "#0d0887", "#2d0594", "#44039e", "#5a01a5", "#6f00a8", "#8405a6", "#9713a0", "#a82295",
    "#b73189", "#c6417c", "#d35070", "#de6064", "#e87058", "#f0804d", "#f79341", "#fca636",
];

impl Colour {
    /// How it looks.
    pub(super) fn look(self) -> Look {
        match self {
            Self::Condition(index) if index < KNOWN => Look::of(CONDITIONS[index]),
            Self::Condition(index) => {
                let further = CONDITIONS.len() - KNOWN;
                Look::of(CONDITIONS[KNOWN + (index - KNOWN) % further])
            }
            Self::Level { index, count } => {
                let steps = count.saturating_sub(1).max(1);
                let place = index.min(steps) * (RAMP.len() - 1) / steps;
                Look {
                    hue: RAMP[place],
                    second: false,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn distinct(colours: impl Iterator<Item = Colour>) -> usize {
        let look = |c: Colour| c.look();
        let looks: HashSet<_> = colours.map(look).map(|l| (l.hue, l.second)).collect();
        looks.len()
    }

    #[test]
    fn conditions_and_levels_are_distinct() {
        assert_eq!(distinct((0..16).map(Colour::Condition)), 16);
        for count in 1..=RAMP.len() {
            let levels = (0..count).map(|index| Colour::Level { index, count });
            assert_eq!(distinct(levels), count);
        }
    }

    #[test]
    fn anything_has_a_look() {
        assert_eq!(Colour::Condition(16).look(), Colour::Condition(11).look());
        for (index, count) in [(4, 4), (0, 0), (99, 100), (usize::MAX, 1)] {
            assert!(RAMP.contains(&Colour::Level { index, count }.look().hue));
        }
    }
}
