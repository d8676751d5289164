//! The images of a large image root: their names, sources and digests.

use crate::random::Random;

/// The largest number of tags of a repository.
const MOST_TAGS: u64 = 5;

/// Where images come from: the share in percent, the registry (empty for Docker Hub), and the
/// organizations. One with an empty list has as many as it needs.
const REGISTRIES: [(u64, &str, &[&str]); 5] = [
    (50, "", &[]),
    (25, "quay.io", &["biocontainers"]),
    (10, "ghcr.io", &[]),
    (10, "nvcr.io", &["nvidia", "hpc", "nvidia/clara", "nvidia/pytorch"]),
    (5, "registry.example.org:5000", &["lab1", "lab2", "lab3", "lab4", "lab5", "lab6"]),
];

const WORDS: [&str; 24] = [
    "pytorch",
    "samtools",
    "bcftools",
    "openfoam",
    "gromacs",
    "lammps",
    "tensorflow",
    "julia",
    "rstudio",
    "jupyter",
    "fastqc",
    "multiqc",
    "star",
    "salmon",
    "kallisto",
    "namd",
    "paraview",
    "relion",
    "cellranger",
    "seurat",
    "mpi",
    "cuda",
    "base",
    "tools",
];

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The reference in normal form.
    pub reference: String,
    /// The name of its file, relative to the image root.
    pub name: String,
    /// The URI that it was pulled from, or the path of the file that it was imported from.
    pub source: String,
    /// The digests that the reference pointed to: the index, if there was one, then the manifest.
    /// Empty if a file was imported.
    pub digests: Vec<String>,
    /// The names of the digests, which are hard links to the file.
    pub pinned: Vec<String>,
}

/// The first `count` images. Each repository has one to five tags.
pub fn all(count: usize) -> impl Iterator<Item = Image> {
    (0..).flat_map(repository).take(count)
}

fn repository(index: u64) -> Vec<Image> {
    let mut random = Random::of(1, index);
    let (registry, organizations) = registry(random.below(100));
    let organization = match organizations {
        [] => format!("{}{}", random.one_of(&WORDS), random.below(1500)),
        some => random.one_of(some).to_owned(),
    };
    let path = format!("{organization}/{}-{index}", random.one_of(&WORDS));
    let tags = 1 + random.below(MOST_TAGS);
    (0..tags).map(|number| image(registry, &path, &tag(&mut random, number), &mut random)).collect()
}

fn registry(mut percent: u64) -> (&'static str, &'static [&'static str]) {
    for (share, registry, organizations) in REGISTRIES {
        if percent < share {
            return (registry, organizations);
        }
        percent -= share;
    }
    ("", &[])
}

fn tag(random: &mut Random, number: u64) -> String {
    match (number, random.below(4)) {
        (0, 0) => "latest".to_owned(),
        (_, 1) => format!("{}.{}.{number}--pyhdfd78af_0", random.below(4), random.below(30)),
        (_, 2) => format!("cuda-12.{}-py3.{}-{number}", random.below(9), 8 + random.below(6)),
        _ => format!("v{}.{}.{number}", random.below(9), random.below(40)),
    }
}

/// Six of ten images were pulled through an index and have two digests, three have one, and one was
/// imported from a file.
fn image(registry: &str, path: &str, tag: &str, random: &mut Random) -> Image {
    let full = if registry.is_empty() { "docker.io" } else { registry };
    let short = if registry.is_empty() { path.to_owned() } else { format!("{registry}/{path}") };
    let count = match random.below(10) {
        0..6 => 2,
        6..9 => 1,
        _ => 0,
    };
    let digests: Vec<String> = (0..count).map(|_| format!("sha256:{}", random.hex())).collect();
    let name = format!("{short}:{tag}");
    let source = match count {
        0 => format!("/home/admin/{}_{tag}.sif", path.replace('/', "_")),
        _ => format!("docker://{name}"),
    };
    let pinned = digests.iter().map(|digest| format!("{short}@{digest}")).collect();
    Image { reference: format!("{full}/{path}:{tag}"), name, source, digests, pinned }
}
