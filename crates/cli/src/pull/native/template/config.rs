//! Adapts the config of an image to another list of layers.
//!
//! The rest of the config stays as it is in the registry, byte by byte, because the runtime copies
//! parts of it into the SIF file.
//!
//! Source of the format: <https://github.com/opencontainers/image-spec>, `config.md`.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;

/// Fields that list the layers.
const LAYERS: [&str; 2] = ["rootfs", "history"];

/// The fields of a JSON object in their order, with the text of each value.
struct Fields(Vec<(String, Box<RawValue>)>);

/// The config with other layers, whose digests before compression are `diff_ids`. `None` if the
/// config is not an object, or if two readers could understand it differently: the runtime's JSON
/// parser ignores the case of keys and merges repeated keys.
pub(super) fn with_layers(config: &[u8], diff_ids: &[String]) -> Option<Vec<u8>> {
    let Fields(mut fields) = serde_json::from_slice(config).ok()?;
    let mut names: Vec<String> = fields.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort_unstable();
    let repeated = names.windows(2).any(|pair| matches!(pair, [one, next] if one == next));
    if repeated || !names.iter().all(|name| name.is_ascii()) {
        return None;
    }
    fields.retain(|(name, _)| !LAYERS.iter().any(|layers| name.eq_ignore_ascii_case(layers)));
    let rootfs = serde_json::json!({ "type": "layers", "diff_ids": diff_ids });
    fields.push(("rootfs".to_owned(), RawValue::from_string(rootfs.to_string()).ok()?));
    serde_json::to_vec(&Fields(fields)).ok()
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::with_layers;

    fn adapted(config: &str) -> Option<String> {
        let diff_ids = ["sha256:1".to_owned()];
        with_layers(config.as_bytes(), &diff_ids).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn only_the_list_of_layers_is_replaced() {
        let config = r#"{"RootFS":{"diff_ids":["sha256:a"]}, "history":[{}],
            "os":"linux","config":{ "Env":["A=\u00e9\ud800"], "n":1e400 }}"#;
        assert_eq!(
            adapted(config).unwrap(),
            r#"{"os":"linux","config":{ "Env":["A=\u00e9\ud800"], "n":1e400 },"rootfs":{"diff_ids":["sha256:1"],"type":"layers"}}"#
        );
        assert!(adapted("{}").unwrap().contains("sha256:1"));
    }

    #[test]
    fn configs_with_two_meanings_are_refused() {
        for config in [
            "[]",
            "{",
            r#"{"config":{},"config":{}}"#,
            r#"{"config":{},"Config":{}}"#,
            "{\"hi\u{17f}tory\":[]}",
        ] {
            assert_eq!(adapted(config), None, "{config}");
        }
    }
}
