//! The figures of the report, described by data.

mod alignment;
mod boxes;
mod curves;
mod moments;
mod scatter;
mod specs;
#[cfg(test)]
mod tests;

use super::claim::Pair;
use super::effect::Effect;
use super::sample::{Samples, Unit};
use super::text;
use crate::Error;
use crate::chart::{Figure, Look};
use crate::condition::{Condition, PAPER};
use alignment::Side;

pub use boxes::{BEST, REFERENCE};
pub use specs::{MAIN, SPECS};

/// Names of conditions.
pub type Names = &'static [&'static str];

/// The content of a figure.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Scatter plots of each pair (y, x), with a point for each unit.
    Scatter(&'static [Pair]),
    /// The 10 best units of each ε, pooled.
    Best(Names),
    /// Moments of the pre-activations at the largest ε.
    Moments(Names),
    /// Alignments at the largest ε, with a panel for each.
    Alignment(&'static [(&'static str, Side)]),
    /// Accuracies by ε of [all](with_others) conditions, against the median of E-only LayerNorm.
    Main(Names),
    /// The same of these conditions alone.
    Boxes(Names),
    /// Accuracies of a condition by λ.
    Lambda(&'static str),
    /// λ_max by layer at the largest ε.
    LambdaMax,
    /// Learning curves by ε of [all](with_others) conditions.
    Curves(Names),
}

/// A figure of the report, drawn if there are data for it.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The name of its files.
    pub name: &'static str,
    /// The title, with the paper's figure that it repeats; the stimulus follows that of the main figure.
    title: &'static str,
    /// A description of its content; that of the main figure is for its own conditions alone.
    caption: &'static str,
    pub kind: Kind,
}

/// A figure that was drawn.
#[derive(Debug, Clone)]
pub struct Plot {
    pub spec: Spec,
    pub title: String,
    pub caption: String,
    pub figure: Figure,
    /// The number of units at or below chance that are left out of its boxes.
    pub left_out: usize,
}

/// Draws the figures with data, of runs under `stimulus`; the others are named.
///
/// # Errors
///
/// [`Error::Figure`] if an image cannot be encoded.
pub fn draw(
    samples: &Samples,
    effects: &[Effect],
    stimulus: &str,
) -> Result<(Vec<Plot>, Vec<String>), Error> {
    let (mut plots, mut missing) = (Vec::new(), Vec::new());
    for spec in SPECS {
        let [title, caption] = spec.words(samples, stimulus);
        match spec.chart(samples, effects) {
            Some((chart, left_out)) => plots.push(Plot {
                spec,
                title,
                caption,
                figure: chart.draw()?,
                left_out,
            }),
            None => missing.push(format!("{} ({title}): {}", spec.name, spec.lack(samples))),
        }
    }
    Ok((plots, missing))
}

impl Spec {
    /// The figure, if there are data for it.
    fn chart(&self, samples: &Samples, effects: &[Effect]) -> Option<boxes::Partial> {
        let (chart, left_out) = match self.kind {
            Kind::Main(names) => boxes::by_epsilon(samples, effects, &with_others(samples, names)),
            // A figure of one condition compares nothing; only the main figure is drawn for any.
            Kind::Boxes(names) if present(samples, names).len() < 2 => return None,
            Kind::Boxes(names) => boxes::by_epsilon(samples, effects, names),
            Kind::Best(names) => boxes::best(samples, names),
            Kind::Lambda(name) => boxes::by_lambda(samples, name),
            Kind::LambdaMax => (boxes::lambda_max(samples), 0),
            Kind::Scatter(pairs) => (scatter::scatter(samples, pairs), 0),
            Kind::Curves(names) => (curves::curves(samples, &with_others(samples, names)), 0),
            Kind::Moments(names) => (moments::moments(samples, names), 0),
            Kind::Alignment(panels) => (alignment::histograms(samples, panels), 0),
        };
        (!chart.is_empty()).then_some((chart, left_out))
    }

    /// The title and the caption.
    fn words(&self, samples: &Samples, stimulus: &str) -> [String; 2] {
        let Kind::Main(names) = self.kind else {
            return [self.title, self.caption].map(str::to_owned);
        };
        let all = with_others(samples, names);
        let shown = samples
            .conditions
            .iter()
            .filter(|c| all.contains(&c.name()));
        let shown: Vec<String> = shown.map(|c| format!("{c}: {}", c.description)).collect();
        let caption = match all.len() == names.len() && shown.len() == names.len() {
            true => self.caption.to_owned(),
            false => shown.join("; ") + ".",
        };
        [format!("{} by {stimulus}", self.title), caption]
    }

    /// The reason why the figure is not drawn: the conditions that it needs, or else the missing data.
    fn lack(&self, samples: &Samples) -> String {
        let has = |name: &str| !present(samples, &[name]).is_empty();
        let any = |names: &[&str]| match names {
            [name] => (has(name), (*name).to_owned()),
            names => (
                names.iter().any(|name| has(name)),
                format!("one of {}", names.join(", ")),
            ),
        };
        let (there, needed) = match self.kind {
            Kind::Scatter(pairs) => {
                let both = pairs.iter().map(|(y, x)| format!("{y} and {x}"));
                (
                    pairs.iter().any(|(y, x)| has(y) && has(x)),
                    both.collect::<Vec<_>>().join(", or "),
                )
            }
            Kind::Boxes(names) => (
                present(samples, names).len() > 1,
                format!("two of {}", names.join(", ")),
            ),
            Kind::Lambda(name) => (
                samples.lambdas(name).len() > 1,
                format!("{name} with several λ"),
            ),
            Kind::Alignment(panels) => {
                let mut names: Vec<&str> = panels.iter().map(|panel| panel.0).collect();
                names.dedup();
                any(&names)
            }
            Kind::Best(names) | Kind::Moments(names) => any(names),
            Kind::Main(_) | Kind::Curves(_) | Kind::LambdaMax => (true, String::new()),
        };
        match there {
            true => "no data in these runs".to_owned(),
            false => format!("needs runs of {needed}"),
        }
    }
}

/// The conditions of a figure of all: `names`, then the others of the store in their usual order. If the store has
/// all of `names`, the other conditions of the paper are left to the paper's figures.
fn with_others(samples: &Samples, names: Names) -> Vec<&'static str> {
    let stored = |name: &&str| samples.conditions.iter().any(|c| c.name() == *name);
    let complete = names.iter().all(stored);
    let left = |c: &&Condition| names.contains(&c.name()) || (complete && PAPER.contains(c));
    let others = samples.conditions.iter().filter(|c| !left(c));
    let others = others.map(|c| c.name());
    names.iter().copied().chain(others).collect()
}

/// The conditions in `names` that have a unit anywhere, with their looks.
fn present(samples: &Samples, names: &[&str]) -> Vec<(String, Look)> {
    let somewhere = |name: &&&str| {
        let mut epsilons = samples.epsilons.iter();
        epsilons.any(|epsilon| !samples.of(name, *epsilon).is_empty())
    };
    let names = names.iter().filter(somewhere);
    let looks = names.map(|name| ((*name).to_owned(), look(samples, name)));
    looks.collect()
}

/// Every ε with its look.
fn levels(samples: &Samples) -> Vec<(String, Look)> {
    let (epsilons, n) = (samples.epsilons.iter().enumerate(), samples.epsilons.len());
    let looks = epsilons.map(|(level, e)| (text::epsilon(*e), Look::level(level, n)));
    looks.collect()
}

/// The look of a condition.
fn look(samples: &Samples, name: &str) -> Look {
    let condition = samples.conditions.iter().find(|c| c.name() == name);
    condition.map_or(Look::further(0), |c| c.look())
}

/// The name of a hidden layer, counted from 0.
fn heading(layer: usize) -> String {
    format!("hidden layer {}", layer + 1)
}

/// The largest number of layers of a unit at the largest ε.
fn depth(samples: &Samples, names: &[&str], layers: impl Fn(&Unit) -> usize) -> usize {
    let units = names.iter().flat_map(|name| samples.at_largest(name));
    units.map(layers).max().unwrap_or(0)
}
