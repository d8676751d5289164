//! Medians and their confidence intervals.

use serde::{Deserialize, Serialize};

/// A summary of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The median.
    pub(crate) median: f64,
    /// The tenth percentile.
    pub(crate) p10: f64,
    /// The ninetieth percentile.
    pub(crate) p90: f64,
    /// The number of values.
    pub(crate) count: usize,
}

/// The median of a difference, and its confidence interval of 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Difference {
    /// The median of the differences of two variants, by round.
    pub(crate) median: f64,
    /// Lower end of the interval.
    pub(crate) low: f64,
    /// Upper end of the interval.
    pub(crate) high: f64,
}

/// Summarizes values. All fields are zero if there are none.
pub(crate) fn summary(values: &[f64]) -> Summary {
    let sorted = sorted(values);
    Summary {
        median: quantile(&sorted, 0.5),
        p10: quantile(&sorted, 0.1),
        p90: quantile(&sorted, 0.9),
        count: sorted.len(),
    }
}

/// Compares two variants that ran in turn, round by round: a disturbance in a round affects both.
pub(crate) fn difference(with: &[f64], without: &[f64]) -> Difference {
    let all: Vec<f64> = with.iter().zip(without).map(|(with, without)| with - without).collect();
    let sorted = sorted(&all);
    // The ends of the interval are order statistics around the median. This holds for any
    // distribution: each value is above or below the median by chance, and for large counts, the
    // number of values above it is nearly normally distributed.
    let count = sorted.len() as f64;
    let reach = if count > 0.0 { 0.98 * count.sqrt() / count } else { 0.0 };
    Difference {
        median: quantile(&sorted, 0.5),
        low: quantile(&sorted, (0.5 - reach).max(0.0)),
        high: quantile(&sorted, (0.5 + reach).min(1.0)),
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The value at this fraction of the sorted values, by linear interpolation.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = part * sorted.len().saturating_sub(1) as f64;
    let value = |at: f64| sorted.get(at as usize).copied().unwrap_or_default();
    let (below, above) = (value(at.floor()), value(at.ceil()));
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::{difference, summary};

    #[test]
    fn medians_lie_between_two_values() {
        let four = summary(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!((four.median, four.count), (2.5, 4));
        assert_eq!(summary(&[7.0]).p90, 7.0);
        assert_eq!(summary(&[]).median, 0.0);
        let eleven: Vec<f64> = (0..=10).map(f64::from).collect();
        let eleven = summary(&eleven);
        assert_eq!((eleven.p10, eleven.median, eleven.p90), (1.0, 5.0, 9.0));
    }

    /// A disturbance that affects both variants changes neither the median nor the interval.
    #[test]
    fn differences_are_of_the_same_round() {
        let without: Vec<f64> = (0..100).map(|n| f64::from(n % 10)).collect();
        let with: Vec<f64> = without.iter().map(|value| value + 0.5).collect();
        let found = difference(&with, &without);
        assert_eq!((found.median, found.low, found.high), (0.5, 0.5, 0.5));
    }

    /// Of a hundred values, the 41st and the 60th are the ends of the interval (Conover 1999, 3.2).
    #[test]
    fn order_statistics_give_the_interval() {
        let with: Vec<f64> = (1..=101).map(f64::from).collect();
        let found = difference(&with, &[0.0; 101]);
        assert_eq!(found.median, 51.0);
        assert!((found.low - 41.0).abs() < 0.5 && (found.high - 61.0).abs() < 0.5, "{found:?}");
    }
}
