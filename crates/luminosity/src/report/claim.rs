//! The paper's claims, as data.

use super::effect::ALPHA;

/// A finding of the paper.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// The claim in a sentence.
    pub text: &'static str,
    /// The published numbers.
    pub published: &'static str,
    /// The figure with these numbers.
    pub figure: &'static str,
    pub rule: Rule,
}

/// The ranges of luminosity ε of a claim: all, those above 0, or the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    Every,
    Shifted,
    Largest,
}

/// Two conditions.
pub type Pair = (&'static str, &'static str);

/// The rule that decides a claim.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// In each pair of conditions the first is above the second.
    Above(&'static [Pair], Where),
    /// In each pair the first is as good as the second.
    Alike(&'static [Pair], Where),
    /// The first is further above the second at the largest ε than at the smallest.
    Widens(Pair),
    /// The alignments of output and gradient at the largest ε are in these ranges.
    Aligned(&'static str, [(f64, f64); 2]),
}

/// The largest difference, in points, that counts as alike.
pub const ALIKE_POINTS: f64 = 1.0;
/// The smallest number of units for which quartiles describe the sample.
pub const FEWEST_TO_DESCRIBE: usize = 3;

/// The claims; the main claims come first.
pub const CLAIMS: [Claim; 10] = [
    Claim {
        text: "Normalizing errors as well as activity improves learning over normalizing activity alone.",
        published: "medians 88.6, 88.1, 87.3, 85.6 % against 83–88, 82.5–87.5, 80–85.5, 78–83 % (ε = 0, 0.25, 0.5, 0.75)",
        figure: "Figures 4 and 5",
        rule: Rule::Above(&[("inorm+full", "inorm")], Where::Every),
    },
    Claim {
        text: "What normalizing errors adds grows with the variation of luminosity.",
        published: "about 2 points at ε = 0, 4–5 at ε = 0.5 and 0.75",
        figure: "Figures 4 and 5",
        rule: Rule::Widens(("inorm+full", "inorm")),
    },
    Claim {
        text: "Forward and full error normalization surpass LayerNorm where luminosity varies.",
        published: "p = 0.0040, 0.0035, 0.0023, higher (ε = 0.25, 0.5, 0.75); p = 0.15 at ε = 0",
        figure: "Figure 6",
        rule: Rule::Above(&[("inorm+full", "e-only-ln+")], Where::Shifted),
    },
    Claim {
        text: "Centering errors is enough to learn as well as with LayerNorm.",
        published: "medians 88.2, 87.8, 87.1, 85.1 % against 88.4, 87.7, 86.9, 85.1 %, n.s. at every ε",
        figure: "Figure 6",
        rule: Rule::Alike(&[("inorm+center", "e-only-ln+")], Where::Every),
    },
    Claim {
        text: "Lateral inhibition of errors does as well as centering them.",
        published: "about the medians of center; n.s. against LayerNorm at every ε",
        figure: "Figure 7",
        rule: Rule::Alike(&[("inorm+lateral", "inorm+center")], Where::Every),
    },
    Claim {
        text: "Decorrelating or scaling errors alone falls short of LayerNorm.",
        published: "decorrelate 87.3, 86.8, 84.5, 81.5 %, scale 86.9 and 86.1 %, then 10–82 %; both p < 0.001 lower at every ε",
        figure: "Figure 6",
        rule: Rule::Above(
            &[
                ("e-only-ln+", "inorm+decorrelate"),
                ("e-only-ln+", "inorm+scale"),
            ],
            Where::Every,
        ),
    },
    Claim {
        text: "Without normalization a network of excitation and inhibition learns less well than with LayerNorm.",
        published: "a little below the diagonal at ε = 0, 1–5 points below at ε = 0.75",
        figure: "Figure 2",
        rule: Rule::Above(&[("ln+", "none")], Where::Largest),
    },
    Claim {
        text: "With LayerNorm, excitation and inhibition learn as well as excitation alone.",
        published: "p = 0.76, 10 best settings of each ε pooled",
        figure: "Figure 2",
        rule: Rule::Alike(&[("ln+", "e-only-ln+")], Where::Every),
    },
    Claim {
        text: "Normalizing activity alone aligns outputs with LayerNorm, but not gradients.",
        published: "outputs 0.7–1, gradients 0.1–0.3 (ε = 0.75)",
        figure: "Figure 4",
        rule: Rule::Aligned("inorm", [(0.7, 1.0), (0.1, 0.3)]),
    },
    Claim {
        text: "With full error normalization outputs and gradients align with LayerNorm.",
        published: "outputs above 0.99, gradients 0.96–1 (ε = 0.75)",
        figure: "Figure 5",
        rule: Rule::Aligned("inorm+full", [(0.99, 1.0), (0.96, 1.0)]),
    },
];

impl Rule {
    pub fn words(self) -> String {
        let sure = format!("by interval and p < {ALPHA}");
        match self {
            Self::Above(_, place) => format!(
                "the paired difference {}: all above 0 agrees, any below 0 differs, {sure}",
                place.words()
            ),
            Self::Alike(_, place) => format!(
                "the paired difference {}: all intervals within ±{ALIKE_POINTS} point agrees, any other \
                 without 0 differs, {sure}",
                place.words()
            ),
            Self::Widens(_) => format!(
                "the difference between the paired differences at the largest and the smallest ε: above 0 \
                 agrees, below 0 differs, {sure}"
            ),
            Self::Aligned(..) => format!(
                "the quartiles {}, to two digits: within the published range agrees, outside differs",
                Where::Largest.words()
            ),
        }
    }
}

impl Where {
    fn words(self) -> &'static str {
        match self {
            Self::Every => "at every ε",
            Self::Shifted => "at every ε above 0",
            Self::Largest => "at the largest ε, of at least 0.5",
        }
    }

    /// The ranges of luminosity of the claim, among `epsilons`.
    pub fn among(self, epsilons: &[f64]) -> &[f64] {
        let from = match self {
            Self::Every => 0,
            Self::Shifted => epsilons.iter().take_while(|e| **e <= 0.0).count(),
            // The published results are for a strongly varying luminosity.
            Self::Largest if epsilons.last().is_some_and(|e| *e >= 0.5) => epsilons.len() - 1,
            Self::Largest => epsilons.len(),
        };
        epsilons.get(from..).unwrap_or(&[])
    }
}
