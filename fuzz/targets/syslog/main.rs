//! Syslog: the command reads back the plugin's line about a hit or a miss as exactly that event. Of
//! arbitrary lines, it accepts only those that the plugin could have written.
#![no_main]

mod lines;
mod log_line;
mod recorder;

// Private modules of the plugin and of the command. rustfmt is told to skip them, because it would
// look for their test modules here and fail; it formats them in their own crates.
#[allow(dead_code, unreachable_pub, reason = "messages about a pass do not go to syslog")]
#[rustfmt::skip]
#[path = "../../../src/decide/report.rs"]
mod report;
#[allow(dead_code, unreachable_pub, reason = "tests of the command use more of it")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/event.rs"]
mod event;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/count.rs"]
mod count;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/head.rs"]
mod head;
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/batch.rs"]
mod batch;
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/blank.rs"]
mod blank;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/chunks.rs"]
mod chunks;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/clock.rs"]
mod clock;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/coverage.rs"]
mod coverage;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/days.rs"]
mod days;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/header.rs"]
mod header;
#[allow(dead_code, reason = "the command uses more of it")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/json.rs"]
mod json;
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/line.rs"]
mod line;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/miss.rs"]
mod miss;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/part.rs"]
mod part;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/placed.rs"]
mod placed;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/scan.rs"]
mod scan;
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/stamp.rs"]
mod stamp;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/tally.rs"]
mod tally;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/texts.rs"]
mod texts;
#[rustfmt::skip]
#[path = "../../../crates/cli/src/events/logs/usual_stamp.rs"]
mod usual_stamp;

use libfuzzer_sys::arbitrary::{Arbitrary as _, Unstructured};
use libfuzzer_sys::fuzz_target;
use log_line::LogLine;
// The files above expect these items at the root of the crate.
use spank_sifcache::{NAME, job};
mod events {
    pub(crate) use crate::{count, event, head};
}
mod packed {
    pub(crate) const BUFFER: usize = 1 << 10;
}
mod ui {
    pub(crate) mod progress {
        pub(crate) struct Task;
    }
}
mod logging {
    pub(crate) use spank_sifcache::logging::syslog;
}

fuzz_target!(|bytes: &[u8]| {
    lines::read(bytes);
    if let Ok(line) = LogLine::arbitrary(&mut Unstructured::new(bytes)) {
        line.round_trips();
    }
});
