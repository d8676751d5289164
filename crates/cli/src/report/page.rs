//! The page of a report.

use super::data::Report;

/// The report as one HTML file.
pub(crate) fn render(report: &Report) -> String {
    format!("<!DOCTYPE html><title>sifcache</title><p>{}", report.created)
}
