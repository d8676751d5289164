//! The text output of `explain`.

use super::resulting;
use super::starter::Starters;
use crate::ui::shell_quote::quoted;
use anstyle::{AnsiColor, Style};
use sifcache_core::cache_mode::CacheMode;
use sifcache_core::decision::{self, Decision, Verdict};
use sifcache_core::image::State;
use sifcache_core::settings::{OnMiss, Settings};
use std::fmt::Write as _;

/// Width of the heading column.
const HEADING: usize = 12;

struct Page(String);

/// The complete output, with styles; anstream removes them where they are not supported.
pub(super) fn page(
    decision: &Decision,
    argv: &[impl AsRef<[u8]>],
    settings: &Settings,
    mode: CacheMode,
    starters: &Starters,
    notes: &[String],
) -> String {
    let mut page = Page(String::new());
    if !starters.names.is_empty() {
        page.row("started by", &starters.names.join(", "));
    }
    page.launch(decision, argv);
    page.candidates(decision);
    page.verdict(decision);
    page.row("command", &quoted(&resulting(decision, argv)));
    if decision.verdict == Verdict::Miss {
        let then = then(decision::on_miss(mode, settings));
        match decision::wait(mode, settings).map(|wait| wait.as_secs()) {
            None => page.row("then", then),
            Some(seconds) => {
                let added =
                    format!("the command waits up to {seconds} s for the image to be added");
                page.row("then", &added);
                page.row("otherwise", then);
            }
        }
    }
    for note in notes {
        page.row("note", note);
    }
    page.0
}

fn then(on_miss: OnMiss) -> &'static str {
    match on_miss {
        OnMiss::Pull => "the runtime pulls the image from its registry (on_miss=pull)",
        OnMiss::Warn => "the user gets a message, and the runtime pulls the image (on_miss=warn)",
        OnMiss::Fail => "the task ends with a message and status 66 (on_miss=fail or require)",
    }
}

impl Page {
    fn row(&mut self, heading: &str, text: &str) {
        let bold = Style::new().bold();
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{bold}{heading:HEADING$}{bold:#}{text}");
    }

    fn launch(&mut self, decision: &Decision, argv: &[impl AsRef<[u8]>]) {
        let program = argv.first().map(|program| String::from_utf8_lossy(program.as_ref()));
        let program = program.unwrap_or_default();
        if let Some(launch) = decision.launch {
            self.row("launch", &format!("{program} {}", launch.subcommand.as_str()));
        } else if decision.image_index().is_some() {
            let kind = decision.kind().as_str();
            self.row(kind, &format!("{program} {kind}"));
        }
        if let Some(index) = decision.image_index() {
            let image = quoted(&[decision.image.as_deref().unwrap_or_default()]);
            self.row("image", &format!("{image} (argument {index})"));
        }
        if let Some(reference) = decision.reference() {
            self.row("reference", &reference.to_string());
        }
    }

    fn candidates(&mut self, decision: &Decision) {
        let width = |c: &sifcache_core::lookup::Candidate| c.path.to_string_lossy().chars().count();
        let widest = decision.candidates.iter().map(width).max().unwrap_or_default();
        for (index, candidate) in decision.candidates.iter().enumerate() {
            let style = match &candidate.state {
                State::Image => AnsiColor::Green.on_default(),
                state if state.is_refusal() => AnsiColor::Red.on_default(),
                _ => Style::new().dimmed(),
            };
            let heading = if index == 0 { "candidates" } else { "" };
            let (path, state) = (candidate.path.to_string_lossy(), &candidate.state);
            self.row(heading, &format!("{path:widest$}  {style}{state}{style:#}"));
        }
    }

    fn verdict(&mut self, decision: &Decision) {
        let (style, why) = match &decision.verdict {
            Verdict::Hit if decision.pull.is_some() => {
                (AnsiColor::Green, "the shim answers the pull with the image".to_owned())
            }
            Verdict::Hit => (AnsiColor::Green, "the image replaces the reference".to_owned()),
            Verdict::Miss => (AnsiColor::Yellow, "no candidate is an image".to_owned()),
            Verdict::Pass(pass) => (AnsiColor::Cyan, pass.to_string()),
        };
        let (style, token) = (style.on_default().bold(), decision.token());
        self.row("decision", &format!("{style}{token}{style:#}: {why}"));
    }
}
