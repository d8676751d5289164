//! Takes the place of bindgen, which the build script of the `slurm-spank` crate calls only to
//! regenerate its bindings.
//!
//! `.cargo/config.toml` sets `SKIP_SLURM_BINDINGS`, so the build script uses the bindings that the
//! crate ships. cargo would compile bindgen and its dependencies nevertheless, once for each
//! profile and each build directory. This crate contains only the functions that the build script
//! refers to.

use std::convert::Infallible;
use std::path::Path;
use std::str::FromStr;

/// A version of Rust.
#[derive(Debug)]
pub struct RustTarget;

impl FromStr for RustTarget {
    type Err = Infallible;

    fn from_str(_: &str) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// Options for [`Self::generate`], which have no effect.
#[derive(Debug, Default)]
pub struct Builder;

impl Builder {
    /// Has no effect.
    #[must_use]
    pub fn rust_target(self, _: RustTarget) -> Self {
        self
    }

    /// Has no effect.
    #[must_use]
    pub fn header(self, _: &str) -> Self {
        self
    }

    /// Has no effect.
    #[must_use]
    pub fn blocklist_type(self, _: &str) -> Self {
        self
    }

    /// # Errors
    ///
    /// Always.
    pub fn generate(self) -> Result<Bindings, &'static str> {
        Err("set SKIP_SLURM_BINDINGS=1, as .cargo/config.toml does: this build has no bindgen")
    }
}

/// Does not exist.
#[derive(Debug)]
pub enum Bindings {}

impl Bindings {
    /// # Errors
    ///
    /// Is never called.
    pub fn write_to_file(&self, _: impl AsRef<Path>) -> Result<(), Infallible> {
        match *self {}
    }
}
