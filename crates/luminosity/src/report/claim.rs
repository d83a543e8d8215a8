//! What the paper claims, as data.

use crate::Condition;
use crate::condition::{
    E_ONLY_LN_PLUS, INORM, INORM_CENTER, INORM_DECORRELATE, INORM_FULL, INORM_LATERAL, INORM_SCALE,
    LN_PLUS, NONE,
};

/// Something that the paper found.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// In a sentence.
    pub text: &'static str,
    /// The published numbers.
    pub published: &'static str,
    /// Where they are.
    pub figure: &'static str,
    /// How our numbers decide.
    pub rule: Rule,
}

/// At which ranges of luminosity a claim is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// At all.
    Every,
    /// At all above 0.
    Shifted,
    /// At the largest.
    Largest,
}

/// How a claim is decided.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// In each pair the first is above the second, setting by setting.
    Above(&'static [(Condition, Condition)], Where),
    /// The first does not differ from the second, as samples.
    Alike(Condition, Condition, Where),
    /// The 10 best settings of each ε, pooled, do not differ.
    BestAlike(Condition, Condition),
    /// The first is further above the second at the largest ε than at the smallest.
    Widens(Condition, Condition),
    /// The median alignments of output and gradient at the largest ε are in these ranges.
    Aligned(Condition, [(f64, f64); 2]),
}

/// How large a difference of medians, in points, still counts as alike.
pub const ALIKE_POINTS: f64 = 1.0;
/// Below this p two samples differ. Where any one of several tests would contradict a claim, this is
/// divided by their number (Bonferroni).
pub const ALPHA: f64 = 0.05;
/// With fewer settings nothing is decided.
pub const FEWEST: usize = 5;

/// The claims, the main ones first.
pub const CLAIMS: [Claim; 10] = [
    Claim {
        text: "Normalizing errors as well as activity improves learning over normalizing activity alone.",
        published: "medians 88.6, 88.1, 87.3, 85.6 % against 83–88, 82.5–87.5, 80–85.5, 78–83 % (ε = 0, 0.25, 0.5, 0.75)",
        figure: "Figures 4 and 5",
        rule: Rule::Above(&[(INORM_FULL, INORM)], Where::Every),
    },
    Claim {
        text: "What normalizing errors adds grows with the variation of luminosity.",
        published: "about 2 points at ε = 0, 4–5 at ε = 0.5 and 0.75",
        figure: "Figures 4 and 5",
        rule: Rule::Widens(INORM_FULL, INORM),
    },
    Claim {
        text: "Forward and full error normalization surpass LayerNorm where luminosity varies.",
        published: "p = 0.0040, 0.0035, 0.0023, higher (ε = 0.25, 0.5, 0.75); p = 0.15 at ε = 0",
        figure: "Figure 6",
        rule: Rule::Above(&[(INORM_FULL, E_ONLY_LN_PLUS)], Where::Shifted),
    },
    Claim {
        text: "Centering errors is enough to learn as well as with LayerNorm.",
        published: "medians 88.2, 87.8, 87.1, 85.1 % against 88.4, 87.7, 86.9, 85.1 %, n.s. at every ε",
        figure: "Figure 6",
        rule: Rule::Alike(INORM_CENTER, E_ONLY_LN_PLUS, Where::Every),
    },
    Claim {
        text: "Lateral inhibition of errors does as well as centering them.",
        published: "about the medians of center; n.s. against LayerNorm at every ε",
        figure: "Figure 7",
        rule: Rule::Alike(INORM_LATERAL, INORM_CENTER, Where::Every),
    },
    Claim {
        text: "Decorrelating or scaling errors alone falls short of LayerNorm.",
        published: "decorrelate 87.3, 86.8, 84.5, 81.5 %, scale 86.9 and 86.1 %, then 10–82 %; both p < 0.001 lower at every ε",
        figure: "Figure 6",
        rule: Rule::Above(
            &[
                (E_ONLY_LN_PLUS, INORM_DECORRELATE),
                (E_ONLY_LN_PLUS, INORM_SCALE),
            ],
            Where::Every,
        ),
    },
    Claim {
        text: "Without normalization a network of excitation and inhibition learns less well than with LayerNorm.",
        published: "a little below the diagonal at ε = 0, 1–5 points below at ε = 0.75",
        figure: "Figure 2",
        rule: Rule::Above(&[(LN_PLUS, NONE)], Where::Largest),
    },
    Claim {
        text: "With LayerNorm, excitation and inhibition learn as well as excitation alone.",
        published: "p = 0.76, 10 best settings of each ε pooled",
        figure: "Figure 2",
        rule: Rule::BestAlike(LN_PLUS, E_ONLY_LN_PLUS),
    },
    Claim {
        text: "Normalizing activity alone aligns outputs with LayerNorm, but not gradients.",
        published: "outputs 0.7–1, gradients 0.1–0.3 (ε = 0.75)",
        figure: "Figure 4",
        rule: Rule::Aligned(INORM, [(0.7, 1.0), (0.1, 0.3)]),
    },
    Claim {
        text: "With full error normalization outputs and gradients align with LayerNorm.",
        published: "outputs above 0.99, gradients 0.96–1 (ε = 0.75)",
        figure: "Figure 5",
        rule: Rule::Aligned(INORM_FULL, [(0.99, 1.0), (0.96, 1.0)]),
    },
];

impl Rule {
    /// The rule in words.
    pub fn words(self) -> String {
        match self {
            Self::Above(_, place) => format!(
                "Wilcoxon on pairs of settings: p < {ALPHA} and the sign of the median difference, {}; \
                 to differ, the opposite sign and p < {ALPHA} after Bonferroni over ε",
                place.words()
            ),
            Self::Alike(_, _, place) => format!(
                "Mann–Whitney: p ≥ {ALPHA} after Bonferroni over ε, and medians at most {ALIKE_POINTS} point \
                 apart, {}",
                place.words()
            ),
            Self::BestAlike(..) => format!(
                "Mann–Whitney on the 10 best settings of each ε, p ≥ {ALPHA}, and medians at most \
                 {ALIKE_POINTS} point apart"
            ),
            Self::Widens(..) => format!(
                "Wilcoxon on the differences at the largest ε against those at the smallest, p < {ALPHA}"
            ),
            Self::Aligned(..) => {
                "medians over the settings at the largest ε, to two digits, within the published ranges"
                    .to_owned()
            }
        }
    }
}

impl Where {
    fn words(self) -> &'static str {
        match self {
            Self::Every => "at every ε",
            Self::Shifted => "at every ε above 0",
            Self::Largest => "at the largest ε",
        }
    }

    /// The ranges of luminosity, of those that there are.
    pub fn among(self, epsilons: &[f64]) -> &[f64] {
        let from = match self {
            Self::Every => 0,
            Self::Shifted => epsilons.iter().take_while(|e| **e <= 0.0).count(),
            // What is published is of a varying luminosity.
            Self::Largest if epsilons.last().is_some_and(|e| *e > 0.0) => epsilons.len() - 1,
            Self::Largest => epsilons.len(),
        };
        epsilons.get(from..).unwrap_or(&[])
    }
}
