//! The values beside a chart.

use super::Unit;
use super::axis::Axis;
use crate::report::page::text;

/// An axis up to at least this value, with at most six round labels.
pub(super) fn scale(unit: Unit, highest: u64) -> Axis {
    let step = round_values(unit).find(|step| highest <= step.saturating_mul(5));
    let step = step.unwrap_or(u64::MAX / 5);
    let steps = highest.div_ceil(step).max(1);
    let label = |number: u64| {
        let value = number.saturating_mul(step);
        let text = match unit {
            Unit::Commands => text::number(value),
            Unit::Bytes => text::short_size(value),
        };
        (value as f64, text)
    };
    Axis { end: step as f64 * steps as f64, labels: (0..=steps).map(label).collect() }
}

/// 1, 2, 5, 10 ... commands, or 1, 2, 4, 8 ... bytes, so that a TiB has a label of its own.
fn round_values(unit: Unit) -> Box<dyn Iterator<Item = u64>> {
    match unit {
        Unit::Commands => {
            let of_power = |power| [1, 2, 5].map(|factor| factor * 10_u64.pow(power));
            Box::new((0..19).flat_map(of_power))
        }
        Unit::Bytes => Box::new((0..62).map(|power| 1 << power)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Unit, scale};

    fn labels(unit: Unit, highest: u64) -> Vec<String> {
        let axis = scale(unit, highest);
        assert!(highest as f64 <= axis.end, "{highest} {}", axis.end);
        axis.labels.into_iter().map(|(_, label)| label.replace('\u{a0}', " ")).collect()
    }

    #[test]
    fn values_have_round_labels() {
        assert_eq!(labels(Unit::Commands, 0), ["0", "1"]);
        assert_eq!(labels(Unit::Commands, 3), ["0", "1", "2", "3"]);
        let thousands = ["0", "1,000", "2,000", "3,000", "4,000", "5,000"];
        assert_eq!(labels(Unit::Commands, 4_606), thousands);
        assert_eq!(labels(Unit::Bytes, 3 << 30), ["0 B", "1 GiB", "2 GiB", "3 GiB"]);
        let around = ["0 B", "256 GiB", "512 GiB", "768 GiB", "1 TiB", "1.25 TiB"];
        assert_eq!(labels(Unit::Bytes, (1 << 40) + 1), around);
        assert!(labels(Unit::Bytes, u64::MAX).len() <= 6);
        assert!(labels(Unit::Commands, u64::MAX).len() <= 6);
    }
}
