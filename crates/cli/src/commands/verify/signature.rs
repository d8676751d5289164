//! Checks the signatures of an image with the runtime.

use crate::error::Failure;
use crate::inspect::finding::{BAD_SIGNATURE, Finding, UNKNOWN_SIGNER};
use crate::pull::runtime::{Error, Runtime};
use std::path::Path;

/// The runtimes' message if the data differ from the signed data.
const COMPROMISED: &str = "integrity compromised";
/// Possible last messages of the runtimes if this host does not have the key. They do not mean that
/// the image is bad.
const UNKNOWN: [&str; 4] = [
    "signature made by unknown entity",
    "key material not provided",
    "failed to get key material",
    "certificate signed by unknown authority",
];

/// Lets the runtime verify a file. Returns `None` if its signatures are valid.
///
/// # Errors
/// A signal asked the command to stop, or the runtime could not be started.
pub(crate) fn check(runtime: &Runtime, file: &Path) -> Result<Option<Finding>, Failure> {
    match runtime.verify(file) {
        Ok(_) => Ok(None),
        Err(error @ Error::Ended { .. }) => {
            Ok(Some(judge(file, &error.to_string(), &error.output())))
        }
        Err(Error::Stopped(failure)) => Err(failure),
        Err(Error::Start(error)) => Err(error.into()),
    }
}

/// Classifies a failed verification. `last` is the runtime's last message, `message` its whole output.
fn judge(file: &Path, last: &str, message: &str) -> Finding {
    // With several signatures, the key of one may be unknown and another signature may be invalid.
    if !message.contains(COMPROMISED) && UNKNOWN.iter().any(|unknown| last.contains(unknown)) {
        let what = format!("signed with an unknown key: {last}");
        return Finding::note(UNKNOWN_SIGNER, file, what, "import the key with `key import`");
    }
    let what = format!("its signature is not valid: {last}");
    Finding::problem(BAD_SIGNATURE, file, what, "do not use it; pull or copy the image again")
}

#[cfg(test)]
mod tests {
    use super::judge;
    use std::path::Path;

    /// Messages of Apptainer 1.4.5.
    #[test]
    fn an_unknown_key_is_not_a_bad_signature() {
        let tampered = "\
INFO:    Verifying image with PGP key material
Error encountered during signature verification: data object integrity compromised: 4
FATAL:   Failed to verify container: integrity: data object integrity compromised: 4
";
        let unknown = "\
WARNING: failed to get key material: Get \"https://keys.example.org/\": connection refused

FATAL:   Failed to verify container: integrity: signature object 5 not valid: openpgp: signature made by unknown entity
";
        let pem = "\
FATAL:   Failed to verify container: integrity: key material not provided for DSSE envelope signature
";
        // Two signatures, one of them with an unknown key.
        let both = format!("{tampered}{unknown}");
        let last = |message: &str| message.lines().last().unwrap_or_default().to_owned();
        let token = |message: &str| judge(Path::new("/i"), &last(message), message).token;
        assert_eq!((token(tampered), token(&both)), ("bad-signature", "bad-signature"));
        assert_eq!((token(unknown), token(pem)), ("unknown-signer", "unknown-signer"));
        // Only the last message counts, not a warning before it.
        let warned = unknown.replace("signature made by unknown entity", "key expired");
        assert_eq!(token(&warned), "bad-signature");
        let what = judge(Path::new("/i"), "it says so", tampered).what;
        assert_eq!(what, "its signature is not valid: it says so");
        assert_eq!(token(""), "bad-signature");
    }
}
