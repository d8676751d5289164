//! Layers from arbitrary bytes: a few names, so that entries meet.

use crate::model::Action;
use libfuzzer_sys::arbitrary::{Result, Unstructured};

/// The most layers.
const LAYERS: usize = 6;
/// The most entries of a layer.
const ENTRIES: usize = 12;

pub(crate) fn layers(bytes: &mut Unstructured<'_>) -> Result<Vec<Vec<Action>>> {
    let mut layers = vec![Vec::new()];
    while !bytes.is_empty() && layers.len() < LAYERS {
        let next = action(bytes)?;
        let last = layers.last_mut().filter(|layer| layer.len() < ENTRIES);
        match (next, last) {
            (Some(action), Some(layer)) => layer.push(action),
            (Some(action), None) => layers.push(vec![action]),
            (None, _) => layers.push(Vec::new()),
        }
    }
    Ok(layers)
}

/// The next entry; `None` for the start of a layer.
fn action(bytes: &mut Unstructured<'_>) -> Result<Option<Action>> {
    Ok(Some(match bytes.int_in_range(0..=7_u8)? {
        0 => return Ok(None),
        1 => Action::Directory(path(bytes)?),
        2 | 3 => Action::File(path(bytes)?),
        4 => Action::Symlink(path(bytes)?, target(bytes)?),
        5 => Action::HardLink(path(bytes)?, target(bytes)?),
        6 => {
            let directory = path(bytes)?;
            let name = *bytes.choose(&["a", "b", "c"])?;
            Action::Whiteout(if bytes.arbitrary()? {
                format!("{directory}/{name}")
            } else {
                name.into()
            })
        }
        _ => Action::Opaque(path(bytes)?),
    }))
}

fn path(bytes: &mut Unstructured<'_>) -> Result<String> {
    let count = bytes.int_in_range(1..=4)?;
    let names = (0..count).map(|_| bytes.choose(&["a", "b", "c", "d", ".", ".."]).copied());
    Ok(names.collect::<Result<Vec<_>>>()?.join("/"))
}

fn target(bytes: &mut Unstructured<'_>) -> Result<String> {
    let slash = if bytes.arbitrary()? { "/" } else { "" };
    Ok(format!("{slash}{}", path(bytes)?))
}
