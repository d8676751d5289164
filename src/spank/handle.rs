//! Calls to Slurm, through the bindings of slurm-spank.

use super::found_variables::FoundVariables;
use super::{
    Context, Spank, allocator, arg_limits, argv, container, export, line, memory, prepend, process,
};
use crate::fault;
use crate::job::{Error, Job, Step};
use crate::spank::installed::{self, Component};
use crate::spank::runtimes::{self, Located};
use sifcache_core::decision::Kind;
use slurm_spank::spank_sys as sys;
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::path::Path;
use std::ptr;

/// The arena has room for values up to this size, in bytes, including all copies of them.
const SHORT_VALUE: usize = 8 << 10;
/// The number of copies of a value that a decision makes.
const COPIES: usize = 8;

const NAME: &CStr = c"sif-cache";
const VALUES: &CStr = c"auto|off|wait|require";
const USAGE: &CStr = c"start images (docker:// and others) from the site's SIF cache: auto (as \
    configured by the site), off (leave commands unchanged), wait (until a missing image is added), \
    require (fail if the image is missing)";

/// One hook call: Slurm's handle and the arguments of the plugin line.
pub(super) struct Handle {
    pub(super) spank: sys::spank_t,
    argc: c_int,
    argv: *const *const c_char,
    /// Variables of the task.
    pub(super) found: FoundVariables,
    /// Whether enough memory is left for Slurm; `None` before the check.
    memory: Cell<Option<bool>>,
}

impl Handle {
    /// # Safety
    /// `spank`, `argc` and `argv` are the arguments of a hook call and outlive this handle. `spank`
    /// may be null, as in an option callback, which has no handle: Slurm's functions that need one
    /// then return an error.
    pub(super) unsafe fn new(spank: sys::spank_t, argc: c_int, argv: *const *const c_char) -> Self {
        Self { spank, argc, argv, found: FoundVariables::none(), memory: Cell::new(None) }
    }

    /// Whether enough memory is left for Slurm's own functions. Checked once in each hook call.
    fn has_memory_for_slurm(&self) -> bool {
        let checked = self.memory.get().unwrap_or_else(memory::is_left_for_slurm);
        self.memory.set(Some(checked));
        checked
    }

    /// A copy of `text` that Slurm can free.
    ///
    /// # Errors
    /// Too little memory is left, or as for [`allocator::duplicate`].
    pub(super) fn duplicate(&self, text: &CStr) -> Result<*mut c_char, Error> {
        if !self.has_memory_for_slurm() {
            return Err(Error::TOO_LONG);
        }
        allocator::duplicate(text)
    }

    fn number(&self, item: sys::spank_item) -> Option<u32> {
        let mut number: u32 = 0;
        let out: *mut u32 = &raw mut number;
        // SAFETY: for every item that is requested below, Slurm writes one 32-bit integer.
        let answer = unsafe { sys::spank_get_item(self.spank, item, out) };
        (answer == sys::ESPANK_SUCCESS).then_some(number)
    }

    /// Whether variables are set in the environment of this process, which its children inherit.
    /// This is the case in srun, sbatch and salloc, where Slurm has no task environment yet.
    fn is_process_environment(&self) -> bool {
        matches!(self.context(), Context::Local | Context::Allocator)
    }

    /// The number of entries and the argv array of the step's command, which Slurm will pass to
    /// `execve`.
    pub(super) fn job_argv(&self) -> Option<(c_int, *mut *mut c_char)> {
        let mut argc: c_int = 0;
        let mut argv: *mut *mut c_char = ptr::null_mut();
        let (count, array): (*mut c_int, *mut *mut *mut c_char) = (&raw mut argc, &raw mut argv);
        let item = sys::spank_item_S_JOB_ARGV;
        // SAFETY: for S_JOB_ARGV, Slurm writes a count and a pointer to the array.
        let answer = unsafe { sys::spank_get_item(self.spank, item, count, array) };
        (answer == sys::ESPANK_SUCCESS).then_some((argc, argv))
    }
}

/// The description of the option, which Slurm copies.
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

fn c_string(text: &[u8]) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::InvalidArgument("the text contains a null byte"))
}

impl Spank for Handle {
    fn context(&self) -> Context {
        // SAFETY: the call has no arguments and reads a variable of Slurm.
        match unsafe { sys::spank_context() } {
            sys::spank_context_S_CTX_LOCAL => Context::Local,
            sys::spank_context_S_CTX_ALLOCATOR => Context::Allocator,
            sys::spank_context_S_CTX_REMOTE => Context::Remote,
            sys::spank_context_S_CTX_SLURMD => Context::Slurmd,
            _ => Context::Other,
        }
    }

    fn arguments(&self) -> Vec<&[u8]> {
        // SAFETY: `argc` and `argv` come from the hook call that this handle stands for.
        let mut arguments = unsafe { argv::strings(self.argc, self.argv) };
        fault::arm(&mut arguments);
        arguments
    }

    fn is_first_line(&self) -> bool {
        line::is_first(self.argv.addr())
    }

    fn register_option(&self) -> Result<(), Error> {
        let mut option = option();
        // SAFETY: the strings are static, and Slurm copies the struct.
        checked(unsafe { sys::spank_option_register(self.spank, &raw mut option) })
    }

    fn option(&self) -> Option<Vec<u8>> {
        let mut option = option();
        let mut value: *mut c_char = ptr::null_mut();
        // SAFETY: the option is registered under the same name, and Slurm only writes `value`.
        let answer =
            unsafe { sys::spank_option_getopt(self.spank, &raw mut option, &raw mut value) };
        if answer != sys::ESPANK_SUCCESS || value.is_null() {
            return None;
        }
        // SAFETY: `value` is not null, so it points to the C string that Slurm keeps for the
        // option.
        Some(unsafe { CStr::from_ptr(value) }.to_bytes().to_vec())
    }

    fn fits_in_exec_limit(&self, bytes: usize) -> bool {
        self.fits_kernel_limit(bytes) && self.has_memory_for_slurm()
    }

    fn set_variable(&self, name: &str, value: &[u8]) -> Result<(), Error> {
        let value = c_string(value)?;
        if self.replace_value(name, &value) {
            return Ok(());
        }
        let name = c_string(name.as_bytes())?;
        if self.is_process_environment() {
            return process::set_variable(&name, &value);
        }
        // SAFETY: both are valid C strings, which Slurm copies.
        let answer = unsafe { sys::spank_setenv(self.spank, name.as_ptr(), value.as_ptr(), 1) };
        self.found.outdate();
        checked(answer)
    }

    fn unset_variable(&self, name: &str) -> Result<(), Error> {
        let name = c_string(name.as_bytes())?;
        if self.is_process_environment() {
            return process::unset_variable(&name);
        }
        // SAFETY: `name` is a valid C string, which Slurm only reads.
        let answer = unsafe { sys::spank_unsetenv(self.spank, name.as_ptr()) };
        self.found.outdate();
        checked(answer)
    }

    fn prepend(&self, words: &[&[u8]]) -> Result<(), Error> {
        let call = prepend::find().ok_or(Error::InvalidArgument(
            "this Slurm release cannot prepend to a command; 23.11 and later releases can",
        ))?;
        let words: Vec<CString> =
            words.iter().map(|word| c_string(word)).collect::<Result<_, _>>()?;
        let growth = words.iter().map(|word| arg_limits::string_size(word.count_bytes())).sum();
        if !self.fits_in_exec_limit(growth) {
            return Err(Error::TOO_LONG);
        }
        let pointers: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
        let count = c_int::try_from(pointers.len())
            .map_err(|_| Error::InvalidArgument("too many arguments"))?;
        // SAFETY: `pointers` holds `count` valid C strings, which Slurm copies.
        checked(unsafe { call(self.spank, count, pointers.as_ptr()) })
    }

    fn is_in_container(&self) -> bool {
        self.runs_in_container()
    }

    fn command_line(&self) -> Vec<Vec<u8>> {
        process::command_line()
    }

    fn is_installed(&self, part: Component) -> bool {
        installed::is_installed(part)
    }

    fn missing(&self, part: Component) -> Option<String> {
        installed::missing(part)
    }

    fn search_variables(&self) {
        Self::search_variables(self);
    }

    fn look_up_symbols(&self) {
        container::look_up();
        allocator::look_up();
    }

    fn search_system_directories(&self, names: &[String]) {
        runtimes::search_system_directories(names);
    }

    fn runtimes(&self, names: &[String], path: &[u8]) -> Vec<Located> {
        runtimes::find(names, path)
    }
}

impl Job for Handle {
    fn command(&self) -> Vec<&[u8]> {
        let Some((argc, argv)) = self.job_argv() else { return Vec::new() };
        // SAFETY: this is Slurm's own array, which lives as long as the step. `replace` overwrites
        // a pointer in it, not the string that it pointed to.
        unsafe { argv::strings(argc, argv.cast_const().cast()) }
    }

    fn replace(&self, index: usize, path: &Path) -> Result<(), Error> {
        let (argc, argv) =
            self.job_argv().ok_or(Error::InvalidArgument("Slurm provides no command"))?;
        let old = self.command().get(index).map_or(0, |word| word.len());
        if !self.fits_kernel_limit(path.as_os_str().len().saturating_sub(old)) {
            return Err(Error::TOO_LONG);
        }
        let word = self.duplicate(&c_string(path.as_os_str().as_encoded_bytes())?)?;
        // SAFETY: this is Slurm's own array, in the task's process, which has no other thread.
        unsafe { argv::replace(argc, argv, index, word) }.map_err(Error::InvalidArgument)
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        if self.is_process_environment() {
            return process::variable(name);
        }
        let value = self.value(name)?;
        let fits_in_memory =
            value.len() <= SHORT_VALUE || memory::is_left((COPIES * value.len()) as u64);
        fits_in_memory.then(|| value.to_vec())
    }

    fn step(&self) -> Step {
        let number = |item| self.number(item);
        let id = number(sys::spank_item_S_JOB_ID).zip(number(sys::spank_item_S_JOB_STEPID));
        Step {
            id,
            uid: number(sys::spank_item_S_JOB_UID).unwrap_or_default(),
            node: number(sys::spank_item_S_JOB_NODEID).unwrap_or_default(),
            tasks: number(sys::spank_item_S_JOB_LOCAL_TASK_COUNT).unwrap_or_default(),
            task: number(sys::spank_item_S_TASK_ID).unwrap_or_default(),
            nested: false,
            kind: Kind::Launch,
        }
    }

    fn write_stderr(&self, text: &str) {
        process::write_stderr(text);
    }

    fn end(&self, status: i32) {
        process::end(status)
    }
}
