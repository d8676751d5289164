//! The symbols that Slurm looks up, and nothing else.
//!
//! Each entry point is a panic firewall: a panic is logged, and Slurm goes on as if the plugin had
//! not been called.

use super::Spank as _;
use super::handle::Handle;
use crate::Hook;
use crate::NAME;
use crate::{check_option, dispatch, install_log};
use slurm_spank::spank_sys::spank_t;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_uint};
use std::mem::{self, ManuallyDrop};
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::Once;

include!(concat!(env!("OUT_DIR"), "/slurm_version.rs"));

/// This name is part of the name of the variable that carries the option, so it must never change.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
static plugin_name: [u8; 9] = *b"sifcache\0";

/// The type of every plugin in plugstack.conf.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
static plugin_type: [u8; 6] = *b"spank\0";

/// Slurm loads the plugin only if the major and minor version equal its own.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
static plugin_version: c_uint = PLUGIN_VERSION;

/// Called in every context after the plugin is loaded. Always succeeds.
#[unsafe(no_mangle)]
extern "C" fn slurm_spank_init(spank: spank_t, argc: c_int, argv: *const *const c_char) -> c_int {
    enter(Hook::Init, spank, argc, argv)
}

/// Called in each task, as its user, right before `execve`. Always succeeds.
#[unsafe(no_mangle)]
extern "C" fn slurm_spank_task_init(
    spank: spank_t,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    enter(Hook::TaskInit, spank, argc, argv)
}

fn enter(hook: Hook, spank: spank_t, argc: c_int, argv: *const *const c_char) -> c_int {
    firewall(0, || {
        // SAFETY: these are the arguments of the current hook call.
        let handle = unsafe { Handle::new(spank, argc, argv) };
        // Reading the arguments arms the faults that tests inject.
        if cfg!(any(test, feature = "fault-injection")) {
            handle.arguments();
        }
        if hook == Hook::TaskInit && !handle.has_memory() {
            return 0;
        }
        dispatch(hook, &handle);
        0
    })
}

/// The callback of `--sif-cache`: called where the user gives the option, and again in slurmstepd.
pub(super) extern "C" fn sif_cache_option(
    _val: c_int,
    value: *const c_char,
    _remote: c_int,
) -> c_int {
    // After a panic the value counts as valid: an error of the plugin must never reject a job.
    firewall(0, || {
        let value = match value.is_null() {
            true => c"",
            // SAFETY: `value` is not null, so it points to the C string of the option's value.
            false => unsafe { CStr::from_ptr(value) },
        };
        // SAFETY: a callback has no handle, and `Handle::new` allows null.
        let handle = unsafe { Handle::new(ptr::null_mut(), 0, ptr::null()) };
        match check_option(&handle, value.to_bytes()) {
            Ok(()) => 0,
            Err(()) => -1,
        }
    })
}

/// Runs `work` and returns its result. If it panics, logs the panic and returns `otherwise`.
fn firewall(otherwise: c_int, work: impl FnOnce() -> c_int) -> c_int {
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        quiet_panics();
        install_log();
        work()
    }));
    outcome.unwrap_or_else(|payload| {
        let _ = panic::catch_unwind(|| {
            let what = ManuallyDrop::into_inner(LAST_PANIC.take());
            log::warn!("internal error, continuing without the cache: {what}");
        });
        // Dropping the payload can panic again. The payload of that second panic is leaked, because
        // dropping it could panic, too.
        let dropped = panic::catch_unwind(AssertUnwindSafe(|| drop(payload)));
        let _ = dropped.map_err(mem::forget);
        otherwise
    })
}

thread_local! {
    /// Message and location of this thread's last panic. With a destructor, the plugin would stay
    /// loaded after a panic until the thread ends.
    static LAST_PANIC: Cell<ManuallyDrop<String>> =
        const { Cell::new(ManuallyDrop::new(String::new())) };
}

/// Keeps panic messages off the user's terminal, where Rust would print them.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // In unit tests, a failed assertion is a panic whose message must be printed.
        #[cfg(test)]
        let loud = panic::take_hook();
        // Outside unit tests the closure captures nothing, so no memory is left allocated when the
        // library is unloaded.
        panic::set_hook(Box::new(move |info| {
            let text = format!("{NAME} {}: {info}", env!("CARGO_PKG_VERSION")).replace('\n', " ");
            #[cfg(test)]
            if !text.contains("injected at") {
                return loud(info);
            }
            drop(ManuallyDrop::into_inner(LAST_PANIC.replace(ManuallyDrop::new(text))));
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::{sif_cache_option, slurm_spank_init, slurm_spank_task_init};
    use crate::logging::captured;
    use crate::spank::stubs::CONTEXT;
    use slurm_spank::spank_sys::{spank_context_S_CTX_LOCAL, spank_context_S_CTX_REMOTE};
    use std::ffi::{CStr, CString, c_char, c_int};
    use std::ptr;

    type Entry =
        extern "C" fn(slurm_spank::spank_sys::spank_t, c_int, *const *const c_char) -> c_int;

    fn call(entry: Entry, arguments: &[&str]) -> c_int {
        // Each call behaves like the first call in a new process.
        super::super::line::forget();
        let strings: Vec<_> = arguments.iter().map(|a| CString::new(*a).unwrap()).collect();
        let pointers: Vec<_> = strings.iter().map(|s| s.as_ptr()).collect();
        entry(ptr::null_mut(), c_int::try_from(pointers.len()).unwrap(), pointers.as_ptr())
    }

    /// Slurm calls every hook once for each line of the plugin, with the arguments of that line.
    #[test]
    fn only_the_first_line_is_used() {
        CONTEXT.set(spank_context_S_CTX_LOCAL);
        let words = [c"image_root=/sif", c"nonsense"].map(CStr::as_ptr);
        let [first, second] = [&words[..1], &words[1..]].map(<[_]>::as_ptr);
        // Without a handle, registering the option fails. For the second line, the plugin does not
        // try to register it.
        let init = |line| captured(|| assert_eq!(slurm_spank_init(ptr::null_mut(), 1, line), 0));
        let is_first = |lines: &[String]| lines[0].starts_with("WARN cannot register --sif-cache");
        assert!(is_first(&init(first)));
        let lines = init(second);
        assert!(lines.len() == 1 && lines[0].contains("several lines"), "{lines:?}");
        assert!(is_first(&init(first)));
    }

    fn panics(lines: &[String], point: &str) -> bool {
        let wanted = format!("injected at {point}");
        lines.iter().any(|l| l.starts_with("WARN internal error") && l.contains(&wanted))
    }

    #[test]
    fn a_panic_in_a_hook_is_logged_and_slurm_goes_on() {
        for (entry, point, context) in [
            (slurm_spank_init as Entry, "init", spank_context_S_CTX_REMOTE),
            (slurm_spank_task_init, "task_init", spank_context_S_CTX_REMOTE),
        ] {
            CONTEXT.set(context);
            let arguments = ["image_root=/sif", &format!("panic={point}")];
            let lines = captured(|| assert_eq!(call(entry, &arguments), 0));
            assert!(panics(&lines, point), "{lines:?}");
            let lines = captured(|| assert_eq!(call(entry, &["image_root=/sif", "panic="]), 0));
            assert!(!lines.iter().any(|line| line.contains("internal error")), "{lines:?}");
        }
    }

    #[test]
    fn a_panic_in_the_option_callback_does_not_reject_the_job() {
        call(slurm_spank_init, &["image_root=/sif", "panic=option"]);
        for value in ["auto", "wrong"] {
            let value = CString::new(value).unwrap();
            let lines = captured(|| assert_eq!(sif_cache_option(0, value.as_ptr(), 0), 0));
            assert!(panics(&lines, "option"), "{lines:?}");
        }
        call(slurm_spank_init, &["image_root=/sif", "panic="]);
        CONTEXT.set(spank_context_S_CTX_LOCAL);
        for (value, expected) in [(c"auto".as_ptr(), 0), (c"wrong".as_ptr(), -1), (ptr::null(), -1)]
        {
            assert_eq!(sif_cache_option(0, value, 0), expected);
        }
    }
}
