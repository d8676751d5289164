//! The cost of a lookup in image roots that other tools fill, compared with sifcache's own layout,
//! in trees of 200,000 files.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sif_fixture::{Object, Sif};
use sifcache_core::cache_mode::CacheMode;
use sifcache_core::decision::{self, Verdict};
use sifcache_core::lookup::Inline;
use sifcache_core::settings::Settings;
use std::fs;
use std::path::{Path, PathBuf};

const FILES: usize = 200_000;

/// An image that records that it was pulled from `reference`.
fn image(reference: &str) -> Sif {
    let definition = format!("bootstrap: docker\nfrom: {reference}\n");
    Sif::image().with(Object::definition(definition))
}

/// Makes the tree of a layout: `name` gives the name of each file, and of the image of the hit.
fn tree(path: &Path, hit: &str, reference: &str, name: &dyn Fn(usize) -> String) {
    let mut original = PathBuf::new();
    for number in 0..FILES {
        let file = path.join(name(number));
        // On most file systems, a file can have 65,000 hard links.
        if number % 50_000 == 0 {
            Sif::image().write(&file).unwrap();
            original = file;
        } else {
            fs::hard_link(&original, file).unwrap();
        }
    }
    image(reference).write(path.join(hit)).unwrap();
}

fn layouts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("layout");
    let directory = tempfile::tempdir().unwrap();
    let digest = format!("sha256:{}", "0f".repeat(32));
    let by_digest = format!("quay.io/biocontainers/tool@{digest}");
    let tag = "quay.io/biocontainers/tool:hit";
    let shpc =
        format!("quay.io/biocontainers/tool/hit/quay.io-biocontainers-tool-hit-{digest}.sif");
    let own = |n: usize| format!("quay.io/biocontainers/tool:{n}--h50ea8bc_0");
    let galaxy = |n: usize| format!("tool:{n}--h50ea8bc_0");
    let nextflow = |n: usize| format!("quay.io-biocontainers-tool-{n}--h50ea8bc_0.img");
    let pulls = |n: usize| format!("tool_{n}--h50ea8bc_0.sif");
    // One directory for each tag would need 800 MB.
    let flat = |n: usize| format!("quay.io/biocontainers/tool/{n}--h50ea8bc_0");
    for (word, hit, reference, name) in [
        ("", tag, tag, &own as &dyn Fn(usize) -> String),
        ("galaxy=", "tool:hit", tag, &galaxy),
        ("nextflow=", "quay.io-biocontainers-tool-hit.img", tag, &nextflow),
        ("pulls=", "tool_hit.sif", tag, &pulls),
        ("shpc=", &shpc, &by_digest, &flat),
    ] {
        let path = directory.path().join(format!("tree-{word}").replace('=', ""));
        tree(&path, hit, reference, name);
        let settings = Settings::parse(&[format!("image_root={word}{}", path.display())]).unwrap();
        let other = "quay.io/biocontainers/tool:none";
        for (kind, wanted, image) in [("hit", Verdict::Hit, tag), ("miss", Verdict::Miss, other)] {
            let image = format!("docker://{image}");
            let argv = ["apptainer", "exec", &image, "true"];
            let decide = || decision::decide(&argv, &settings, CacheMode::Auto, &|_| None, &Inline);
            assert_eq!(decide().verdict, wanted, "{word}");
            let word = if word.is_empty() { "own" } else { word };
            group.bench_function(BenchmarkId::new(kind, word), |b| b.iter(decide));
        }
    }
}

criterion_group!(benches, layouts);
criterion_main!(benches);
