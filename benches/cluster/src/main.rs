//! Measures the cost of sifcache on the testbed, by comparing variants of the same task.
//!
//! `make bench` runs `all`, which prepares a cluster, measures there, and writes
//! docs/evidence/benchmarks.json. `render` generates the page, the chart and the README's table
//! from that file. A test checks that they match that file.

mod budgets;
mod calls;
mod chart;
mod costs;
mod demand;
mod experiment;
mod experiments;
mod fills;
mod hooks;
mod in_process;
mod inside;
mod machine;
mod measure;
mod page;
mod pulls;
mod results;
mod shuffle;
mod site;
mod statistics;
mod testbed;
mod turns;

use anyhow::Result;
use clap::{Parser, Subcommand};
use experiments::Effort;
use results::Results;
use std::path::PathBuf;

/// Measures what sifcache costs on a cluster of the testbed.
#[derive(Parser)]
#[command(name = "cluster-bench")]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Measure everything on the cluster that SIFCACHE_TESTBED_NAME names.
    All {
        /// The directory with the built plugin, shim, interposer and command.
        #[arg(long)]
        build: PathBuf,
        /// The directory with the programs of benches/host/build.
        #[arg(long)]
        host: PathBuf,
        /// The file for the results.
        #[arg(long)]
        into: PathBuf,
        /// Only two rounds of each measurement, to test the benchmarks.
        #[arg(long)]
        quick: bool,
        /// A further plugin for the host program: a file on the nodes, and its arguments.
        #[arg(long = "plugin", value_name = "LINE")]
        plugins: Vec<String>,
    },
    /// Measure pulls of an image in the cache, on this machine and on the cluster, and write a
    /// page.
    Pulls {
        /// The directory with the built plugin, shim, interposer and command.
        #[arg(long)]
        build: PathBuf,
        /// The directory with the programs of benches/host/build.
        #[arg(long)]
        host: PathBuf,
        /// The page.
        #[arg(long)]
        into: PathBuf,
        /// Measure on this machine only, without the runtime.
        #[arg(long)]
        local: bool,
        /// How often each command runs.
        #[arg(long, default_value_t = 7)]
        rounds: usize,
    },
    /// Measure conversions of images on the cluster, and write a page.
    Fills {
        /// The built command.
        #[arg(long)]
        command: PathBuf,
        /// The directory with the OCI layouts of benches/fill/images.
        #[arg(long)]
        images: PathBuf,
        /// Also measure enroot: its source directory, built with its default prefix.
        #[arg(long)]
        enroot: Option<PathBuf>,
        /// The page.
        #[arg(long)]
        into: PathBuf,
        /// How often each command runs.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Print what each part costs, next to a floor: microseconds, page faults, instructions, system
    /// calls.
    Profile {
        #[command(flatten)]
        files: costs::Files,
        /// How often each part runs.
        #[arg(long, default_value_t = 300)]
        runs: usize,
    },
    /// Measure what launches cost above a floor, on the cluster, and write a page.
    Costs {
        #[command(flatten)]
        launches: costs::Launches,
        #[command(flatten)]
        page: CostsPage,
    },
    /// Measure the command with a large cache and a large log, on this machine, and write the same
    /// page.
    Large {
        #[command(flatten)]
        large: costs::Large,
        #[command(flatten)]
        page: CostsPage,
    },
    /// Measure images on demand on the cluster, and write a page.
    Demand {
        /// The directory with the built plugin, shim, interposer and command.
        #[arg(long)]
        build: PathBuf,
        /// The directory with the programs of benches/host/build.
        #[arg(long)]
        host: PathBuf,
        /// The OCI layout of the image `big`.
        #[arg(long)]
        big: PathBuf,
        /// A directory for the results of the parts.
        #[arg(long)]
        results: PathBuf,
        /// The page.
        #[arg(long)]
        into: PathBuf,
        /// The parts to measure; the page has earlier results of the others.
        #[arg(long, value_enum, value_delimiter = ',', default_value = "scale,users,first")]
        parts: Vec<demand::Part>,
        /// How often each variant of `users` and `first` runs [default: 2 and 7]
        #[arg(long)]
        rounds: Option<usize>,
        /// Small numbers, to test the benchmark. No page is written.
        #[arg(long)]
        quick: bool,
    },
    /// Generate the page, the chart and the README's table from results.
    Render {
        /// The file with the results.
        from: PathBuf,
        /// The project's directory, or another one with a README.md and docs/ in it.
        into: PathBuf,
    },
    /// Run on a host of the cluster: an experiment from standard input.
    #[command(hide = true)]
    Inside,
    /// Run on a host of the cluster: an experiment from standard input, one variant at a time.
    #[command(hide = true)]
    Turns,
    /// Run a command and print what it used.
    #[command(hide = true)]
    Command {
        /// The command.
        words: Vec<String>,
    },
    /// Run on a host of the cluster: simulated nodes, from standard input.
    #[command(hide = true)]
    Nodes,
    /// Run in the namespaces of a simulated node: its tasks, from standard input.
    #[command(hide = true)]
    Node,
}

#[derive(clap::Args)]
struct CostsPage {
    /// The directory of the results.
    #[arg(long)]
    results: PathBuf,
    /// The page.
    #[arg(long)]
    into: PathBuf,
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Action::Inside => inside::run(),
        Action::Turns => turns::run(),
        Action::Command { words } => costs::command(&words),
        Action::Costs { launches, page } => launches.run(&page.results, &page.into),
        Action::Large { large, page } => large.run(&page.results, &page.into),
        Action::Nodes => demand::nodes(),
        Action::Node => demand::node(),
        Action::Demand { build, host, big, results, into, parts, rounds, quick } => {
            demand::Run { build, host, big, results, parts, rounds, quick }.run(&into)
        }
        Action::Profile { files, runs } => costs::profile(&files, runs),
        Action::Render { from, into } => page::write(&Results::read(&from)?, &into),
        Action::Fills { command, images, enroot, into, rounds } => {
            fills::run(&command, &images, enroot.as_deref(), &into, rounds)
        }
        Action::Pulls { build, host, into, local, rounds } => {
            let runtime = if local { None } else { Some(host.as_path()) };
            pulls::run(&build, runtime, &into, rounds)
        }
        Action::All { build, host, into, quick, plugins } => {
            let run = measure::Run { build, host, effort: Effort { quick }, plugins };
            run.measure()?.write(&into)
        }
    }
}
