//! The list of figures.

use super::alignment::{GRADIENT, LATERAL_GRADIENT, OUTPUT};
use super::{Kind, Spec};

/// The figure at the top of the page.
pub const MAIN: &str = "main";

/// All figures: the main figure, then the order of the paper.
pub const SPECS: [Spec; 15] = [
    Spec {
        name: MAIN,
        title: "Accuracy",
        caption: "Networks of excitation and inhibition without normalization, with LayerNorm, with inhibition \
                  that normalizes activity, and with errors normalized too.",
        kind: Kind::Main(&["none", "ln+", "inorm", "inorm+full"]),
    },
    Spec {
        name: "fig2",
        title: "Figure 2: LayerNorm in networks of excitation and inhibition",
        caption: "Left: LayerNorm against no normalization. Above the diagonal LayerNorm helps. \
                  Right: LayerNorm with inhibition against excitation alone. Above the plots: the median paired \
                  difference at the largest ε and its Wilcoxon test.",
        kind: Kind::Scatter(&[("ln+", "none"), ("ln+", "e-only-ln+")]),
    },
    Spec {
        name: "fig2_best",
        title: "Figure 2: the best of each ε",
        caption: "The 10 highest test accuracies at each ε (all where there are fewer), pooled; these are no \
                  pairs, so the marks are Mann–Whitney tests against ln+.",
        kind: Kind::Best(&["ln+", "e-only-ln+", "none"]),
    },
    Spec {
        name: "fig3",
        title: "Figure 3: what inhibition learns to normalize",
        caption: "Mean and variance of the hidden pre-activations of trained networks at the largest ε; \
                  perfect normalization has mean 0 and variance 1.",
        kind: Kind::Moments(&["none", "inorm-sub", "inorm"]),
    },
    Spec {
        name: "fig4",
        title: "Figure 4: normalizing activity alone",
        caption: "Inhibition that normalizes activity, with errors as they are, against LayerNorm. \
                  Below the diagonal LayerNorm learns better.",
        kind: Kind::Scatter(&[("inorm", "e-only-ln+")]),
    },
    Spec {
        name: "fig4_alignment",
        title: "Figure 4: alignment with LayerNorm, activity alone",
        caption: "Cosine similarity to LayerNorm of a trained network's outputs and gradients at the \
                  largest ε, mean over the hidden layers.",
        kind: Kind::Alignment(&[("inorm", OUTPUT), ("inorm", GRADIENT)]),
    },
    Spec {
        name: "fig5",
        title: "Figure 5: normalizing activity and errors",
        caption: "As figure 4, with errors normalized in full.",
        kind: Kind::Scatter(&[("inorm+full", "e-only-ln+")]),
    },
    Spec {
        name: "fig5_alignment",
        title: "Figure 5: alignment with LayerNorm, activity and errors",
        caption: "As before, with errors normalized in full.",
        kind: Kind::Alignment(&[("inorm+full", OUTPUT), ("inorm+full", GRADIENT)]),
    },
    Spec {
        name: "fig6",
        title: "Figure 6: the parts of error normalization",
        caption: "Accuracy by ε with errors scaled, decorrelated, centered and normalized in full.",
        kind: Kind::Boxes(&[
            "inorm+scale",
            "inorm+decorrelate",
            "inorm+center",
            "inorm+full",
        ]),
    },
    Spec {
        name: "fig6_alignment",
        title: "Figure 6: alignment of the gradient, by part",
        caption: "Cosine similarity of gradients to LayerNorm's at the largest ε.",
        kind: Kind::Alignment(&[
            ("inorm+center", GRADIENT),
            ("inorm+decorrelate", GRADIENT),
            ("inorm+scale", GRADIENT),
        ]),
    },
    Spec {
        name: "fig7",
        title: "Figure 7: lateral inhibition of errors",
        caption: "Accuracy by ε with errors that inhibit each other laterally, beside centered and fully \
                  normalized ones.",
        kind: Kind::Boxes(&["inorm+lateral", "inorm+center", "inorm+full"]),
    },
    Spec {
        name: "fig7_alignment",
        title: "Figure 7: alignment of lateral inhibition",
        caption: "Outputs against LayerNorm, gradients against those of centered errors, at the largest ε.",
        kind: Kind::Alignment(&[
            ("inorm+lateral", OUTPUT),
            ("inorm+lateral", LATERAL_GRADIENT),
        ]),
    },
    Spec {
        name: "fig_lambda",
        title: "Appendix: the weight of the local loss",
        caption: "Accuracy of inorm, which normalizes activity alone, against λ.",
        kind: Kind::Lambda("inorm"),
    },
    Spec {
        name: "fig_lambda_max",
        title: "Appendix: the largest eigenvalue of the errors",
        caption: "The largest eigenvalue of the covariance of the errors that reach a hidden layer, of \
                  trained networks at the largest ε, as its decimal logarithm.",
        kind: Kind::LambdaMax,
    },
    Spec {
        name: "fig_curves",
        title: "Learning curves",
        caption: "Test accuracy after each epoch: medians, with quartiles.",
        kind: Kind::Curves(&[
            "none",
            "e-only-ln+",
            "inorm",
            "inorm+full",
            "inorm+center",
            "inorm+lateral",
        ]),
    },
];
