//! What a chart shows.

use super::days::Days;
use super::svg;
use jiff::civil::Date;
use plotters::style::RGBColor;

/// A bar is at most as wide as the chart divided by this.
const WIDEST_BAR: f64 = 12.0;

/// What is drawn, in the order of the list.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report::page) enum Shape {
    /// A bar of some days, between two values.
    Bar { paint: Paint, from: Date, days: u32, low: u64, high: u64 },
    /// A band over the whole height.
    Band { from: Date, days: u32 },
    /// The value from each day on, up to the end of the chart.
    Steps { paint: Paint, steps: Vec<(Date, u64)> },
}

/// A colour by its meaning; page.css has the colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report::page) enum Paint {
    Hits,
    Misses,
    Saved,
    Cache,
}

impl Paint {
    fn color(self) -> RGBColor {
        match self {
            Self::Hits => svg::HITS,
            Self::Misses => svg::MISSES,
            Self::Saved => svg::SAVED,
            Self::Cache => svg::CACHE,
        }
    }
}

/// A shape in the coordinates of a chart.
#[derive(Debug, PartialEq)]
pub(super) enum Outline {
    Rectangle([(f64, f64); 2], RGBColor),
    Polygon(Vec<(f64, f64)>, RGBColor),
}

impl Shape {
    pub(super) fn highest(&self) -> u64 {
        match self {
            Self::Bar { high, .. } => *high,
            Self::Band { .. } => 0,
            Self::Steps { steps, .. } => steps.iter().map(|(_, value)| *value).max().unwrap_or(0),
        }
    }

    pub(super) fn outline(&self, days: &Days, top: f64) -> Outline {
        let span = |from: Date, count: u32| {
            let left = days.at(from);
            (left, (left + f64::from(count)).min(days.length()))
        };
        match self {
            Self::Bar { paint, from, days: count, low, high } => {
                let (left, right) = span(*from, *count);
                // Bars do not touch each other, and those of few days are not as wide as a day.
                let width = ((right - left) * 0.8).min(days.length() / WIDEST_BAR);
                let gap = (right - left - width) / 2.0;
                let corners = [(left + gap, *low as f64), (right - gap, *high as f64)];
                Outline::Rectangle(corners, paint.color())
            }
            Self::Band { from, days: count } => {
                let (left, right) = span(*from, *count);
                Outline::Rectangle([(left, 0.0), (right, top)], svg::BAND)
            }
            Self::Steps { paint, steps } => Outline::Polygon(stairs(steps, days), paint.color()),
        }
    }
}

/// The area below a line that changes at the beginning of days.
fn stairs(steps: &[(Date, u64)], days: &Days) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let mut before = 0.0;
    for (day, value) in steps {
        points.push((days.at(*day), before));
        before = *value as f64;
        points.push((days.at(*day), before));
    }
    points.push((days.length(), before));
    points.push((days.length(), 0.0));
    points
}

#[cfg(test)]
mod tests {
    use super::{Days, Outline, Paint, Shape, svg};
    use jiff::civil::{Date, date};

    fn day(day: i8) -> Date {
        date(2026, 11, day)
    }

    #[test]
    fn bars_have_spaces_between_them() {
        let bar = |days| Shape::Bar { paint: Paint::Misses, from: day(2), days, low: 3, high: 7 };
        let outline = |last, days| bar(days).outline(&Days::new(day(1), day(last)), 10.0);
        let rectangle = |left, right| Outline::Rectangle([(left, 3.0), (right, 7.0)], svg::MISSES);
        assert_eq!(outline(20, 1), rectangle(1.1, 1.9));
        // The last bar may be cut: its days are outside of the chart.
        assert_eq!(outline(20, 100), rectangle(1.0 + 19.0 / 2.0 - 20.0 / 24.0, 10.5 + 20.0 / 24.0));
        assert_eq!(outline(2, 1), rectangle(1.5 - 1.0 / 12.0, 1.5 + 1.0 / 12.0));
        assert_eq!(bar(1).highest(), 7);
    }

    #[test]
    fn bands_have_the_height_of_the_chart() {
        let band = Shape::Band { from: day(2), days: 2 };
        let corners = [(1.0, 0.0), (3.0, 10.0)];
        let outline = band.outline(&Days::new(day(1), day(5)), 10.0);
        assert_eq!(outline, Outline::Rectangle(corners, svg::BAND));
        assert_eq!(band.highest(), 0);
    }

    #[test]
    fn steps_begin_at_their_days_and_last_until_the_end() {
        let steps = Shape::Steps { paint: Paint::Cache, steps: vec![(day(1), 5), (day(3), 8)] };
        let points = vec![(0.0, 0.0), (0.0, 5.0), (2.0, 5.0), (2.0, 8.0), (4.0, 8.0), (4.0, 0.0)];
        let outline = steps.outline(&Days::new(day(1), day(4)), 10.0);
        assert_eq!(outline, Outline::Polygon(points, svg::CACHE));
        assert_eq!(steps.highest(), 8);
    }
}
