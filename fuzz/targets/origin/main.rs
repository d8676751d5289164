//! The origin of a SIF file. For arbitrary files, it is a reference from the file's definition. For
//! files as a runtime writes them, it is the reference of the definition, and the digest only if the
//! runtime has recorded it for that reference.
#![no_main]

mod any;
mod file;
mod written;

// A private module of the command.
#[allow(dead_code, unreachable_pub, reason = "as in the command")]
#[rustfmt::skip]
#[path = "../../../crates/cli/src/cache/sif_metadata.rs"]
mod sif_metadata;

use libfuzzer_sys::arbitrary::{Arbitrary as _, Unstructured};
use libfuzzer_sys::fuzz_target;
use written::Written;

fuzz_target!(|bytes: &[u8]| {
    any::read(bytes);
    if let Ok(written) = Written::arbitrary(&mut Unstructured::new(bytes)) {
        written.comes_back();
    }
});
