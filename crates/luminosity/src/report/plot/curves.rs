//! Learning curves by ε: the median of each condition over its units, with the quartiles.

use super::present;
use crate::chart::{
    self, Chart, Count, Entry, Grid, Look, PERCENT, Panel, Sample, Scale, Swatch, floored,
};
use crate::report::sample::{Samples, Unit, diverged};
use crate::report::text;

/// Height of a plot area.
const HEIGHT: f64 = 165.0;

/// One condition at one ε.
struct Curve<'a> {
    name: String,
    look: Look,
    units: &'a [Unit],
    /// The quartiles of its units after each epoch; a unit that diverged is left out from its end on.
    quartiles: Vec<[f64; 3]>,
}

/// A panel for each ε, all with the same axes.
pub fn curves(samples: &Samples, names: &[&str]) -> Chart {
    let panels = samples.epsilons.iter().map(|epsilon| {
        let curves = present(samples, names).into_iter().map(|(name, look)| {
            let units = samples.of(&name, *epsilon);
            let at = |e: usize| Sample::new(units.iter().filter_map(|u| u.curve.get(e).copied()));
            Curve {
                name,
                look,
                units,
                quartiles: (0..).map_while(|e| at(e).quartiles()).collect(),
            }
        });
        let curves = curves.filter(|curve| !curve.units.is_empty()).collect();
        (text::epsilon(*epsilon), curves)
    });
    let drawn = |curves: &[Curve]| curves.iter().any(|curve| !curve.quartiles.is_empty());
    let panels = panels.filter(|(_, curves): &(_, Vec<Curve>)| drawn(curves));
    let panels: Vec<_> = panels.collect();
    let all = || panels.iter().flat_map(|(_, curves)| curves);
    let epochs = all().map(|c| c.quartiles.len()).max().unwrap_or(0);
    let quartiles = || all().flat_map(|c| &c.quartiles);
    let ends = all().flat_map(|c| c.units.iter().filter_map(|u| u.curve.last().copied()));
    let bounds = floored(PERCENT, ends, quartiles().map(|q| q[1]));
    let y = Scale::spanning(quartiles().flatten().copied(), bounds, 0.0, 6.0);
    let described = match all().any(|c| c.units.len() > 1) {
        true => "Median of the runs, shaded: quartiles.",
        false => "",
    };
    let legend = Entry::all(Swatch::Curve, all().map(|c| (c.name.clone(), c.look)));
    let grid = Grid::new(panels.len(), HEIGHT);
    let panels = panels.iter().map(|(heading, curves)| {
        let counts = curves.iter().map(|curve| Count {
            place: curve.name.clone(),
            n: curve.units.len(),
            off: usize::from(
                !curve.quartiles.is_empty() && curve.quartiles.iter().all(|q| q[1] < y.min),
            ),
            diverged: diverged(curve.units),
        });
        // All runs of a condition may have diverged in their first epoch.
        let lines = curves.iter().filter(|c| !c.quartiles.is_empty());
        let lines = lines.map(|c| (c.look, 0.0, c.quartiles.as_slice()));
        Panel {
            heading: heading.clone(),
            counts: counts.collect(),
            ..chart::curves(lines, epochs, y)
        }
    });
    let size = ("run", samples.unit, "curve");
    Chart::new(grid, panels, legend).captioned(described, size, "Curves below the axis")
}
