//! Which figures there are.

use crate::condition::{
    E_ONLY_LN_PLUS, INORM, INORM_CENTER, INORM_DECORRELATE, INORM_FULL, INORM_LATERAL, INORM_SCALE,
    INORM_SUB, LN_PLUS, NONE,
};

use super::{Kind, Side, Spec};

/// Every figure, in the order of the paper.
pub const SPECS: [Spec; 14] = [
    Spec {
        name: "fig2",
        title: "Figure 2: LayerNorm in networks of excitation and inhibition",
        caption: "Left: LayerNorm against no normalization. Points above the diagonal are settings in \
                  which LayerNorm helps. Right: LayerNorm with inhibition against excitation alone.",
        kind: Kind::Scatter(&[(LN_PLUS, NONE), (LN_PLUS, E_ONLY_LN_PLUS)]),
    },
    Spec {
        name: "fig2_best",
        title: "Figure 2: the best settings",
        caption: "The 10 settings of the highest test accuracy at each ε (all where there are fewer), \
                  pooled; the marks are Mann–Whitney tests against ln+.",
        kind: Kind::Best(&[LN_PLUS, E_ONLY_LN_PLUS, NONE]),
    },
    Spec {
        name: "fig3",
        title: "Figure 3: what inhibition learns to normalize",
        caption: "Mean and variance of the hidden pre-activations of trained networks at the largest ε; \
                  perfect normalization has mean 0 and variance 1.",
        kind: Kind::Moments(&[NONE, INORM_SUB, INORM]),
    },
    Spec {
        name: "fig4",
        title: "Figure 4: normalizing activity alone",
        caption: "Inhibition that normalizes activity, with errors as they are, against LayerNorm. \
                  Points below the diagonal are settings in which LayerNorm learns better.",
        kind: Kind::Scatter(&[(INORM, E_ONLY_LN_PLUS)]),
    },
    Spec {
        name: "fig4_alignment",
        title: "Figure 4: alignment with LayerNorm, activity alone",
        caption: "Cosine similarity to LayerNorm of a trained network's outputs and gradients at the \
                  largest ε, mean over the hidden layers.",
        kind: Kind::Alignment(&[(INORM, Side::Output), (INORM, Side::Gradient)]),
    },
    Spec {
        name: "fig5",
        title: "Figure 5: normalizing activity and errors",
        caption: "As figure 4, with errors normalized in full.",
        kind: Kind::Scatter(&[(INORM_FULL, E_ONLY_LN_PLUS)]),
    },
    Spec {
        name: "fig5_alignment",
        title: "Figure 5: alignment with LayerNorm, activity and errors",
        caption: "As before, with errors normalized in full.",
        kind: Kind::Alignment(&[(INORM_FULL, Side::Output), (INORM_FULL, Side::Gradient)]),
    },
    Spec {
        name: "fig6",
        title: "Figure 6: the parts of error normalization",
        caption: "Accuracy by ε with errors scaled, decorrelated, centered and normalized in full. \
                  Marks are Mann–Whitney tests against e-only-ln+, not corrected for their number.",
        kind: Kind::Boxes(&[INORM_SCALE, INORM_DECORRELATE, INORM_CENTER, INORM_FULL]),
    },
    Spec {
        name: "fig6_alignment",
        title: "Figure 6: alignment of the gradient, by part",
        caption: "Cosine similarity of gradients to LayerNorm's at the largest ε.",
        kind: Kind::Alignment(&[
            (INORM_CENTER, Side::Gradient),
            (INORM_DECORRELATE, Side::Gradient),
            (INORM_SCALE, Side::Gradient),
        ]),
    },
    Spec {
        name: "fig7",
        title: "Figure 7: lateral inhibition of errors",
        caption: "Accuracy by ε with errors that inhibit each other laterally, beside centered and fully \
                  normalized ones. Marks as in figure 6.",
        kind: Kind::Boxes(&[INORM_LATERAL, INORM_CENTER, INORM_FULL]),
    },
    Spec {
        name: "fig7_alignment",
        title: "Figure 7: alignment of lateral inhibition",
        caption: "Outputs against LayerNorm, gradients against those of centered errors, at the largest ε.",
        kind: Kind::Alignment(&[
            (INORM_LATERAL, Side::Output),
            (INORM_LATERAL, Side::Gradient),
        ]),
    },
    Spec {
        name: "fig_lambda",
        title: "Appendix: the weight of the local loss",
        caption: "Accuracy of inorm, which normalizes activity alone, against λ.",
        kind: Kind::Lambda(INORM),
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
        caption: "Test accuracy after each epoch: medians over settings, with quartiles.",
        kind: Kind::Curves(&[
            NONE,
            E_ONLY_LN_PLUS,
            INORM,
            INORM_FULL,
            INORM_CENTER,
            INORM_LATERAL,
        ]),
    },
];
