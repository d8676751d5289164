//! References to library servers: `[HOST/][[ENTITY/]COLLECTION/]CONTAINER[:TAG]`.
//!
//! The first of four components is the host; with fewer components there is none, and the runtime
//! queries the server in its configuration. The runtimes pass the path to the server as typed, so
//! two spellings are two references. A hash such as `sha256.0f…` takes the place of a tag. The
//! runtimes accept a list of tags and use the first one; this parser refuses such lists.
//!
//! Source: `NormalizeLibraryRef` and `splitHostNameAndPath` of Apptainer and SingularityCE, in
//! `internal/pkg/client/library`.

use super::{Error, MAX_REPOSITORY, name};

/// The components of a path, including the host.
const MAX_COMPONENTS: usize = 4;

/// Splits `[HOST/]PATH[:TAG]` into host, path and tag. The host is empty if there is none.
pub(super) fn split(text: &str) -> Result<(&str, &str, Option<&str>), Error> {
    let (full, tag) = name::split_tag(text)?;
    let (host, path) = match full.matches('/').count() + 1 {
        MAX_COMPONENTS => full.split_once('/').unwrap_or_default(),
        ..MAX_COMPONENTS => ("", full),
        _ => return Err(Error::Library),
    };
    if !host.is_empty() && !name::is_registry(host) {
        return Err(Error::Registry);
    }
    // Unlike those of a registry, the names may contain upper-case letters.
    if !name::is_path(&path.to_ascii_lowercase()) {
        return Err(Error::Library);
    }
    if path.len() > MAX_REPOSITORY {
        return Err(Error::TooLong);
    }
    Ok((host, path, tag))
}
