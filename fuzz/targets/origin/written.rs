//! Files as a runtime writes them, with any definition and any labels.

use crate::file;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use serde_json::{Map, Value, json};
use sif_fixture::{Object, Sif};
use sifcache_core::reference::Reference;
use std::collections::HashMap;

const KEYS: [&str; 10] = [
    "bootstrap",
    "from",
    "registry",
    "namespace",
    "Bootstrap",
    " FROM ",
    "stage",
    "#",
    "%post",
    "",
];
const VALUES: [&str; 8] =
    ["docker", "alpine:3.20", "//o/i", "h.io:5000", "o", "", "library", "quay.io/o/i:1"];
const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// One of a few given texts, or an arbitrary one.
#[derive(Debug, Arbitrary)]
enum Text<'a> {
    One(u8),
    Any(&'a str),
}

impl Text<'_> {
    /// The text, on one line.
    fn of(&self, some: &[&str]) -> String {
        let text = match self {
            Self::One(number) => some[usize::from(*number) % some.len()],
            Self::Any(text) => text,
        };
        text.replace(['\n', '\r'], "-")
    }
}

/// The lines of a definition, and the three labels that are used.
#[derive(Debug, Arbitrary)]
pub(crate) struct Written<'a> {
    lines: Vec<(u8, Text<'a>)>,
    /// The value of `from` after `bootstrap: docker`. Random lines almost never contain both.
    pulled: Option<Text<'a>>,
    version: Option<Text<'a>>,
    name: Option<Text<'a>>,
    digest: Option<Text<'a>>,
    /// Whether the definition is a label instead of an object.
    as_label: bool,
    unused: u8,
}

impl Written<'_> {
    /// Writes the file, reads it back, and compares.
    pub(crate) fn comes_back(&self) {
        let lines = self.lines();
        let definition = lines.iter().map(|(key, value)| format!("{key}:{value}\n"));
        let definition: String = definition.collect();
        let labels = self.labels();
        let mut attributes = json!({ "labels": labels });
        let mut sif = Sif::image().unused(usize::from(self.unused));
        if self.as_label {
            attributes["deffile"] = definition.into();
        } else {
            sif = sif.with(Object::definition(definition));
        }
        let metadata = json!({"data": {"attributes": attributes}}).to_string();
        let found = file::of(&sif.with(Object::metadata(metadata)).bytes());
        let found = found.map(|origin| (origin.reference.to_string(), origin.digest));
        assert_eq!(found, expected(&lines, &labels), "{lines:?} {labels:?}");
    }

    fn lines(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        if let Some(from) = &self.pulled {
            lines.push(("bootstrap".to_owned(), " docker".to_owned()));
            lines.push(("from".to_owned(), from.of(&VALUES)));
        }
        lines.extend(self.lines.iter().map(|(key, value)| {
            (KEYS[usize::from(*key) % KEYS.len()].to_owned(), value.of(&VALUES))
        }));
        lines
    }

    fn labels(&self) -> Map<String, Value> {
        let labels = [
            ("org.label-schema.usage.apptainer.version", &self.version, &["1.5.0", "1.4.5"]),
            (
                "org.opencontainers.image.base.name",
                &self.name,
                &["docker.io/library/alpine:3.20", "quay.io/o/i:1"],
            ),
            ("org.opencontainers.image.base.digest", &self.digest, &[DIGEST, "sha256:0f"]),
        ];
        let given = labels.into_iter().filter_map(|(key, value, some)| {
            Some((key.to_owned(), Value::from(value.as_ref()?.of(some))))
        });
        given.collect()
    }
}

/// The expected result: an independent implementation of the rules.
fn expected(
    lines: &[(String, String)],
    labels: &Map<String, Value>,
) -> Option<(String, Option<String>)> {
    let mut fields: HashMap<String, &str> = HashMap::new();
    for (key, value) in lines {
        let key = key.trim().to_lowercase();
        if key == "#" {
            continue;
        }
        let is_known = ["bootstrap", "from", "registry", "namespace"].contains(&key.as_str());
        if !is_known || fields.insert(key, value.trim()).is_some() {
            return None;
        }
    }
    if fields.get("bootstrap") != Some(&"docker") {
        return None;
    }
    let from = fields.get("from")?;
    let from = from.strip_prefix("//").unwrap_or(from);
    if from.is_empty() {
        return None;
    }
    let field = |key: &str| fields.get(key).map(|value| format!("{value}/"));
    let path = [field("registry"), field("namespace")].into_iter().flatten();
    let path: String = path.filter(|part| part != "/").chain([from.to_owned()]).collect();
    let reference = Reference::parse(path.as_bytes()).ok()?;
    let digest = match reference.digest() {
        Some(digest) => Some(digest.to_owned()),
        None => recorded(labels, &reference),
    };
    Some((reference.to_string(), digest))
}

fn recorded(labels: &Map<String, Value>, reference: &Reference) -> Option<String> {
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    let version = label("org.label-schema.usage.apptainer.version")?;
    let (major, rest) = version.split_once('.')?;
    let minor = rest.split('.').next()?;
    let (major, minor): (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    let is_new = major > 1 || (major == 1 && minor >= 5);
    let name = label("org.opencontainers.image.base.name")?;
    let name = Reference::parse(name.as_bytes()).ok()?;
    let digest = label("org.opencontainers.image.base.digest")?;
    let is_one = Reference::parse(format!("x@{digest}").as_bytes()).is_ok();
    let is_same = name.to_string() == reference.to_string();
    (is_new && is_same && is_one).then(|| digest.to_owned())
}
