//! Why a squashfs could not be written.

use std::io;

/// Why a squashfs could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be written, for instance because the disk is full.
    #[error("the file system image cannot be written: {0}")]
    Write(#[source] io::Error),
    /// A block that was written before cannot be read again.
    #[error("a block of the file system image cannot be read back: {0}")]
    ReadBack(#[source] io::Error),
    /// The compression cannot be set up.
    #[error("the compression cannot be initialized: {0}")]
    Compression(#[source] io::Error),
    /// A thread that compresses or writes ended without a result.
    #[error("a thread that compresses or writes blocks ended early")]
    Thread,
    /// A block size that squashfs does not have.
    #[error("block size {0} is invalid: use a power of two from 4096 to 1048576")]
    BlockSize(u32),
    /// The tree refers to a content that was never stored, was forgotten, or has another size.
    #[error("the tree refers to content {0}, which is not stored with this size")]
    Content(u32),
    /// A name that squashfs cannot hold: empty, longer than 256 bytes, or with `/` or a zero byte.
    #[error("{0:?} is not a valid name: use 1 to 256 bytes without / and zero bytes")]
    Name(String),
    /// A target of a symbolic link that Linux does not read.
    #[error("the target of a symbolic link has {0} bytes: use 1 to 4095")]
    Target(usize),
    /// A device number that squashfs cannot hold.
    #[error("device {major}:{minor} is invalid: use a major below 4096 and a minor below 1048576")]
    Device {
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },
    /// Extended attributes that squashfs cannot hold.
    #[error(
        "the extended attribute {0:?} is too long: use at most 255 bytes for the name and 65536 for the value"
    )]
    Xattr(String),
    /// Two names of one directory, or a name of an inode of another tree.
    #[error("the name {0:?} belongs to a directory with another name, or to no inode")]
    Tree(String),
    /// More than squashfs can count.
    #[error("there are too many {0} for squashfs")]
    TooMany(&'static str),
}
