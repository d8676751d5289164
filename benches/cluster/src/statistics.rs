//! Medians, and how sure they are.

use serde::{Deserialize, Serialize};

/// What is told of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Half are below.
    pub(crate) median: f64,
    /// A tenth is below.
    pub(crate) p10: f64,
    /// A tenth is above.
    pub(crate) p90: f64,
    /// How many there are.
    pub(crate) count: usize,
}

/// A median, and the range that holds the true one in 95 of 100 cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Difference {
    /// Of what one took more than the other, round by round.
    pub(crate) median: f64,
    /// Lower end of the range.
    pub(crate) low: f64,
    /// Upper end.
    pub(crate) high: f64,
}

/// Sums up; all are zero if there is nothing.
pub(crate) fn summary(values: &[f64]) -> Summary {
    let sorted = sorted(values);
    Summary {
        median: quantile(&sorted, 0.5),
        p10: quantile(&sorted, 0.1),
        p90: quantile(&sorted, 0.9),
        count: sorted.len(),
    }
}

/// Of the differences between two that took turns: what disturbs a round disturbs both.
pub(crate) fn difference(with: &[f64], without: &[f64]) -> Difference {
    let all: Vec<f64> = with.iter().zip(without).map(|(with, without)| with - without).collect();
    let sorted = sorted(&all);
    // The order statistics around the median, whatever the distribution: each value is
    // above it or below by chance, which for many is nearly normal.
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

/// Between two values, in proportion.
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

    /// A disturbance that both see is in neither the median nor the range.
    #[test]
    fn differences_are_of_the_same_round() {
        let without: Vec<f64> = (0..100).map(|n| f64::from(n % 10)).collect();
        let with: Vec<f64> = without.iter().map(|value| value + 0.5).collect();
        let found = difference(&with, &without);
        assert_eq!((found.median, found.low, found.high), (0.5, 0.5, 0.5));
    }

    /// Of a hundred values, the 41st and the 60th are the ends of the range (conover 1999, 3.2).
    #[test]
    fn the_range_is_that_of_order_statistics() {
        let with: Vec<f64> = (1..=101).map(f64::from).collect();
        let found = difference(&with, &[0.0; 101]);
        assert_eq!(found.median, 51.0);
        assert!((found.low - 41.0).abs() < 0.5 && (found.high - 61.0).abs() < 0.5, "{found:?}");
    }
}
