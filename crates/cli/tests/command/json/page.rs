//! docs/json.md, and how the output of a command differs from it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A row of a key table.
struct Field {
    kind: String,
    absent: String,
}

/// A section of the page that has a key table.
pub(crate) struct Format {
    pub(crate) title: String,
    fields: BTreeMap<String, Field>,
    pub(crate) examples: Vec<Value>,
}

/// The ways in which a key occurred in the output.
#[derive(Default)]
struct Seen {
    kinds: BTreeSet<&'static str>,
    null: bool,
    missing: bool,
}

pub(crate) fn text() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/json.md");
    std::fs::read_to_string(path).unwrap()
}

/// All sections with a key table.
pub(crate) fn formats(text: &str) -> Vec<Format> {
    sections(text).iter().filter_map(|(title, body)| Format::parse(title, body)).collect()
}

/// The page's headings, each with the lines below it.
fn sections(text: &str) -> Vec<(String, Vec<&str>)> {
    let mut sections: Vec<(String, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            Some(title) => sections.push((title.replace('`', ""), Vec::new())),
            None => sections.iter_mut().last().into_iter().for_each(|(_, body)| body.push(line)),
        }
    }
    sections
}

/// The objects in the JSON blocks of some lines.
pub(crate) fn examples(lines: &[&str]) -> Vec<Value> {
    let text = lines.join("\n");
    let blocks = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let objects = blocks.flat_map(|block| serde_json::Deserializer::from_str(block).into_iter());
    objects.collect::<Result<_, _>>().unwrap()
}

impl Format {
    fn parse(title: &str, body: &[&str]) -> Option<Self> {
        let rows = body.iter().skip_while(|line| !line.starts_with("| key | type |")).skip(2);
        let rows = rows.take_while(|line| line.starts_with('|'));
        let fields = rows.map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let field = Field { kind: cells[2].to_owned(), absent: cells[4].to_owned() };
            (cells[1].trim_matches('`').to_owned(), field)
        });
        let fields: BTreeMap<String, Field> = fields.collect();
        let (title, examples) = (title.to_owned(), examples(body));
        (!fields.is_empty()).then_some(Self { title, fields, examples })
    }

    /// The differences between the table and all outputs of the tests. Each documented key must
    /// occur, also as `null` or missing if the table says so.
    pub(crate) fn differences(&self, outputs: &[Value]) -> Vec<String> {
        let seen = self.seen(outputs);
        let mut found = self.unlike(&seen);
        for (path, Seen { kinds, null, missing }) in &seen {
            let Some(Field { absent, .. }) = self.fields.get(path) else { continue };
            if kinds.is_empty() {
                found.push(format!("{path}: has no value in any output"));
            }
            if absent.starts_with("`null`") && !null {
                found.push(format!("{path}: is null in no output"));
            }
            if absent.starts_with("no key") && !missing {
                found.push(format!("{path}: is in every output"));
            }
        }
        found
    }

    /// The differences between the table and the example. The example must have all keys, but need
    /// not show all cases.
    pub(crate) fn example_differences(&self) -> Vec<String> {
        self.unlike(&self.seen(&self.examples))
    }

    fn unlike(&self, seen: &BTreeMap<String, Seen>) -> Vec<String> {
        let mut found = Vec::new();
        for (path, Seen { kinds, null, missing }) in seen {
            let Some(Field { kind, absent }) = self.fields.get(path) else {
                found.push(format!("{path}: is not on the page"));
                continue;
            };
            let wrong = kinds.iter().filter(|seen| !fits(kind, seen));
            found.extend(wrong.map(|seen| format!("{path}: {seen}, on the page {kind}")));
            if *null && !absent.starts_with("`null`") {
                found.push(format!("{path}: null, on the page {absent}"));
            }
            if *missing && !absent.starts_with("no key") {
                found.push(format!("{path}: missing, on the page {absent}"));
            }
        }
        let unseen = self.fields.keys().filter(|path| seen.get(*path).is_none_or(Seen::is_nothing));
        found.extend(unseen.map(|path| format!("{path}: is in no output")));
        found
    }

    fn seen(&self, objects: &[Value]) -> BTreeMap<String, Seen> {
        let mut seen = BTreeMap::new();
        for object in objects {
            self.walk("", object.as_object().unwrap(), &mut seen);
        }
        seen
    }

    fn walk(&self, prefix: &str, object: &Map<String, Value>, seen: &mut BTreeMap<String, Seen>) {
        let any = self.fields.contains_key(&format!("{prefix}*"));
        for (key, value) in object {
            let path = format!("{prefix}{}", if any { "*" } else { key });
            let entry: &mut Seen = seen.entry(path.clone()).or_default();
            match value {
                Value::Null => entry.null = true,
                value => drop(entry.kinds.insert(kind(value))),
            }
            match value {
                Value::Object(inner) => self.walk(&format!("{path}."), inner, seen),
                Value::Array(items) => items
                    .iter()
                    .filter_map(Value::as_object)
                    .for_each(|inner| self.walk(&format!("{path}[]."), inner, seen)),
                _ => {}
            }
        }
        let is_missing = |path: &&String| {
            let key = path.strip_prefix(prefix).unwrap_or(".");
            !key.contains(['.', '[', '*']) && !object.contains_key(key)
        };
        for path in self.fields.keys().filter(is_missing) {
            seen.entry(path.clone()).or_default().missing = true;
        }
    }
}

impl Seen {
    fn is_nothing(&self) -> bool {
        self.kinds.is_empty() && !self.null
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(text) if text.parse::<Timestamp>().is_ok() => "time",
        Value::String(_) => "string",
        Value::Array(items) if items.is_empty() => "empty array",
        Value::Array(items) if items.iter().all(Value::is_string) => "array of strings",
        Value::Array(items) if items.iter().all(Value::is_object) => "array of objects",
        Value::Array(_) => "mixed array",
        Value::Object(_) => "object",
        Value::Null => "null",
    }
}

/// Whether a value of the kind `seen` conforms to the type that the page states.
fn fits(page: &str, seen: &str) -> bool {
    match seen {
        "empty array" => page.starts_with("array of "),
        "integer" => ["integer", "number"].contains(&page),
        "string" => ["string", "path"].contains(&page),
        "time" => ["time", "string"].contains(&page),
        seen => seen == page,
    }
}

#[test]
fn differences_are_found() {
    let page = "## `x`\n\n| key | type | unit | absent | meaning |\n| --- | --- | --- | --- | --- |\n\
                | `a` | integer | | never | |\n| `b` | array of objects | | never | |\n\
                | `b[].c` | time | | `null` sometimes | |\n| `d` | string | | no key sometimes | |\n";
    let format = &formats(page)[0];
    let time = "2026-01-01T00:00:00Z";
    let good =
        [json!({"a": 1, "b": [{"c": null}, {"c": time}]}), json!({"a": 1, "b": [], "d": ""})];
    assert_eq!(format.differences(&good), [""; 0]);
    for (output, difference) in [
        (json!({"a": 1, "b": [], "d": "", "e": 1}), "e: is not on the page"),
        (json!({"a": 1, "b": [{"c": time, "e": 1}]}), "b[].e: is not on the page"),
        (json!({"a": "1", "b": []}), "a: string, on the page integer"),
        (json!({"a": 1, "b": [{"c": "soon"}]}), "b[].c: string, on the page time"),
        (json!({"a": null, "b": []}), "a: null, on the page never"),
        (json!({"b": []}), "a: missing, on the page never"),
    ] {
        let outputs = [good.to_vec(), vec![output]].concat();
        assert_eq!(format.differences(&outputs), [difference]);
    }
    assert_eq!(format.differences(&good[1..]), ["b[].c: is in no output", "d: is in every output"]);
    assert_eq!(
        format.differences(&[json!({"a": 1, "b": [{"c": time}]})]),
        ["d: is in no output", "b[].c: is null in no output", "d: has no value in any output"]
    );
}
