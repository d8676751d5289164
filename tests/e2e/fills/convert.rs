//! Converts images with the runtime and without it, and compares the results.

use crate::kit::registry::{Server, layouts};
use crate::kit::singularity::singularity;
use crate::kit::{Site, testbed};
use image_fixture::image::Blobs;
use image_fixture::listing::{self, Listing};
use image_fixture::{difference, sif};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// The port of the registry on the hub, and the directory that it serves.
const PORT: u16 = 5444;
const LAYOUTS: &str = "/srv/layouts";

/// The users who convert images: root with all rights, and an ordinary user with her own cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    Root,
    Alice,
}

/// A cache for each engine and user, and the registry of the images.
pub(super) struct Fills<'a> {
    site: &'a Site,
    registry: Server,
}

/// The path of the new image inside the cluster, or the message of the failure.
pub(super) type Converted = Result<String, String>;

/// The results of both engines for one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Both made the same.
    Same,
    /// Neither made an image.
    Refused,
    /// Only the runtime made an image, which `--engine auto` therefore leaves to it.
    LeftToTheRuntime(String),
    /// Anything else.
    Different(Vec<String>),
}

impl<'a> Fills<'a> {
    pub(super) fn new(site: &'a Site) -> Self {
        let _ = fs::remove_dir_all(site.at("hub", LAYOUTS));
        fs::create_dir_all(site.at("hub", LAYOUTS)).unwrap();
        let fills = Self { site, registry: layouts(PORT, LAYOUTS) };
        fills.empty();
        fills
    }

    /// Removes all images that were converted so far.
    pub(super) fn empty(&self) {
        let script = "rm -rf /local/fills /home/alice/fills
            install -d -m 755 /local/fills/{native,runtime}
            install -d -m 755 -o alice -g alice /home/alice/fills{,/native,/runtime}";
        let output = self.site.exec(&[], &["bash", "-ec", script], "");
        assert_eq!(output.status, 0, "{output:#?}");
    }

    /// Serves an image under this name.
    pub(super) fn serve(&self, name: &str, blobs: &Blobs, named: &Value) {
        blobs.write(named, &self.layout(name)).unwrap();
    }

    /// The directory of an image that is served.
    pub(super) fn layout(&self, name: &str) -> PathBuf {
        self.site.at("hub", LAYOUTS).join("fill").join(name)
    }

    /// Stops serving an image.
    pub(super) fn withdraw(&self, name: &str) {
        fs::remove_dir_all(self.layout(name)).unwrap();
    }

    /// Converts images with one engine.
    pub(super) fn convert(
        &self,
        user: User,
        engine: &str,
        names: &[String],
    ) -> BTreeMap<String, Converted> {
        let output = self.add(user, engine, names);
        let mut all = BTreeMap::new();
        for line in output.stdout.lines() {
            let object: Value =
                serde_json::from_str(line).unwrap_or_else(|_| panic!("{output:#?}"));
            let reference = object["reference"].as_str().unwrap();
            let name = reference.rsplit('/').next().unwrap().trim_end_matches(":1");
            let path = object["path"].as_str().map(str::to_owned);
            let error = object["error"].as_str().map(str::to_owned);
            all.insert(
                name.to_owned(),
                match error {
                    Some(error) => Err(error),
                    None => Ok(path.unwrap()),
                },
            );
        }
        assert_eq!(all.len(), names.len(), "{output:#?}");
        all
    }

    fn add(&self, user: User, engine: &str, names: &[String]) -> crate::kit::Output {
        let (flags, home): (&[&str], _) = match user {
            User::Root => (&[], "/local"),
            User::Alice => (&["--user", "alice"], "/home/alice"),
        };
        let into = format!("{home}/fills/{engine}");
        let words = ["sifcache", "add", "--json", "--engine", engine, "--root", &into];
        // The home directory of alice is not trusted for jobs, which start nothing from there here.
        let more = ["--into", &into, "--untrusted", "accept", "--jobs", "2", "--from", "-"];
        let runtime = singularity().map(|program| ["--runtime", program]);
        let runtime = runtime.as_ref().map_or(&[] as &[&str], |words| words);
        let list: Vec<String> = names.iter().map(|name| reference(name)).collect();
        self.site.exec(flags, &[&words[..], &more[..], runtime].concat(), &list.join("\n"))
    }

    /// Converts images with both engines and compares the results.
    pub(super) fn compare(&self, user: User, names: &[String]) -> BTreeMap<String, Verdict> {
        let runtime = self.convert(user, "runtime", names);
        let native = self.convert(user, "native", names);
        // Otherwise both engines could have failed for this reason only.
        assert!(self.registry.is_up(), "the registry has ended");
        let made = runtime.values().chain(native.values()).flatten();
        self.list(made);
        let both = runtime.into_iter().zip(native.into_values());
        both.map(|((name, runtime), native)| (name, self.verdict(&runtime, &native))).collect()
    }

    /// Lists the file systems of images into files beside them.
    pub(super) fn list<'b>(&self, images: impl Iterator<Item = &'b String>) {
        let mut lines = String::new();
        for image in images {
            let offset = sif::file_system(&self.read(image)).expect("a partition");
            lines.push_str(&format!("{offset} {image}\n"));
        }
        let script = "while read -r offset image; do
            unsquashfs -o $offset -pf - $image >$image.list || exit; done";
        let output = testbed("exec", &[], &["bash", "-c", script], &lines);
        assert_eq!(output.status, 0, "{output:#?}");
    }

    fn verdict(&self, runtime: &Converted, native: &Converted) -> Verdict {
        match (runtime, native) {
            (Err(_), Err(_)) => Verdict::Refused,
            (Ok(_), Err(reason)) => Verdict::LeftToTheRuntime(reason.clone()),
            (Err(error), Ok(_)) => {
                Verdict::Different(vec![format!("the runtime refuses the image: {error}")])
            }
            (Ok(runtime), Ok(native)) => {
                let mut lines = self.differences(runtime, native);
                lines.extend(sif::differences(&self.read(runtime), &self.read(native), &clean));
                if lines.is_empty() { Verdict::Same } else { Verdict::Different(lines) }
            }
        }
    }

    fn differences(&self, runtime: &str, native: &str) -> Vec<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let [runtime, native] = [runtime, native].map(|image| self.listing(image));
        difference::differences(&runtime, &native, i64::try_from(now).unwrap())
    }

    /// The file system of an image, without what differs between two builds.
    pub(super) fn listing(&self, image: &str) -> Listing {
        let text = self.read(&format!("{image}.list"));
        let mut listing = listing::parse(&text).unwrap_or_else(|| panic!("{image}"));
        if let Some(labels) = listing.get_mut(b".singularity.d/labels.json".as_slice()) {
            labels.content = clean(&labels.content);
        }
        listing
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.site.at("ctl", path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// The reference of an image that is served.
pub(super) fn reference(name: &str) -> String {
    format!("registry.example.org:{PORT}/fill/{name}:1")
}

/// The text without the date of the build.
fn clean(text: &[u8]) -> Vec<u8> {
    const DATE: &str = "build-date\":";
    let Ok(text) = std::str::from_utf8(text) else { return text.to_vec() };
    let mut parts = text.split(DATE);
    let mut cleaned = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // The value is a string without escaped quotes.
        let after = part.splitn(3, '"').nth(2).unwrap_or(part);
        cleaned.push_str(DATE);
        cleaned.push_str(after);
    }
    cleaned.into_bytes()
}
