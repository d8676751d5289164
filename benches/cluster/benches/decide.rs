//! The cost of a decision within a process: references, command lines, lookups.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sif_fixture::Sif;
use sifcache_core::cache_mode::CacheMode;
use sifcache_core::decision::{self, Verdict};
use sifcache_core::launch;
use sifcache_core::lookup::Inline;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

const NAME: &str = "determinedai/environments:cuda-11.3-pytorch-1.10-tf-2.8-gpu-69f397f";

fn references(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reference");
    let digest = format!("quay.io:443/o/i@sha256:{}", "0f".repeat(32));
    let long = format!("{}/i:{}", "a".repeat(200), "t".repeat(128));
    for (name, text) in [("ubuntu", "ubuntu"), ("tag", NAME), ("digest", &digest), ("long", &long)]
    {
        group.bench_function(name, |b| b.iter(|| Reference::parse(black_box(text.as_bytes()))));
    }
}

fn command_lines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("command line");
    let runtimes = Settings::with_roots(Vec::new()).runtimes;
    let docker = format!("docker://{NAME}");
    let many = "--bind /a:/b ".repeat(50);
    for (name, line) in [
        ("no launch", "python3 train.py --epochs 100".to_owned()),
        ("launch", format!("singularity exec --nv --bind /data {docker} python3 train.py")),
        ("launch with 50 binds", format!("apptainer exec {many}{docker} true")),
    ] {
        let words: Vec<&str> = line.split_whitespace().collect();
        group.bench_function(name, |b| b.iter(|| launch::find(black_box(&words), &runtimes)));
    }
}

/// Makes a root with this many images in one directory. Each image is a header and a descriptor
/// table.
fn root(path: &Path, files: usize) -> PathBuf {
    let directory = path.join("determinedai");
    let mut original = PathBuf::new();
    for number in 0..files {
        let file = directory.join(format!("environments:tag-{number}"));
        // On most file systems, a file can have 65,000 hard links.
        if number % 50_000 == 0 {
            Sif::image().write(&file).unwrap();
            original = file;
        } else {
            fs::hard_link(&original, file).unwrap();
        }
    }
    path.to_owned()
}

/// Measures lookups whose image is in the last root.
fn look_ups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision");
    for files in [10, 1000, 100_000] {
        let directory = tempfile::tempdir().unwrap();
        let path = |number: usize| directory.path().join(number.to_string());
        let all: Vec<PathBuf> = (0..10).map(|number| root(&path(number), files)).collect();
        for count in [1, 3, 10] {
            let roots = all.get(10 - count..).unwrap_or_default().to_vec();
            let settings = Settings::with_roots(roots);
            for (kind, image) in [("hit", NAME), ("miss", "determinedai/environments:none")] {
                let wanted = if kind == "hit" { Verdict::Hit } else { Verdict::Miss };
                let last = path(9).join(NAME);
                if kind == "hit" {
                    fs::copy(path(9).join("determinedai/environments:tag-0"), last).unwrap();
                }
                let image = format!("docker://{image}");
                let argv = ["apptainer", "exec", &image, "true"];
                let decide =
                    || decision::decide(&argv, &settings, CacheMode::Auto, &|_| None, &Inline);
                assert_eq!(decide().verdict, wanted);
                let id = match count {
                    1 => format!("1 root of {files} files"),
                    _ => format!("{count} roots of {files} files"),
                };
                group.bench_function(BenchmarkId::new(kind, id), |b| b.iter(decide));
            }
        }
    }
}

criterion_group!(benches, references, command_lines, look_ups);
criterion_main!(benches);
