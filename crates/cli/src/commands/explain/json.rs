//! The JSON object of `explain`. Its format is stable: docs/json.md.

use super::resulting;
use crate::error::Failure;
use serde::Serialize;
use sifcache_core::decision::Decision;

/// One decision. In text that is not UTF-8, U+FFFD replaces the invalid bytes.
#[derive(Serialize)]
struct Object {
    decision: &'static str,
    reason: &'static str,
    kind: Option<&'static str>,
    image_index: Option<usize>,
    image: Option<String>,
    reference: Option<Reference>,
    candidates: Vec<Candidate>,
    argv: Vec<String>,
    started_by: Vec<String>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

#[derive(Serialize)]
struct Candidate {
    path: String,
    state: &'static str,
}

/// The object as one line.
pub(super) fn line(
    decision: &Decision,
    argv: &[impl AsRef<[u8]>],
    started_by: &[String],
    notes: Vec<String>,
) -> Result<String, Failure> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let object = Object {
        decision: decision.token(),
        reason: decision.reason(),
        kind: decision.image_index().map(|_| decision.kind().as_str()),
        image_index: decision.image_index(),
        image: decision.image.as_deref().map(text),
        reference: decision.reference().map(|reference| Reference {
            registry: reference.registry().to_owned(),
            repository: reference.repository().to_owned(),
            tag: reference.tag().map(str::to_owned),
            digest: reference.digest().map(str::to_owned),
        }),
        candidates: decision
            .candidates
            .iter()
            .map(|candidate| Candidate {
                path: candidate.path.to_string_lossy().into_owned(),
                state: candidate.state.token(),
            })
            .collect(),
        argv: resulting(decision, argv).iter().map(|word| text(word)).collect(),
        started_by: started_by.to_vec(),
        notes,
    };
    let mut line = serde_json::to_string(&object).map_err(|error| Failure::Io(error.into()))?;
    line.push('\n');
    Ok(line)
}
