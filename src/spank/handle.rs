//! What we ask of Slurm, over the bindings of slurm-spank.

use super::{Context, Error, Spank, Step, argv, export, process};
use crate::fault;
use slurm_spank::spank_sys as sys;
use std::ffi::{CStr, CString, c_char, c_int};
use std::path::Path;
use std::ptr;

/// Longest value of a variable that we read, in bytes. Those we ask for are words;
/// a longer one is reported as its beginning, which is no word either.
const LONGEST: usize = 256;

const NAME: &CStr = c"sif-cache";
const VALUES: &CStr = c"auto|off|require";
const USAGE: &CStr = c"start docker:// images from the site's SIF cache: auto (as the site \
    has set it), off (leave commands alone), require (fail if the image is missing)";

/// One call of a hook: the handle and the arguments that Slurm gave us.
pub(super) struct Handle {
    spank: sys::spank_t,
    argc: c_int,
    argv: *const *const c_char,
}

impl Handle {
    /// # Safety
    /// The three are what Slurm called a hook with, and outlive this. `spank` may be
    /// null, as in an option callback, which has no handle: Slurm then refuses what
    /// needs one.
    pub(super) unsafe fn new(spank: sys::spank_t, argc: c_int, argv: *const *const c_char) -> Self {
        Self { spank, argc, argv }
    }

    fn number(&self, item: sys::spank_item) -> Option<u32> {
        let mut number: u32 = 0;
        let out: *mut u32 = &raw mut number;
        // SAFETY: the items asked for below all write one 32-bit integer.
        let answer = unsafe { sys::spank_get_item(self.spank, item, out) };
        (answer == sys::ESPANK_SUCCESS).then_some(number)
    }

    /// The array of the step's command, as Slurm will give it to `execve`.
    fn job_argv(&self) -> Option<(c_int, *mut *mut c_char)> {
        let mut argc: c_int = 0;
        let mut argv: *mut *mut c_char = ptr::null_mut();
        let (count, array): (*mut c_int, *mut *mut *mut c_char) = (&raw mut argc, &raw mut argv);
        let item = sys::spank_item_S_JOB_ARGV;
        // SAFETY: S_JOB_ARGV writes a count and a pointer to the array.
        let answer = unsafe { sys::spank_get_item(self.spank, item, count, array) };
        (answer == sys::ESPANK_SUCCESS).then_some((argc, argv))
    }
}

/// The option as Slurm wants it described; it makes a copy.
fn option() -> sys::spank_option {
    sys::spank_option {
        name: NAME.as_ptr(),
        arginfo: VALUES.as_ptr(),
        usage: USAGE.as_ptr(),
        has_arg: 1,
        val: 0,
        cb: Some(export::sif_cache_option),
    }
}

fn checked(answer: sys::spank_err_t) -> Result<(), Error> {
    if answer == sys::ESPANK_SUCCESS { Ok(()) } else { Err(Error::Slurm(answer)) }
}

fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::Impossible("a null byte"))
}

impl Spank for Handle {
    fn context(&self) -> Context {
        // SAFETY: takes nothing and reads a variable of Slurm's.
        match unsafe { sys::spank_context() } {
            sys::spank_context_S_CTX_LOCAL => Context::Local,
            sys::spank_context_S_CTX_ALLOCATOR => Context::Allocator,
            sys::spank_context_S_CTX_REMOTE => Context::Remote,
            sys::spank_context_S_CTX_SLURMD => Context::Slurmd,
            _ => Context::Other,
        }
    }

    fn arguments(&self) -> Vec<&[u8]> {
        // SAFETY: these are the arguments of the call that this handle stands for.
        let mut arguments = unsafe { argv::strings(self.argc, self.argv) };
        fault::arm(&mut arguments);
        arguments
    }

    fn register_option(&self) -> Result<(), Error> {
        let mut option = option();
        // SAFETY: the strings are static, and Slurm copies the struct.
        checked(unsafe { sys::spank_option_register(self.spank, &raw mut option) })
    }

    fn option(&self) -> Option<Vec<u8>> {
        let mut option = option();
        let mut value: *mut c_char = ptr::null_mut();
        // SAFETY: the option is registered under the same name; Slurm writes `value`.
        let answer =
            unsafe { sys::spank_option_getopt(self.spank, &raw mut option, &raw mut value) };
        if answer != sys::ESPANK_SUCCESS || value.is_null() {
            return None;
        }
        // SAFETY: not null, so it is the C string that Slurm keeps for the option.
        Some(unsafe { CStr::from_ptr(value) }.to_bytes().to_vec())
    }

    fn command(&self) -> Vec<&[u8]> {
        let Some((argc, argv)) = self.job_argv() else { return Vec::new() };
        // SAFETY: Slurm's own array, which lives as long as the step. `replace` swaps a
        // pointer in it, not the string that it pointed to.
        unsafe { argv::strings(argc, argv.cast_const().cast()) }
    }

    fn replace(&self, index: usize, path: &Path) -> Result<(), Error> {
        let (argc, argv) = self.job_argv().ok_or(Error::Impossible("Slurm gives no command"))?;
        // SAFETY: Slurm's own array, in the task's process, whose only thread we are in.
        unsafe { argv::replace(argc, argv, index, path) }.map_err(Error::Impossible)
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        let name = c_string(name).ok()?;
        let mut value = [0_u8; LONGEST];
        let length = c_int::try_from(value.len()).ok()?;
        // SAFETY: Slurm writes at most `length` bytes, the terminating null included.
        let answer = unsafe {
            sys::spank_getenv(self.spank, name.as_ptr(), value.as_mut_ptr().cast(), length)
        };
        let known = answer == sys::ESPANK_SUCCESS || answer == sys::slurm_err_t_ESPANK_NOSPACE;
        let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
        known.then(|| text.to_vec())
    }

    fn set_variable(&self, name: &str, value: &str) -> Result<(), Error> {
        let (name, value) = (c_string(name)?, c_string(value)?);
        if self.context() == Context::Allocator {
            return process::set_variable(&name, &value);
        }
        // SAFETY: C strings, which Slurm copies.
        checked(unsafe { sys::spank_setenv(self.spank, name.as_ptr(), value.as_ptr(), 1) })
    }

    fn step(&self) -> Step {
        let number = |item| self.number(item).unwrap_or_default();
        Step {
            job: number(sys::spank_item_S_JOB_ID),
            step: number(sys::spank_item_S_JOB_STEPID),
            uid: number(sys::spank_item_S_JOB_UID),
            node: number(sys::spank_item_S_JOB_NODEID),
            tasks: number(sys::spank_item_S_JOB_LOCAL_TASK_COUNT),
            task: number(sys::spank_item_S_TASK_ID),
        }
    }

    fn tell_user(&self, text: &str) {
        process::tell_user(text);
    }

    fn end_task(&self, status: i32) {
        process::end(status)
    }
}
