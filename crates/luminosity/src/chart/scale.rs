//! Ranges of axes and their ticks.

use std::sync::Arc;

use kuva::render::layout::TickFormat;

use super::Sample;

/// The range of percentages.
pub const PERCENT: (f64, f64) = (0.0, 100.0);
/// The range of unbounded numbers.
pub const UNBOUNDED: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// The range of an axis and the distance of its ticks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scale {
    pub min: f64,
    pub max: f64,
    pub step: f64,
    /// Whether the numbers above are decimal logarithms.
    pub log: bool,
}

impl Scale {
    pub fn new(min: f64, max: f64, step: f64) -> Self {
        Self {
            min,
            max,
            step,
            log: false,
        }
    }

    /// Exactly `range`, with about `intervals` intervals between ticks.
    pub fn between((min, max): (f64, f64), intervals: f64) -> Self {
        let least = (max - min) / intervals;
        let power = 10f64.powf(least.log10().floor());
        let multiple = [1.0, 2.0, 5.0].into_iter().find(|m| m * power >= least);
        Self::new(min, max, multiple.unwrap_or(10.0) * power)
    }

    /// A scale for the `values` inside `bounds`, with a fraction `headroom` of their range above them and
    /// about `intervals` intervals between ticks. It starts and ends at a fifth of a step or at a bound.
    pub fn spanning(
        values: impl Iterator<Item = f64>,
        bounds: (f64, f64),
        headroom: f64,
        intervals: f64,
    ) -> Self {
        let inside = values.map(|v| v.max(bounds.0).min(bounds.1));
        let (min, max) = extent(inside).unwrap_or((0.0, 1.0));
        let air = match max - min {
            range if range > 0.0 => 0.03 * range,
            _ if max != 0.0 => 0.05 * max.abs(),
            _ => 0.1,
        };
        let top = max + headroom * (max - min) + air;
        let (min, max) = ((min - air).max(bounds.0), top.min(bounds.1));
        let step = Self::between((min, max), intervals).step;
        let grain = 0.2 * step;
        Self::new(
            ((min / grain).floor() * grain).max(bounds.0),
            ((max / grain).ceil() * grain).min(bounds.1),
            step,
        )
    }

    /// A logarithmic scale in whole decades around `values`, which must be positive.
    pub fn decades(values: impl Iterator<Item = f64>) -> Self {
        let (min, max) = extent(values.map(f64::log10)).unwrap_or((0.0, 0.0));
        let (min, max) = ((min - 0.05).floor(), (max + 0.05).ceil());
        Self {
            log: true,
            ..Self::new(min, max, ((max - min) / 7.0).ceil())
        }
    }

    /// The scale of `n` categories, the first at 1.
    pub fn categories(n: usize) -> Self {
        Self::new(0.5, n as f64 + 0.5, 1.0)
    }

    /// The scale of `epochs` epochs: a tick for each if they are few, otherwise from 0 in round steps.
    pub fn epochs(epochs: usize) -> Self {
        match epochs {
            0..10 => Self::categories(epochs),
            _ => Self::between((0.0, epochs as f64), 6.0),
        }
    }

    /// The position of `value` on the scale.
    pub fn place(self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    /// Tick labels with the fewest decimals that distinguish the ticks.
    pub fn format(self) -> TickFormat {
        if self.log {
            return TickFormat::Custom(Arc::new(decade));
        }
        let decimals = (0..6).find(|&d| {
            let scaled = self.step * 10f64.powi(d);
            (scaled - scaled.round()).abs() < 1e-6
        });
        match decimals {
            Some(decimals) if self.step < 1e5 => TickFormat::Fixed(decimals as usize),
            _ => TickFormat::Sci,
        }
    }
}

/// A power of ten in digits.
fn decade(exponent: f64) -> String {
    match exponent.round() {
        n if n.abs() > 3.0 => format!("1e{n}"),
        n => format!("{:.*}", (-n).max(0.0) as usize, 10f64.powf(n)),
    }
}

/// `bounds`, raised so that a few very low `values` do not compress the others, but not above all `shown`.
pub fn floored(
    bounds: (f64, f64),
    values: impl Iterator<Item = f64>,
    mut shown: impl Iterator<Item = f64>,
) -> (f64, f64) {
    let values = Sample::new(values);
    let floor = values.quartiles().map(|[low, _, high]| {
        let floor = low - 2.0 * (high - low).max(1.0);
        2.0 * (floor / 2.0).floor()
    });
    let useful = |&floor: &f64| {
        let outlier = values.sorted.first().is_some_and(|least| *least < floor);
        outlier && shown.any(|v| v > floor)
    };
    (floor.filter(useful).unwrap_or(bounds.0), bounds.1)
}

/// The smallest and the largest of `values`.
fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let none = (f64::INFINITY, f64::NEG_INFINITY);
    let (min, max) = values.fold(none, |(a, b), v| (a.min(v), b.max(v)));
    (min <= max).then_some((min, max))
}
