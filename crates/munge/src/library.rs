//! Calls into libmunge. This is the only file of the command's crates with `unsafe` code.
//!
//! The functions, their arguments and who frees which memory are those of `munge.h`, munge(3) and
//! munge_ctx(3) of MUNGE 0.5, whose shared library has been `libmunge.so.2` since 2006:
//!
//! ```c
//! typedef struct munge_ctx * munge_ctx_t;
//! munge_err_t munge_encode (char **cred, munge_ctx_t ctx, const void *buf, int len);
//! munge_err_t munge_decode (const char *cred, munge_ctx_t ctx, void **buf, int *len,
//!                           uid_t *uid, gid_t *gid);
//! const char * munge_strerror (munge_err_t e);
//! munge_ctx_t munge_ctx_create (void);
//! void munge_ctx_destroy (munge_ctx_t ctx);
//! const char * munge_ctx_strerror (munge_ctx_t ctx);
//! munge_err_t munge_ctx_get (munge_ctx_t ctx, int opt, ...);
//! ```
#![allow(unsafe_code)]

use crate::{Decoded, Error};
use libc::{c_char, c_int, c_void, gid_t, time_t, uid_t};
use libloading::Library;
use std::error::Error as _;
use std::ffi::{CStr, CString, OsStr};
use std::fmt;
use std::net::Ipv4Addr;
use std::ptr;

/// `munge_ctx_t`.
type Context = *mut c_void;
type Encode = unsafe extern "C" fn(*mut *mut c_char, Context, *const c_void, c_int) -> c_int;
type Decode = unsafe extern "C" fn(
    *const c_char,
    Context,
    *mut *mut c_void,
    *mut c_int,
    *mut uid_t,
    *mut gid_t,
) -> c_int;
type Create = unsafe extern "C" fn() -> Context;
type Destroy = unsafe extern "C" fn(Context);
type Describe = unsafe extern "C" fn(Context) -> *const c_char;
type Get = unsafe extern "C" fn(Context, c_int, ...) -> c_int;

/// `MUNGE_OPT_ADDR4`; its value is a `struct in_addr`, 4 bytes in network order.
const ADDRESS: c_int = 5;
/// `MUNGE_OPT_ENCODE_TIME`; its value is a `time_t`.
const ENCODE_TIME: c_int = 6;

/// The name that the dynamic loader searches for.
const NAME: &str = "libmunge.so.2";

/// A loaded libmunge. Each call uses a context of its own, so calls from several threads do not
/// share data.
pub struct Munge {
    encode: Encode,
    decode: Decode,
    create: Create,
    destroy: Destroy,
    describe: Describe,
    get: Get,
    /// Keeps the functions above loaded.
    _library: Library,
}

impl fmt::Debug for Munge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Munge").finish_non_exhaustive()
    }
}

impl Munge {
    /// Loads the system's libmunge.
    ///
    /// # Errors
    /// [`Error::Library`] if it is not installed.
    pub fn load() -> Result<Self, Error> {
        Self::open(NAME.as_ref())
    }

    /// Loads the library with this path, or with this name in the search path of the dynamic
    /// loader. The file must be a libmunge.
    ///
    /// # Errors
    /// [`Error::Library`] if it cannot be loaded, or lacks a function.
    pub fn open(library: &OsStr) -> Result<Self, Error> {
        // SAFETY: loading a library runs its constructors. libmunge has none with requirements; a
        // caller that names another file has to name a libmunge.
        let library = unsafe { Library::new(library) }.map_err(|error| missing(&error))?;
        Ok(Self {
            encode: symbol(&library, c"munge_encode")?,
            decode: symbol(&library, c"munge_decode")?,
            create: symbol(&library, c"munge_ctx_create")?,
            destroy: symbol(&library, c"munge_ctx_destroy")?,
            describe: symbol(&library, c"munge_ctx_strerror")?,
            get: symbol(&library, c"munge_ctx_get")?,
            _library: library,
        })
    }

    /// A credential that proves the caller's user ID, with this payload. It is printable ASCII
    /// text: the base64 encoding of about 150 bytes and the payload. It is valid for the default
    /// time of `munged`, 5 minutes.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn encode(&self, payload: &[u8]) -> Result<String, Error> {
        let length = c_int::try_from(payload.len()).map_err(|_| Error::TooLong)?;
        let context = self.context()?;
        let mut credential: *mut c_char = ptr::null_mut();
        let data = payload.as_ptr().cast::<c_void>();
        // SAFETY: `credential` is valid for writes, the context exists, and `data` is valid for
        // reads of `length` bytes. libmunge sets `credential` to null or to memory of malloc.
        let status = unsafe { (self.encode)(&raw mut credential, context.pointer, data, length) };
        let credential = Allocation(credential.cast());
        context.check(status)?;
        if credential.0.is_null() {
            return Err(Error::Other(status, "it returned no credential".to_owned()));
        }
        // SAFETY: on success, `credential` is a string that ends with a null byte. It is not freed
        // before the end of this function.
        let text = unsafe { CStr::from_ptr(credential.0.cast()) };
        Ok(text.to_string_lossy().into_owned())
    }

    /// Checks a credential, and returns its content.
    ///
    /// # Errors
    /// See [`Error`]. The content of an expired, rewound or replayed credential is discarded.
    pub fn decode(&self, credential: &str) -> Result<Decoded, Error> {
        let credential = CString::new(credential)
            .map_err(|_| Error::Invalid("it contains a null byte".to_owned()))?;
        let context = self.context()?;
        let mut buffer: *mut c_void = ptr::null_mut();
        let (mut length, mut uid, mut gid): (c_int, uid_t, gid_t) = (0, uid_t::MAX, gid_t::MAX);
        // SAFETY: the credential ends with a null byte, the context exists, and the other pointers
        // are valid for writes. libmunge sets `buffer` to null or to memory of malloc.
        let status = unsafe {
            (self.decode)(
                credential.as_ptr(),
                context.pointer,
                &raw mut buffer,
                &raw mut length,
                &raw mut uid,
                &raw mut gid,
            )
        };
        // Memory is also allocated for some errors.
        let buffer = Allocation(buffer);
        context.check(status)?;
        Ok(Decoded {
            payload: buffer.bytes(length),
            uid,
            gid,
            address: context.address()?,
            encoded: context.encode_time()?,
        })
    }

    fn context(&self) -> Result<OwnContext<'_>, Error> {
        // SAFETY: the function has no arguments.
        let pointer = unsafe { (self.create)() };
        if pointer.is_null() {
            return Err(Error::Other(4, "no memory is left".to_owned()));
        }
        Ok(OwnContext { munge: self, pointer })
    }
}

/// A function of the library. `F` must be the function's type in munge.h.
fn symbol<F: Copy>(library: &Library, name: &CStr) -> Result<F, Error> {
    // SAFETY: each caller assigns the result to a field whose type is the one in munge.h. The field
    // is not used after the library is unloaded, because `Munge` owns the library.
    let symbol = unsafe { library.get::<F>(name) };
    symbol.map(|symbol| *symbol).map_err(|error| missing(&error))
}

fn missing(error: &libloading::Error) -> Error {
    // The message of dlopen(3) or dlsym(3) is the source of the error.
    let message = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    Error::Library(message)
}

/// A context, which is destroyed at the end.
struct OwnContext<'a> {
    munge: &'a Munge,
    pointer: Context,
}

impl OwnContext<'_> {
    /// An error with the context's message, unless `status` is 0 (`EMUNGE_SUCCESS`).
    fn check(&self, status: c_int) -> Result<(), Error> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: the context exists.
        let text = unsafe { (self.munge.describe)(self.pointer) };
        if text.is_null() {
            return Err(Error::new(status, "without a message".to_owned()));
        }
        // SAFETY: libmunge returns a string that ends with a null byte and belongs to the context,
        // which exists until the end of this function.
        let text = unsafe { CStr::from_ptr(text) };
        Err(Error::new(status, text.to_string_lossy().into_owned()))
    }

    fn address(&self) -> Result<Ipv4Addr, Error> {
        let mut address: u32 = 0;
        // SAFETY: the option writes a `struct in_addr`, which is a `u32` in network order.
        let status = unsafe { (self.munge.get)(self.pointer, ADDRESS, &raw mut address) };
        self.check(status)?;
        Ok(Ipv4Addr::from_bits(u32::from_be(address)))
    }

    fn encode_time(&self) -> Result<i64, Error> {
        let mut time: time_t = 0;
        // SAFETY: the option writes a `time_t`.
        let status = unsafe { (self.munge.get)(self.pointer, ENCODE_TIME, &raw mut time) };
        self.check(status)?;
        Ok(time)
    }
}

impl Drop for OwnContext<'_> {
    fn drop(&mut self) {
        // SAFETY: the context exists, and nothing uses it afterwards.
        unsafe { (self.munge.destroy)(self.pointer) }
    }
}

/// Null or memory of malloc, which is freed at the end.
struct Allocation(*mut c_void);

impl Allocation {
    /// A copy of the first `length` bytes, which must be part of the memory.
    fn bytes(&self, length: c_int) -> Vec<u8> {
        match usize::try_from(length) {
            Ok(length) if length > 0 && !self.0.is_null() => {
                // SAFETY: `munge_decode` returned this length together with the memory.
                unsafe { std::slice::from_raw_parts(self.0.cast::<u8>(), length) }.to_vec()
            }
            _ => Vec::new(),
        }
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: the pointer is null or from malloc, and nothing uses it afterwards.
        unsafe { libc::free(self.0) }
    }
}
