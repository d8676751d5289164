//! What a SIF file says that it was pulled from: of any file, what is found is a reference that
//! its definition has; of a file as a runtime writes it, the reference of its definition, and the
//! digest only if the runtime has recorded it for that reference.
#![no_main]

mod any;
mod file;
mod written;

// The command's, which is for nobody else to use.
#[allow(unreachable_pub, reason = "as in the command")]
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
