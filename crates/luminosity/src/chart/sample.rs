//! Samples of numbers that an axis can show.

/// Values, sorted, without NaN and numbers beyond [`Sample::HUGE`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    pub sorted: Vec<f64>,
}

impl Sample {
    /// The largest number that an axis can show.
    const HUGE: f64 = 1e100;

    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let shown = values.into_iter().filter(|v| v.abs() <= Self::HUGE);
        let mut sorted: Vec<f64> = shown.collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    pub fn n(&self) -> usize {
        self.sorted.len()
    }

    /// Lower quartile, median and upper quartile; `None` without a value.
    pub fn quartiles(&self) -> Option<[f64; 3]> {
        crate::stats::quartiles(&self.sorted)
    }

    /// The outermost values within 1.5 interquartile ranges of the box; `None` without a value.
    pub fn whiskers(&self) -> Option<[f64; 2]> {
        let [low, _, high] = self.quartiles()?;
        let reach = 1.5 * (high - low);
        let inside = |v: &&f64| (low - reach..=high + reach).contains(*v);
        // Interpolated quartiles may lie beyond all of these values.
        let from = self.sorted.iter().find(inside)?.min(low);
        let to = self.sorted.iter().rfind(inside)?.max(high);
        Some([from, to])
    }
}
