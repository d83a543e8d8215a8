//! Learning curves by ε: the median of each condition over its units, with the quartiles.

use super::present;
use crate::chart::{
    Across, Chart, Count, Grid, Legend, Look, PERCENT, Panel, Sample, Scale, Swatch, caption,
    curves as marks, floored,
};
use crate::report::sample::{Samples, Unit};
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

impl<'a> Curve<'a> {
    fn new((name, look): (String, Look), units: &'a [Unit]) -> Self {
        let at = |e: usize| Sample::new(units.iter().filter_map(|u| u.curve.get(e).copied()));
        Self {
            name,
            look,
            units,
            quartiles: (0..).map_while(|e| at(e).quartiles()).collect(),
        }
    }
}

/// A panel for each ε, all with the same axes. A unit that is shorter than the longest counts as incomplete.
pub fn curves(samples: &Samples, names: &[&str]) -> Chart {
    let panels = samples.epsilons.iter().map(|epsilon| {
        let curves = present(samples, names).into_iter().map(|series| {
            let units = samples.of(&series.0, *epsilon);
            Curve::new(series, units)
        });
        let curves = curves.filter(|curve| !curve.quartiles.is_empty()).collect();
        (text::epsilon(*epsilon), curves)
    });
    let panels = panels.filter(|(_, curves): &(_, Vec<Curve>)| !curves.is_empty());
    let panels: Vec<(String, Vec<Curve>)> = panels.collect();
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
    let legend = Legend::of(Swatch::Curve, all().map(|c| (c.name.as_str(), c.look)));
    let panels = panels.iter().map(|(heading, curves)| {
        let counts = curves.iter().map(|curve| Count {
            place: curve.name.clone(),
            n: curve.units.len(),
            missing: curve
                .units
                .iter()
                .filter(|u| u.curve.len() < epochs)
                .count(),
            off: usize::from(curve.quartiles.iter().all(|q| q[1] < y.min)),
        });
        let curves = curves.iter().map(|curve| {
            let points = (1..).map(f64::from).zip(curve.quartiles.iter().copied());
            (curve.look, points.collect())
        });
        Panel {
            heading: heading.clone(),
            x_label: "epoch".to_owned(),
            marks: marks(curves),
            counts: counts.collect(),
            ..Panel::new(
                Across::Numbers(Scale::epochs(epochs)),
                y,
                "test accuracy (%)",
            )
        }
    });
    let panels: Vec<Panel> = panels.collect();
    let reasons = ["Curves below the axis", "Incomplete runs"];
    Chart {
        title: String::new(),
        grid: Grid::new(panels.len(), HEIGHT),
        caption: caption(described, ("run", samples.unit, "curve"), &panels, reasons),
        panels,
        legend,
    }
}
