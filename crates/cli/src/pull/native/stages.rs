//! How long each stage of a conversion took.

use serde::Serialize;
use std::fmt;
use std::time::Instant;

/// The durations of the stages in seconds, in the order in which they follow each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Stages {
    /// The layers are downloaded, merged and compressed, all at the same time.
    pub(crate) layers: f64,
    /// The tables of the file system and the texts of the SIF file are written.
    pub(crate) tables: f64,
    /// Each block is read back and compared, and the hash of the file is computed.
    pub(crate) verification: f64,
    /// The file is synced.
    pub(crate) sync: f64,
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layers, tables, verification, sync } = self;
        write!(
            f,
            "layers {layers:.1} s, tables {tables:.1} s, verification {verification:.1} s, sync \
             {sync:.1} s"
        )
    }
}

/// Measures one stage after the other.
#[derive(Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts the first stage.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Ends a stage and starts the next one. Returns the duration in seconds.
    pub(crate) fn lap(&mut self) -> f64 {
        let begun = std::mem::replace(&mut self.0, Instant::now());
        self.0.duration_since(begun).as_secs_f64()
    }
}
