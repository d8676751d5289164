//! Charts over days, as SVG inside of the page.
//!
//! plotters computes the coordinates and draws. The page's style sheet sets all colours, so that a
//! chart follows the theme: see `svg`. Text in an SVG image shrinks with the image, so each chart
//! is drawn for a wide and for a narrow page, and the style sheet shows one of them. Both have the
//! same text alternative; a table next to the chart has the figures.

mod axis;
mod days;
mod scale;
mod shape;
mod svg;

use days::Days;
use jiff::civil::Date;
use maud::{Markup, html};
use plotters::coord::Shift;
use plotters::prelude::{
    ChartBuilder, Color as _, DrawingArea, DrawingAreaErrorKind, FontFamily, IntoDrawingArea as _,
    IntoFont as _, Polygon, Rectangle, SVGBackend,
};
use plotters::style::TextStyle;
use scale::scale;
use shape::Outline;
pub(super) use shape::{Paint, Shape};
use std::io;

/// A chart.
pub(super) struct Chart<'a> {
    /// A word for the identifiers of its elements.
    pub(super) id: &'a str,
    /// The text alternative: a name, and what the chart shows.
    pub(super) title: &'a str,
    pub(super) description: &'a str,
    pub(super) unit: Unit,
    /// The first and the last day.
    pub(super) first: Date,
    pub(super) last: Date,
    pub(super) shapes: Vec<Shape>,
}

/// What the vertical axis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Commands,
    Bytes,
}

/// A size for which a chart is drawn, in CSS pixels.
struct Size {
    class: &'static str,
    width: u32,
    height: u32,
    days: usize,
}

const SIZES: [Size; 2] = [
    Size { class: "wide", width: 760, height: 260, days: 9 },
    Size { class: "narrow", width: 340, height: 220, days: 4 },
];
/// plotters rounds to whole units, so there are several of them in a pixel.
const UNITS: u32 = 8;
/// 13 CSS pixels: plotters divides it by 1.24.
const FONT: u32 = 16;
/// The space for the labels beside and below the chart.
const LABELS: (u32, u32) = (72, 32);

type Failed = DrawingAreaErrorKind<io::Error>;

impl Chart<'_> {
    /// The chart in both sizes, with its text alternative.
    pub(super) fn render(&self) -> Markup {
        let drawn = SIZES.iter().filter_map(|size| {
            let drawing = self.draw(size).ok()?;
            Some(svg::inside(&drawing, &self.frame(size)))
        });
        html! { div.chart { @for picture in drawn { (picture) } } }
    }

    fn frame(&self, size: &Size) -> svg::Frame<'_> {
        svg::Frame {
            id: format!("chart-{}-{}", self.id, size.class),
            class: size.class,
            width: size.width * UNITS,
            height: size.height * UNITS,
            title: self.title,
            description: self.description,
        }
    }

    fn draw(&self, size: &Size) -> Result<String, Failed> {
        let mut drawing = String::new();
        let area = SVGBackend::with_string(
            &mut drawing,
            (size.width.saturating_mul(UNITS), size.height.saturating_mul(UNITS)),
        )
        .into_drawing_area();
        self.draw_on(&area, size)?;
        area.present()?;
        drop(area);
        Ok(drawing)
    }

    fn draw_on(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
        size: &Size,
    ) -> Result<(), Failed> {
        let days = Days::new(self.first, self.last);
        let highest = self.shapes.iter().map(Shape::highest).max().unwrap_or(0);
        let scale = scale(self.unit, highest);
        let top = scale.end;
        let text = (FontFamily::SansSerif, FONT.saturating_mul(UNITS)).into_font();
        let text = TextStyle::from(text).color(&svg::TEXT);
        let mut chart = ChartBuilder::on(area)
            .margin_top(12 * UNITS)
            .margin_right(12 * UNITS)
            .x_label_area_size(LABELS.1 * UNITS)
            .y_label_area_size(LABELS.0 * UNITS)
            .build_cartesian_2d(days.axis(size.days), scale)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(svg::GRID.stroke_width(UNITS))
            .axis_style(svg::AXIS.stroke_width(UNITS))
            .set_all_tick_mark_size(4 * UNITS)
            .label_style(text)
            .draw()?;
        for shape in &self.shapes {
            match shape.outline(&days, top) {
                Outline::Rectangle(corners, color) => {
                    chart.draw_series([Rectangle::new(corners, color.filled())])?
                }
                Outline::Polygon(points, color) => {
                    chart.draw_series([Polygon::new(points, color.filled())])?
                }
            };
        }
        Ok(())
    }
}
