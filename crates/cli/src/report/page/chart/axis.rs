//! An axis: the values from zero to its end, and the values that have a label.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// An axis. plotters chooses decimal values for its own, but days and bytes have other round ones.
pub(super) struct Axis {
    pub(super) end: f64,
    pub(super) labels: Vec<(f64, String)>,
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let length = f64::from(to) - f64::from(from);
        (f64::from(from) + length * value / self.end).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.labels.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..self.end
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let found = self.labels.iter().find(|(at, _)| at == value);
        found.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Axis;
    use plotters::coord::ranged1d::{BoldPoints, LightPoints, Ranged as _, ValueFormatter as _};

    #[test]
    fn values_have_places_and_labels() {
        let labels = vec![(0.0, "none".to_owned()), (5.0, "half".to_owned())];
        let axis = Axis { end: 10.0, labels };
        // Upwards, as on a screen.
        let places = [0.0, 5.0, 10.0].map(|value| axis.map(&value, (200, 100)));
        assert_eq!(places, [200, 150, 100]);
        assert_eq!(axis.key_points(BoldPoints(1)), [0.0, 5.0]);
        assert_eq!(axis.key_points(LightPoints::new(9, 9)), [0.0; 0]);
        assert_eq!([0.0, 5.0, 6.0].map(|value| axis.format_ext(&value)), ["none", "half", ""]);
    }
}
