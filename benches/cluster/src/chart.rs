//! Draws docs/evidence/benchmarks.svg: the time that images need to start, by image size and by
//! number of users.

use crate::experiments::{images, users};
use crate::results::Results;
use anyhow::{Result, anyhow};
use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition, SeriesLabelPosition};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::combinators::LogCoord;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::{
    BLACK, Circle, DrawingArea, IntoDrawingArea, IntoLogRange, LineSeries, PathElement, RGBColor,
    SVGBackend, WHITE,
};
use plotters::style::{Color, IntoFont, ShapeStyle};

const RED: RGBColor = RGBColor(0xc0, 0x4a, 0x2f);
const GRAY: RGBColor = RGBColor(0x8a, 0x8a, 0x8a);
const GREEN: RGBColor = RGBColor(0x1f, 0x7a, 0x4d);

/// A line of a chart: name, colour, and points.
type Line = (&'static str, RGBColor, Vec<(f64, f64)>);

/// Returns the chart as SVG.
pub(crate) fn draw(results: &Results) -> Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (960, 400)).into_drawing_area();
        area.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
        let (left, right) = area.split_horizontally(480);
        let (sizes, counts) = (by_size(results)?, by_users(results)?);
        panel(&left, "Start of a container (s)", "image size (MB)", &sizes)?;
        let title = format!("Start of a {} MB image by many users at once (s)", users::IMAGE);
        panel(&right, &title, "users", &counts)?;
        area.present().map_err(|error| anyhow!("{error}"))?;
    }
    Ok(text)
}

fn by_size(results: &Results) -> Result<Vec<Line>> {
    let names = [
        ("first start, pulled from the registry", RED),
        ("later start of the same user", GRAY),
        ("any start with sifcache", GREEN),
    ];
    let points = |at: usize| -> Result<Vec<(f64, f64)>> {
        let groups = images::SIZES.iter().filter_map(|size| {
            results.group(&format!("an image of {size} MB")).ok().map(|group| (size, group))
        });
        groups.map(|(size, group)| Ok((f64::from(*size), group.line(at)?.seconds.median))).collect()
    };
    names
        .into_iter()
        .enumerate()
        .map(|(at, (name, colour))| Ok((name, colour, points(at)?)))
        .collect()
}

fn by_users(results: &Results) -> Result<Vec<Line>> {
    let names = [("each user pulls", RED), ("with sifcache", GREEN)];
    let points = |at: usize| -> Result<Vec<(f64, f64)>> {
        let groups = users::COUNTS.iter().filter_map(|count| {
            results.group(&format!("{count} users at once")).ok().map(|group| (count, group))
        });
        groups
            .map(|(count, group)| Ok((f64::from(*count), group.line(at)?.seconds.median)))
            .collect()
    };
    names
        .into_iter()
        .enumerate()
        .map(|(at, (name, colour))| Ok((name, colour, points(at)?)))
        .collect()
}

type Place = Cartesian2d<LogCoord<f64>, LogCoord<f64>>;

/// Draws one panel. Both axes are logarithmic, because sizes, counts and times span several orders
/// of magnitude.
fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    under: &str,
    lines: &[Line],
) -> Result<()> {
    let broken = |error| anyhow!("{title}: {error}");
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 17).into_font())
        .margin(14)
        .set_label_area_size(LabelAreaPosition::Left, 48)
        .set_label_area_size(LabelAreaPosition::Bottom, 42)
        .build_cartesian_2d(span(lines, |point| point.0, 1.2), span(lines, |point| point.1, 2.5))
        .map_err(broken)?;
    let number =
        |value: &f64| if *value < 1.0 { format!("{value:.1}") } else { format!("{value:.0}") };
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(BLACK.mix(0.12))
        .x_desc(under)
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .label_style(("sans-serif", 13))
        .draw()
        .map_err(broken)?;
    lines.iter().try_for_each(|line| series(&mut chart, line)).map_err(broken)?;
    let mut labels = chart.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.85));
    labels.label_font(("sans-serif", 13)).draw().map_err(broken)
}

/// The range of one coordinate over all lines, with a margin.
fn span(lines: &[Line], of: fn(&(f64, f64)) -> f64, room: f64) -> LogCoord<f64> {
    let all = || lines.iter().flat_map(|(_, _, points)| points).map(of);
    let least = all().fold(f64::INFINITY, f64::min).clamp(1e-3, 1e9);
    let most = all().fold(0.0, f64::max).max(least * 1.01);
    (least / room..most * room).log_scale().into()
}

/// Draws one line with its points and its name.
fn series<'a>(
    chart: &mut ChartContext<'a, SVGBackend<'_>, Place>,
    (name, colour, points): &Line,
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let style = ShapeStyle { color: colour.to_rgba(), filled: true, stroke_width: 2 };
    let line = chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
    line.label(*name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, style)))?;
    Ok(())
}
