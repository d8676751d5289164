//! Syslog: what the plugin writes of a hit or a miss is read back as that and nothing else,
//! and of what anybody may have written, only what the plugin could have written counts.
#![no_main]

mod lines;
mod recorder;
mod said;

// The plugin's side and the command's, neither of which is for others to use. rustfmt would
// go on to their tests and not find them; they are formatted where they belong.
#[allow(dead_code, unreachable_pub, reason = "what is said of a pass is not for syslog")]
#[rustfmt::skip]
#[path = "../../../src/decide/report.rs"]
mod report;
#[allow(dead_code, unreachable_pub, reason = "tests of the command use more of it")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/event.rs"]
mod event;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/logs/coverage.rs"]
mod coverage;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/logs/header.rs"]
mod header;
#[rustfmt::skip]
#[path = "../../../crates/cli/src/logs/json.rs"]
mod json;
#[rustfmt::skip]
#[path = "../../../crates/cli/src/logs/line.rs"]
mod line;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/logs/scan.rs"]
mod scan;
#[rustfmt::skip]
#[path = "../../../crates/cli/src/logs/stamp.rs"]
mod stamp;

use libfuzzer_sys::arbitrary::{Arbitrary as _, Unstructured};
use libfuzzer_sys::fuzz_target;
use said::Said;
// The files above expect these modules at the crate's root.
use spank_sifcache::{NAME, job};
mod logging {
    pub(crate) use spank_sifcache::logging::syslog;
}

fuzz_target!(|bytes: &[u8]| {
    lines::read(bytes);
    if let Ok(said) = Said::arbitrary(&mut Unstructured::new(bytes)) {
        said.comes_back();
    }
});
