//! Limits on the content of an image.

/// Limits on the content of an image, so that hostile layers cause an error before they exhaust the
/// memory or the processor time of the host. An image that exceeds a limit is
/// [invalid](crate::Error::Invalid).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The number of entries of all layers together.
    pub entries: u64,
    /// The number of names in the merged tree at any time. A name takes about 200 bytes of memory.
    pub names: u64,
    /// The uncompressed size of all layers together, in bytes. Holes of sparse files count too.
    pub bytes: u64,
    /// The size of the names, link targets and attributes in memory at any time, in bytes.
    pub text: u64,
    /// The length of a path in bytes. The kernel's limit is 4096, including the directory into which a
    /// runtime unpacks.
    pub path: usize,
    /// The number of layers.
    pub layers: u16,
}

impl Default for Limits {
    /// Ten times the values of the largest images in use.
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
