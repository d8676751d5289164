//! MUNGE credentials: proof that a process of a cluster runs as a certain user.
//!
//! A client calls [`Munge::encode`]. Its host's `munged` takes the client's user and group IDs from
//! the kernel and signs them, together with a payload, with the key that all hosts of the cluster
//! share. The server calls [`Munge::decode`]; its own `munged` checks the signature and the age of
//! the credential, and refuses a credential that was decoded there before.
//!
//! `libmunge.so.2` is loaded with dlopen(3), so that the command also runs on hosts without it. All
//! `unsafe` code is in `library.rs`.
#![deny(unsafe_code)]

mod error;
mod library;

pub use error::Error;
pub use library::Munge;

use std::net::Ipv4Addr;

/// The content of a valid credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The bytes that the client passed to [`Munge::encode`].
    pub payload: Vec<u8>,
    /// The effective user ID of the client process.
    pub uid: u32,
    /// The effective group ID of the client process.
    pub gid: u32,
    /// The IP address of the host on which the credential was encoded, as its `munged` reports it;
    /// 0.0.0.0 if that `munged` does not know its address.
    pub address: Ipv4Addr,
    /// When the credential was encoded, in seconds since 1970, by that host's clock.
    pub encoded: i64,
}
