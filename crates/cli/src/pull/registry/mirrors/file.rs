//! Parses one file in the format of `registries.conf`.

use super::{Mirror, Rule, Used};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::path::Path;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    registry: Vec<Registry>,
    unqualified_search_registries: Option<Vec<String>>,
    short_name_mode: Option<String>,
    aliases: Option<IgnoredAny>,
    /// The table of format version 1.
    registries: Option<First>,
}

#[derive(Deserialize)]
struct First {
    search: Option<IgnoredAny>,
    #[serde(default)]
    insecure: Names,
    #[serde(default)]
    block: Names,
}

#[derive(Deserialize, Default)]
struct Names {
    #[serde(default)]
    registries: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Registry {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    pull_from_mirror: String,
    #[serde(default)]
    mirror: Vec<Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Endpoint {
    #[serde(default)]
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    pull_from_mirror: String,
}

/// The rules of a file. `main` is true for `registries.conf` itself and false for a drop-in file,
/// which may not use format version 1.
///
/// # Errors
/// The file is invalid; the message names it.
pub(super) fn parse(text: &str, path: &Path, main: bool) -> Result<Vec<Rule>, String> {
    rules(text, path, main).map_err(|why| {
        // The parser's message spans several lines.
        let why = why.trim().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        format!("{} is invalid, so the runtime cannot pull images: {why}", path.display())
    })
}

fn rules(text: &str, path: &Path, main: bool) -> Result<Vec<Rule>, String> {
    let file: File = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("line {}: {}", before.matches('\n').count() + 1, error.message())
    })?;
    if let Some(mode) = &file.short_name_mode
        && !["", "disabled", "enforcing", "permissive"].contains(&mode.as_str())
    {
        return Err(format!(
            "short-name-mode={mode} is not one of disabled, enforcing, permissive"
        ));
    }
    let second = !file.registry.is_empty()
        || file.unqualified_search_registries.is_some()
        || file.short_name_mode.is_some()
        || file.aliases.is_some();
    let mut rules: Vec<Rule> = match file.registries.filter(First::says_something) {
        Some(_) if !main => {
            return Err("[registries] is only allowed in registries.conf itself".to_owned());
        }
        Some(_) if second => {
            return Err("[registries] cannot be used together with the newer keys".to_owned());
        }
        Some(first) => first.rules(path)?,
        None => file.registry.into_iter().map(|one| one.rule(path)).collect::<Result<_, _>>()?,
    };
    consistent(&rules)?;
    // The first rule for a prefix takes precedence.
    let mut seen: Vec<String> = Vec::new();
    rules.retain(|rule| {
        let new = !seen.contains(&rule.prefix);
        seen.push(rule.prefix.clone());
        new
    });
    Ok(rules)
}

fn consistent(rules: &[Rule]) -> Result<(), String> {
    let place = |rule: &Rule| match rule.location.as_str() {
        "" => rule.prefix.clone(),
        location => location.to_owned(),
    };
    for rule in rules {
        let same = rules.iter().filter(|other| place(other) == place(rule));
        for other in same {
            for (key, differs) in [
                ("insecure", rule.insecure != other.insecure),
                ("blocked", rule.blocked != other.blocked),
            ] {
                if differs {
                    return Err(format!("{} is both {key} and not", place(rule)));
                }
            }
        }
    }
    Ok(())
}

impl First {
    fn says_something(&self) -> bool {
        self.search.is_some()
            || !self.insecure.registries.is_empty()
            || !self.block.registries.is_empty()
    }

    fn rules(self, path: &Path) -> Result<Vec<Rule>, String> {
        let mut rules: Vec<Rule> = Vec::new();
        let names = |names: &Names| names.registries.clone();
        let blocked = names(&self.block).into_iter().map(|name| (name, true));
        let insecure = names(&self.insecure).into_iter().map(|name| (name, false));
        for (name, is_blocked) in blocked.chain(insecure) {
            let location = location(&name)?.to_owned();
            let known = rules.iter_mut().find(|rule| rule.location == location);
            if let Some(rule) = known {
                rule.blocked |= is_blocked;
                rule.insecure |= !is_blocked;
                continue;
            }
            rules.push(Rule {
                prefix: location.clone(),
                location,
                insecure: !is_blocked,
                blocked: is_blocked,
                mirrors: Vec::new(),
                file: path.to_owned(),
            });
        }
        Ok(rules)
    }
}

impl Registry {
    fn rule(self, path: &Path) -> Result<Rule, String> {
        let place = location(&self.location)?.to_owned();
        let prefix = match location(&self.prefix)? {
            "" if place.is_empty() => {
                return Err("a [[registry]] has neither location nor prefix".to_owned());
            }
            "" => place.clone(),
            prefix if prefix.starts_with("*.") && prefix.contains(['/', '@', ':']) => {
                return Err(format!(
                    "prefix={prefix} begins with *, so it must have the form *.DOMAIN"
                ));
            }
            prefix if !prefix.starts_with("*.") && place.is_empty() => {
                return Err(format!("prefix={prefix} needs a location"));
            }
            prefix => prefix.to_owned(),
        };
        if !self.pull_from_mirror.is_empty() {
            return Err(format!(
                "pull-from-mirror of {prefix} belongs to its mirrors: set it there"
            ));
        }
        let mirror = |one: Endpoint| one.mirror(&prefix, self.mirror_by_digest_only);
        let mirrors = self.mirror.into_iter().map(mirror).collect::<Result<_, _>>()?;
        Ok(Rule {
            prefix,
            location: place,
            insecure: self.insecure,
            blocked: self.blocked,
            mirrors,
            file: path.to_owned(),
        })
    }
}

impl Endpoint {
    fn mirror(self, prefix: &str, digests_only: bool) -> Result<Mirror, String> {
        let place = location(&self.location)?.to_owned();
        if place.is_empty() {
            return Err(format!("a mirror of {prefix} has no location"));
        }
        let used = match (digests_only, self.pull_from_mirror.as_str()) {
            (true, "") | (false, "digest-only") => Used::ForDigests,
            (true, _) => {
                return Err(format!(
                    "{prefix} sets mirror-by-digest-only, so its mirror {place} must not set \
                     pull-from-mirror"
                ));
            }
            (false, "tag-only") => Used::ForTags,
            (false, "" | "all") => Used::Always,
            (false, other) => {
                return Err(format!(
                    "pull-from-mirror={other} is not one of all, digest-only, tag-only"
                ));
            }
        };
        Ok(Mirror { location: place, insecure: self.insecure, used })
    }
}

fn location(text: &str) -> Result<&str, String> {
    match text.trim_end_matches('/') {
        url if url.starts_with("http://") || url.starts_with("https://") => {
            Err(format!("location={url} may not begin with http:// or https://"))
        }
        place => Ok(place),
    }
}
