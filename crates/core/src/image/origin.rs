//! The reference that a SIF file was pulled from, according to the file.

use super::State;
use crate::reference::Reference;
use crate::sif::definition;
use crate::sif::descriptors::{self, DEFINITION};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The maximum size of a definition that is read, in bytes. That of a pull has two lines.
const MAX_DEFINITION: u64 = 4096;

/// A condition on the reference that a file was pulled from.
pub(crate) type Origin<'a> = &'a dyn Fn(&Reference) -> bool;

/// Checks that a file records that it was pulled from a reference that fulfils `origin`. `table`
/// contains the bytes of its descriptor table. This takes one read system call.
pub(super) fn check(file: &File, table: &[u8], origin: Origin<'_>) -> Result<(), State> {
    let reference = recorded(file, table)?.ok_or(State::NoOrigin)?;
    if origin(&reference) { Ok(()) } else { Err(State::OtherOrigin(reference.to_string())) }
}

/// The recorded reference. This takes one read system call.
pub(super) fn recorded(file: &File, table: &[u8]) -> Result<Option<Reference>, State> {
    let mut definitions =
        descriptors::in_use(table).filter(|object| object.data_type() == DEFINITION);
    let (Some(object), None) = (definitions.next(), definitions.next()) else { return Ok(None) };
    let Some((offset, size)) = object.place().filter(|(_, size)| *size <= MAX_DEFINITION) else {
        return Ok(None);
    };
    let mut bytes = [0; MAX_DEFINITION as usize];
    let length = usize::try_from(size).unwrap_or_default();
    let bytes = bytes.get_mut(..length).unwrap_or_default();
    file.read_exact_at(bytes, offset)?;
    Ok(std::str::from_utf8(bytes).ok().and_then(definition::pulled))
}
