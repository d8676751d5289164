//! Images on demand: many tasks that miss many images, many users who start one new image, and a
//! single first user. Each is compared with the runtime's own pulls, or checked.

mod filler;
mod launches;
mod node;
mod nodes;
mod page;
mod registry;
mod scale;

pub(crate) use node::run as node;
pub(crate) use nodes::run as nodes;

use crate::experiment::Taken;
use crate::{machine, site, testbed};
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use launches::Compared;
use scale::Scale;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::path::{Path, PathBuf};

/// A part of the benchmark, which can be measured on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// 10,000 tasks on 50 simulated nodes miss 200 images.
    Scale,
    /// 100 users start one new image at once.
    Users,
    /// One user starts a new image.
    First,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Scale => "scale",
            Self::Users => "users",
            Self::First => "first",
        }
    }
}

/// What to measure, and with which files.
pub(crate) struct Run {
    /// The directory of the built plugin, shim, interposer and command.
    pub(crate) build: PathBuf,
    /// The directory of the programs of benches/host.
    pub(crate) host: PathBuf,
    /// The OCI layout of `big`, from benches/fill/images.
    pub(crate) big: PathBuf,
    /// Each part writes its results into this directory.
    pub(crate) results: PathBuf,
    /// The parts to measure. The page also has earlier results of the others.
    pub(crate) parts: Vec<Part>,
    /// How often each variant of the other parts runs, instead of the default.
    pub(crate) rounds: Option<usize>,
    /// Small numbers, to test the benchmark. No page is written.
    pub(crate) quick: bool,
}

impl Run {
    /// Measures on the cluster that `SIFCACHE_TESTBED_NAME` names, and writes the page.
    ///
    /// # Errors
    /// A command fails, an image is filled twice, or a request is lost.
    pub(crate) fn run(&self, into: &Path) -> Result<()> {
        site::install(&self.build, &self.host)?;
        site::users(launches::USERS)?;
        registry::start()?;
        fs::create_dir_all(&self.results)?;
        for part in &self.parts {
            match part {
                Part::Scale => self.write(*part, &scale::measure(self.quick)?)?,
                Part::Users => self.write(*part, &self.users()?)?,
                Part::First => self.write(*part, &self.first()?)?,
            }
        }
        let scale: Scale = self.read(Part::Scale)?;
        if !self.quick {
            let users: Vec<Compared> = self.read(Part::Users)?;
            let first: Vec<Compared> = self.read(Part::First)?;
            let page = page::page(&scale, &users, &first, &machine::describe()?)?;
            fs::write(into, page).with_context(|| into.display().to_string())?;
        }
        let wrong = scale.wrong();
        ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        Ok(())
    }

    fn users(&self) -> Result<Vec<Compared>> {
        let (users, rounds) = if self.quick { (4, 1) } else { (launches::USERS, 2) };
        launches::users(&self.big, users, self.rounds.unwrap_or(rounds))
    }

    fn first(&self) -> Result<Vec<Compared>> {
        launches::first(&self.big, self.rounds.unwrap_or(if self.quick { 1 } else { 7 }))
    }

    fn file(&self, part: Part) -> PathBuf {
        self.results.join(format!("{}.json", part.name()))
    }

    fn write(&self, part: Part, results: &impl Serialize) -> Result<()> {
        let path = self.file(part);
        fs::write(&path, serde_json::to_vec_pretty(results)?)
            .with_context(|| path.display().to_string())
    }

    fn read<T: DeserializeOwned>(&self, part: Part) -> Result<T> {
        let path = self.file(part);
        let text = fs::read(&path).with_context(|| {
            format!("{}: run `make bench-demand PARTS={}`", path.display(), part.name())
        })?;
        Ok(serde_json::from_slice(&text)?)
    }
}

/// The measurements of a variant, by its name.
fn taken<'a>(all: &'a [Taken], name: &str) -> Result<&'a Taken> {
    all.iter().find(|taken| taken.name == name).with_context(|| format!("no variant '{name}'"))
}

/// The path outside the cluster of a file that all hosts share.
fn shared(path: &str) -> Result<PathBuf> {
    testbed::at("ctl", path)
}
