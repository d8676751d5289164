//! Bounds on what an image may hold.

/// Bounds on what an image may hold, so that hostile layers end in an error before they exhaust
/// the memory or the time of the host. An image beyond a limit is
/// [invalid](crate::Error::Invalid).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Entries of all layers together.
    pub entries: u64,
    /// Names in the merged tree at any time. A name takes about 200 bytes of memory.
    pub names: u64,
    /// Bytes of all layers together, uncompressed. Holes of sparse files count too.
    pub bytes: u64,
    /// Bytes of names, link targets and attributes that are in memory at any time.
    pub text: u64,
    /// Bytes of a path. The kernel's limit is 4096, including the directory that a runtime unpacks
    /// to.
    pub path: usize,
    /// Layers.
    pub layers: u16,
}

impl Default for Limits {
    /// Ten times as much as the largest images in use have.
    fn default() -> Self {
        Self {
            entries: 20_000_000,
            names: 10_000_000,
            bytes: 1 << 40,
            text: 1 << 30,
            path: 4000,
            layers: 4096,
        }
    }
}
