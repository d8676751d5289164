//! Whether slurmstepd runs the step in an OCI container (`--container=BUNDLE`).
//!
//! SPANK has no item for this. The variables that srun and sbatch set are under the user's control:
//! they are missing with `--export=NIL`, and anybody can set them. slurmstepd itself keeps the
//! settings of oci.conf in the global variable `oci_conf`, and reads them only for a step with a
//! container. slurmstepd exports this variable from 21.08, the first release with containers, to
//! 26.05.

use super::handle::Handle;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::Relaxed;

/// The variables that srun, sbatch and salloc set for a step with a container.
const VARIABLES: [&str; 2] = ["SLURM_CONTAINER", "SLURM_CONTAINER_ID"];

/// The address of slurmstepd's variable. It is looked up before slurmstepd forks the tasks, because
/// a lookup makes the loader read the symbol tables of all libraries, and each task would pay for
/// these pages.
static CONFIGURATION: AtomicPtr<*const c_void> = AtomicPtr::new(ptr::null_mut());

/// Looks the variable up, for the tasks that are forked later.
pub(super) fn look_up() {
    // SAFETY: the name is a valid C string. The result is null or the address of that symbol.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"oci_conf".as_ptr()) };
    CONFIGURATION.store(address.cast(), Relaxed);
}

/// Whether oci.conf was read for this step; `None` if slurmstepd has no such variable.
fn is_configured() -> Option<bool> {
    if CONFIGURATION.load(Relaxed).is_null() {
        look_up();
    }
    let address = CONFIGURATION.load(Relaxed);
    if address.is_null() {
        return None;
    }
    // SAFETY: the variable is a pointer in each of these releases. Slurm writes it before it calls
    // the hooks of the step, and again after the step has ended.
    let configuration = unsafe { address.read() };
    Some(!configuration.is_null())
}

impl Handle {
    /// Whether the command will be executed in a container. Without slurmstepd's variable, the
    /// environment decides: a user who sets these variables by hand loses the cache for this step.
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
