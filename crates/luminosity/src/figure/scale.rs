//! Ranges of axes and their ticks.

use kuva::render::layout::TickFormat;

/// Range of an axis and the distance of its ticks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub min: f64,
    pub max: f64,
    pub step: f64,
}

impl Scale {
    /// The tightest range that starts and ends on a tick and leaves air around `min..=max`,
    /// with up to nine ticks at steps of 1, 2 or 5 times a power of ten, inside `bounds`.
    pub fn around(min: f64, max: f64, bounds: (f64, f64)) -> Self {
        let air = (0.03 * (max - min)).max(0.1);
        let (min, max) = ((min - air).max(bounds.0), (max + air).min(bounds.1));
        let least = (max - min) / 7.0;
        let power = 10f64.powf(least.log10().floor());
        let multiple = [1.0, 2.0, 5.0].into_iter().find(|m| m * power >= least);
        let step = multiple.unwrap_or(10.0) * power;
        Self {
            min: ((min / step).floor() * step).max(bounds.0),
            max: ((max / step).ceil() * step).min(bounds.1),
            step,
        }
    }

    /// Tick labels with the fewest decimals that tell the ticks apart.
    pub fn format(self) -> TickFormat {
        let whole = |decimals: i32| {
            let scaled = self.step * 10f64.powi(decimals);
            (scaled - scaled.round()).abs() < 1e-6
        };
        let decimals = (0..6).find(|&d| whole(d)).unwrap_or(6);
        TickFormat::Fixed(decimals as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_on_ticks_around_the_data() {
        let bounds = (0.0, 100.0);
        let scale = Scale::around(75.2, 80.5, bounds);
        assert_eq!((scale.min, scale.max, scale.step), (75.0, 81.0, 1.0));
        let full = Scale::around(99.9, 100.0, bounds);
        assert!(full.max <= 100.0 && full.min < 99.9);
        let flat = Scale::around(0.0, 0.0, bounds);
        assert!(flat.min == 0.0 && flat.max > 0.0);
    }

    #[test]
    fn tick_labels_tell_ticks_apart() {
        let format = |step| {
            let scale = Scale {
                min: 0.0,
                max: 10.0,
                step,
            };
            scale.format().format(2.5)
        };
        assert_eq!(format(0.5), "2.5");
        assert_eq!(format(0.25), "2.50");
        assert_eq!(format(5.0), "2");
    }
}
