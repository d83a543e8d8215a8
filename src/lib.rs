//! Code shared by the examples, benchmarks and tests of ei-norm.

pub mod bench;
pub mod golden;

/// The documentation pages, so that their examples are tested.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/guide.md")]
    struct Guide;
    #[doc = include_str!("../docs/extending.md")]
    struct Extending;
    #[doc = include_str!("../docs/weights.md")]
    struct WeightsPage;
    #[doc = include_str!("../docs/layers.md")]
    struct Layers;
    #[doc = include_str!("../docs/learned-lateral.md")]
    struct LearnedLateral;
    #[doc = include_str!("../docs/training.md")]
    struct Training;
}
