//! Whether slurmstepd runs the step in an OCI container (`--container=BUNDLE`).
//!
//! SPANK has no item for this, and the variables that srun and sbatch leave are the user's: with
//! `--export=NIL` they are missing, and anybody can set them. slurmstepd itself keeps the
//! settings of oci.conf in the global `oci_conf`, and reads them for a step with a container
//! only. slurmstepd exports it, from 21.08, the first release with containers, to 26.05.

use super::handle::Handle;
use std::ffi::c_void;

/// What srun, sbatch and salloc leave in the environment of a step with a container.
const VARIABLES: [&str; 2] = ["SLURM_CONTAINER", "SLURM_CONTAINER_ID"];

/// Whether oci.conf has been read for this step; none if slurmstepd has no such variable.
fn is_configured() -> Option<bool> {
    // SAFETY: a C string; the answer is null or the address of that symbol.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"oci_conf".as_ptr()) };
    if address.is_null() {
        return None;
    }
    // SAFETY: it is a pointer in each of these releases. Slurm writes it before the hooks of
    // the step are called, and again when the step has ended.
    let configuration = unsafe { address.cast::<*const c_void>().read() };
    Some(!configuration.is_null())
}

impl Handle {
    /// Whether the command will be executed in a container. Without a word of slurmstepd's,
    /// the environment decides: a user who has made it up loses the cache for this step.
    pub(super) fn runs_in_container(&self) -> bool {
        is_configured().unwrap_or_else(|| is_named(|name| self.value(name)))
    }
}

fn is_named<'a>(value: impl Fn(&str) -> Option<&'a [u8]>) -> bool {
    VARIABLES.iter().any(|name| value(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::{is_configured, is_named};

    #[test]
    fn without_slurmstepd_the_environment_decides() {
        assert_eq!(is_configured(), None);
        for (variable, expected) in [
            (Some(("SLURM_CONTAINER", "/bundle")), true),
            (Some(("SLURM_CONTAINER_ID", "x")), true),
            (Some(("SLURM_CONTAINER", "")), false),
            (Some(("SLURM_CONTAINERS", "/bundle")), false),
            (None, false),
        ] {
            let value = |name: &str| {
                variable.filter(|(set, _)| *set == name).map(|(_, value)| value.as_bytes())
            };
            assert_eq!(is_named(value), expected, "{variable:?}");
        }
    }
}
