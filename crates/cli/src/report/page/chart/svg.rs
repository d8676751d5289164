//! Makes plotters' SVG a part of a page: with classes instead of colours, and a text alternative.

use maud::{Markup, PreEscaped, html};
use plotters::style::RGBColor;

/// The colours that stand for the classes of [`CLASSES`].
pub(super) const HITS: RGBColor = RGBColor(1, 0, 1);
pub(super) const MISSES: RGBColor = RGBColor(1, 0, 2);
pub(super) const SAVED: RGBColor = RGBColor(1, 0, 3);
pub(super) const CACHE: RGBColor = RGBColor(1, 0, 4);
pub(super) const BAND: RGBColor = RGBColor(1, 0, 5);
pub(super) const TEXT: RGBColor = RGBColor(1, 0, 6);
pub(super) const GRID: RGBColor = RGBColor(1, 0, 7);
pub(super) const AXIS: RGBColor = RGBColor(1, 0, 8);

const CLASSES: [(RGBColor, &str); 8] = [
    (HITS, "hits"),
    (MISSES, "misses"),
    (SAVED, "saved"),
    (CACHE, "cache"),
    (BAND, "band"),
    (TEXT, "text"),
    (GRID, "grid"),
    (AXIS, "axis"),
];

/// The element around a drawing.
pub(super) struct Frame<'a> {
    /// The beginning of its identifiers.
    pub(super) id: String,
    pub(super) class: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) title: &'a str,
    pub(super) description: &'a str,
}

/// The drawing inside of an element of the page, which is as wide as its parent.
pub(super) fn inside(drawing: &str, frame: &Frame<'_>) -> Markup {
    let (title, description) = (format!("{}-title", frame.id), format!("{}-text", frame.id));
    html! {
        svg class=(frame.class) role="img" aria-labelledby=(title) aria-describedby=(description)
            viewBox=(format!("0 0 {} {}", frame.width, frame.height)) {
            title id=(title) { (frame.title) }
            desc id=(description) { (frame.description) }
            (PreEscaped(with_classes(content(drawing))))
        }
    }
}

/// What is between the tags of the outermost element.
fn content(drawing: &str) -> &str {
    let inner = drawing.split_once('>').map_or("", |(_, rest)| rest);
    inner.rsplit_once("</svg>").map_or("", |(inner, _)| inner)
}

/// Replaces each colour by its class, and leaves out what the style sheet says.
fn with_classes(content: &str) -> String {
    let mut text = content.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
    for (RGBColor(red, green, blue), class) in CLASSES {
        for attribute in ["fill", "stroke"] {
            let color = format!("{attribute}=\"#{red:02X}{green:02X}{blue:02X}\"");
            text = text.replace(&color, &format!("class=\"{class}\""));
        }
    }
    text.replace(" font-family=\"sans-serif\"", "").replace('\n', "")
}
