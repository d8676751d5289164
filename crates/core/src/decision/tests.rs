use super::{Action, Decision, Kind, Pass, Verdict, decide, on_miss, wait};
use crate::cache_mode::CacheMode;
use crate::image::tests::{TestRoot, sif};
use crate::launch::NotLaunch;
use crate::lookup::Inline;
use crate::settings::{DEFAULT_WAIT, OnMiss, Pull, Settings};
use std::time::Duration;

fn decide_with(
    root: &TestRoot,
    line: &str,
    mode: CacheMode,
    oci: Option<(&str, &str)>,
) -> Decision {
    let argv: Vec<&str> = line.split(' ').collect();
    let settings = Settings::with_roots(vec![root.path().to_owned()]);
    let environment = |name: &str| {
        oci.filter(|(key, _)| *key == name).map(|(_, value)| value.as_bytes().to_vec())
    };
    decide(&argv, &settings, mode, &environment, &Inline)
}

fn auto(root: &TestRoot, line: &str) -> Decision {
    decide_with(root, line, CacheMode::Auto, None)
}

#[test]
fn hit_miss_and_pass() {
    let Some(root) = TestRoot::new() else { return };
    let path = root.file("o/i:1", &sif());
    let hit = auto(&root, "apptainer exec -e docker://o/i:1 true docker://o/i:1");
    assert_eq!((hit.token(), hit.reason()), ("hit", "image-found"));
    assert_eq!(hit.hit(), Some(path.as_path()));
    assert_eq!(hit.launch.unwrap().image_index, 3);
    assert_eq!(hit.image.as_deref(), Some(b"docker://o/i:1".as_slice()));

    let miss = auto(&root, "apptainer run docker://o/i:2");
    assert_eq!((miss.token(), miss.reason()), ("miss", "no-image"));
    assert_eq!(miss.candidates.len(), 4);
    assert_eq!(miss.reference().unwrap().to_string(), "docker.io/o/i:2");

    let other = auto(&root, "echo docker://o/i:1");
    assert_eq!((other.token(), other.reason()), ("pass", "not-a-runtime"));
    assert!(other.launch.is_none() && other.image.is_none() && other.candidates.is_empty());
}

/// A pull is looked up as a launch is, but its command is not changed.
#[test]
fn pulls() {
    let Some(root) = TestRoot::new() else { return };
    let path = root.file("o/i:1", &sif());
    let hit = auto(&root, "apptainer -q pull --force --name x docker://o/i:1");
    assert_eq!((hit.token(), hit.image_index()), ("hit", Some(6)));
    assert_eq!(hit.action(), Some(Action::AnswerPull { path: &path }));
    assert!(hit.launch.is_none() && hit.pull.is_some_and(|pull| pull.force));

    let miss = auto(&root, "singularity pull docker://o/i:2");
    assert_eq!((miss.token(), miss.action()), ("miss", None));
    let other = auto(&root, "singularity pull shub://o/i:1");
    assert_eq!((other.token(), other.reason()), ("pass", "not-docker"));
    let altered = auto(&root, "apptainer pull --arch arm64 docker://o/i:1");
    assert_eq!((altered.reason(), altered.image), ("altering-option", None));
    let off = decide_with(&root, "apptainer pull docker://o/i:1", CacheMode::Off, None);
    assert_eq!(off.verdict, Verdict::Pass(Pass::Off));
    let oci = ("APPTAINER_OCI", "1");
    let oci = decide_with(&root, "apptainer pull docker://o/i:1", CacheMode::Auto, Some(oci));
    assert_eq!(oci.token(), "pass");

    let mut settings = Settings::with_roots(vec![root.path().to_owned()]);
    settings.pull = Pull::Off;
    let argv = ["apptainer", "pull", "docker://o/i:1"];
    let decision = decide(&argv, &settings, CacheMode::Auto, &|_| None, &Inline);
    assert_eq!((decision.reason(), decision.pull), ("pull-off", None));
}

/// Pulls that the shim does not answer, even if the image is in the cache.
#[test]
fn pulls_that_only_the_runtime_handles() {
    let Some(root) = TestRoot::new() else { return };
    root.file("o/i:1", &sif());
    root.file("existing", b"");
    let path = |name: &str| root.path().join(name).display().to_string();
    let (existing, new) = (path("existing"), path("new"));
    let digest = format!("o/i:1@sha256:{}", "0f".repeat(32));
    for (line, reason) in [
        ("apptainer -v pull docker://o/i:1", "pull-with-details"),
        ("apptainer -d pull docker://o/i:1", "pull-with-details"),
        (&format!("apptainer pull docker://{digest}"), "pull-file-name"),
        ("apptainer pull x/ docker://o/i:1", "pull-file-name"),
        (&format!("apptainer pull {existing} docker://o/i:1"), "pull-file-exists"),
        (&format!("apptainer pull {existing} docker://o/i:2"), "pull-file-exists"),
        (&format!("apptainer pull --force {existing} docker://o/i:1"), "image-found"),
        (&format!("apptainer pull {new} docker://o/i:1"), "image-found"),
        ("apptainer pull --disable-cache docker://o/i:1", "altering-option"),
        ("apptainer pull --unknown docker://o/i:1", "unknown-flag"),
        ("apptainer pull x y docker://o/i:1", "wrong-number-of-arguments"),
        ("apptainer push docker://o/i:1", "no-launch"),
    ] {
        assert_eq!(auto(&root, line).reason(), reason, "{line}");
    }
    let line = format!("apptainer pull {new} docker://o/i:1");
    for (variable, reason) in
        [("SINGULARITY_CONFIGDIR", "pull-variables"), ("SINGULARITY_CACHEDIR", "image-found")]
    {
        let decision = decide_with(&root, &line, CacheMode::Auto, Some((variable, "/x")));
        assert_eq!(decision.reason(), reason, "{variable}");
    }
}

/// The path of the image replaces the source.
#[test]
fn builds() {
    let Some(root) = TestRoot::new() else { return };
    let path = root.file("o/i:1", &sif());
    for (line, index) in [
        ("apptainer build x docker://o/i:1", 3),
        ("singularity -q build --sandbox --force x:1 docker://o/i:1", 6),
    ] {
        let hit = auto(&root, line);
        assert_eq!((hit.token(), hit.kind(), hit.image_index()), ("hit", Kind::Build, Some(index)));
        assert_eq!(hit.action(), Some(Action::ReplaceArgument { index, path: &path }), "{line}");
    }
    let miss = auto(&root, "singularity build x docker://o/i:2");
    assert_eq!((miss.token(), miss.action(), miss.candidates.len()), ("miss", None, 4));
    for (line, reason) in [
        ("apptainer build x o/i.def", "not-docker"),
        ("apptainer build x shub://o/i:1", "not-docker"),
        ("apptainer build x docker://", "bad-reference"),
        ("apptainer build --fakeroot x docker://o/i:1", "altering-option"),
        ("apptainer build --sandbox /a:b/x docker://o/i:1", "unsuitable-directory"),
        ("apptainer build docker://o/i:1", "wrong-number-of-arguments"),
        ("apptainer build --unknown x docker://o/i:1", "unknown-flag"),
        ("apptainer inspect --all /tmp/build-temp-1/rootfs", "no-launch"),
        ("apptainer push x docker://o/i:1", "no-launch"),
    ] {
        let pass = auto(&root, line);
        assert_eq!((pass.token(), pass.reason(), pass.action()), ("pass", reason, None), "{line}");
        assert!(pass.candidates.is_empty(), "{line}");
    }
    let off = decide_with(&root, "apptainer build x docker://o/i:1", CacheMode::Off, None);
    assert_eq!(off.verdict, Verdict::Pass(Pass::Off));
    let update = ("SINGULARITY_UPDATE", "1");
    let altered =
        decide_with(&root, "apptainer build x docker://o/i:1", CacheMode::Auto, Some(update));
    assert_eq!(altered.reason(), "altering-variable");

    let mut settings = Settings::with_roots(vec![root.path().to_owned()]);
    settings.pull = Pull::Off;
    let argv = ["apptainer", "build", "x", "docker://o/i:1"];
    let decision = decide(&argv, &settings, CacheMode::Auto, &|_| None, &Inline);
    assert_eq!((decision.reason(), decision.build), ("pull-off", None));
}

/// The runtime fetches such a source in other ways, which were not compared with a SIF file.
#[test]
fn builds_from_other_transports() {
    let Some(root) = TestRoot::new() else { return };
    for image in ["library://o/i:1", "oras://h.io/o/i:1", "https://h.io/i", "http://h.io/i"] {
        let pass = auto(&root, &format!("apptainer build x {image}"));
        assert_eq!((pass.token(), pass.reason()), ("pass", "build-transport"), "{image}");
        assert_eq!((pass.uri, pass.image.as_deref()), (None, Some(image.as_bytes())));
    }
}

#[test]
fn images_that_are_not_docker() {
    let Some(root) = TestRoot::new() else { return };
    for (image, reason) in [
        ("/shared/x.sif", "not-docker"),
        ("shub://o/i:1", "not-docker"),
        ("library:o/i:1", "library-without-slashes"),
        ("https:/o/i:1", "https-without-slashes"),
        ("oras://o/i:1", "bad-reference"),
        ("https://user:password@h.io/a", "bad-reference"),
        ("https://h.io/a?token=1", "bad-reference"),
        ("DOCKER://o/i:1", "not-docker"),
        ("/docker://o/i:1", "not-docker"),
        ("docker-archive:x", "not-docker"),
        ("docker:o/i:1", "docker-without-slashes"),
        ("docker://", "bad-reference"),
        ("docker://../../etc/passwd", "bad-reference"),
        ("docker://exa_mple.com/x", "bad-reference"),
    ] {
        let decision = auto(&root, &format!("singularity run {image}"));
        assert_eq!(decision.reason(), reason, "{image}");
        assert_eq!(decision.launch.map(|l| l.image_index), Some(2), "{image}");
        assert_eq!(decision.image.as_deref(), Some(image.as_bytes()));
    }
}

#[test]
fn messages_for_each_reason_to_pass() {
    let Some(root) = TestRoot::new() else { return };
    for (line, why) in [
        ("true", "the program is not a container runtime"),
        (
            "apptainer push x",
            "there is no subcommand that starts a container, or pulls or builds an image",
        ),
        ("apptainer run --rm x", "unknown flag in argument 2"),
        ("apptainer run --nv=2 x", "invalid or missing value in argument 2"),
        ("apptainer run --help x", "the runtime would only print its help or version"),
        ("apptainer run", "too few arguments: the runtime would reject the command"),
        ("apptainer run x", "IMAGE does not start with docker://"),
        (
            "apptainer run docker://x:",
            "IMAGE is not a valid docker reference: its tag is not 1 to 128 characters",
        ),
        ("apptainer run docker:x", "the runtimes interpret docker: without // differently"),
        (
            "apptainer run --oci docker://x",
            "OCI mode, which runs a SIF file differently from a pulled image",
        ),
    ] {
        let Verdict::Pass(pass) = auto(&root, line).verdict else { panic!("{line}") };
        assert!(pass.to_string().starts_with(why), "{line}: {pass}");
    }
    assert_eq!(
        Pass::Off.to_string(),
        "the cache is turned off by --sif-cache=off or SIF_CACHE=off"
    );
    assert_eq!(Pass::NotLaunch(NotLaunch::Empty).to_string(), "there is no command");
}

#[test]
fn there_is_no_lookup_in_mode_off() {
    let Some(root) = TestRoot::new() else { return };
    root.file("x:1", &sif());
    let decision = decide_with(&root, "apptainer run docker://x:1", CacheMode::Off, None);
    assert_eq!(decision.verdict, Verdict::Pass(Pass::Off));
    assert!(decision.candidates.is_empty());
    let decision = decide_with(&root, "apptainer run docker://x:1", CacheMode::Require, None);
    assert_eq!(decision.verdict, Verdict::Hit);
}

#[test]
fn launches_in_oci_mode_pass() {
    let Some(root) = TestRoot::new() else { return };
    root.file("x:1", &sif());
    let reason = |flags: &str, oci| {
        let line = format!("singularity run{flags} docker://x:1");
        decide_with(&root, &line, CacheMode::Auto, oci).reason()
    };
    for flags in [" --oci", " --oci=true", " --oci=false --oci", " --no-oci --oci"] {
        assert_eq!(reason(flags, None), "oci-mode", "{flags}");
    }
    for flags in ["", " --oci=false", " --no-oci"] {
        assert_eq!(reason(flags, None), "image-found", "{flags}");
    }
    for name in ["SINGULARITY_OCI", "APPTAINER_OCI"] {
        for value in ["1", "true", " TRUE ", "yes", "\n1"] {
            assert_eq!(reason("", Some((name, value))), "oci-mode", "{name}={value}");
            assert_eq!(reason(" --no-oci", Some((name, value))), "oci-mode", "{name}={value}");
        }
        for value in ["", " ", "0", "false", " F\n"] {
            assert_eq!(reason("", Some((name, value))), "image-found", "{name}={value}");
        }
        assert_eq!(reason(" --oci=false", Some((name, "1"))), "image-found");
    }
}

#[test]
fn require_takes_precedence_over_on_miss() {
    let mut settings = Settings::with_roots(Vec::new());
    for site in [OnMiss::Pull, OnMiss::Warn, OnMiss::Fail] {
        settings.on_miss = site;
        assert_eq!(on_miss(CacheMode::Auto, &settings), site);
        assert_eq!(on_miss(CacheMode::Wait, &settings), site);
        assert_eq!(on_miss(CacheMode::Require, &settings), OnMiss::Fail);
    }
}

/// The user can ask for a wait, but only the site can change its length.
#[test]
fn who_decides_about_a_wait() {
    let wait = |mode, site| {
        let settings = Settings { wait: site, ..Settings::with_roots(Vec::new()) };
        wait(mode, &settings)
    };
    let of_site = Some(Duration::from_secs(7));
    for mode in [CacheMode::Auto, CacheMode::Require, CacheMode::Wait] {
        assert_eq!(wait(mode, of_site), of_site, "{mode:?}");
    }
    assert_eq!(wait(CacheMode::Off, of_site), None);
    assert_eq!(wait(CacheMode::Auto, None), None);
    assert_eq!(wait(CacheMode::Require, None), None);
    assert_eq!(wait(CacheMode::Wait, None), Some(DEFAULT_WAIT));
}
