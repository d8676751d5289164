//! The settings, which come from the job or else from the site, and the effect of a miss.

use crate::call::{Call, Outcome};
use crate::kit::{HIT, IMAGE, MISS, Site};
use sif_fixture::{Object, Sif};
use std::fs;

/// A call without the settings of a job, with this text in plugstack.conf.
fn with_plugstack<'a>(site: &'a Site, command: &[&str], plugstack: Option<&str>) -> Call<'a> {
    fs::create_dir_all(site.path("etc")).unwrap();
    fs::write(site.path("etc/slurm.conf"), "ClusterName=x\n").unwrap();
    if let Some(text) = plugstack {
        fs::write(site.path("etc/plugstack.conf"), text).unwrap();
    }
    let call = site.call(command).settings(None);
    call.variable(format!("SLURM_CONF={}", site.text("etc/slurm.conf")))
}

#[track_caller]
fn missing(outcome: &Outcome, texts: &[&str]) {
    for text in texts {
        outcome.ended(66, text);
    }
    assert_eq!(outcome.stdout, "");
}

#[test]
fn settings_of_the_job_override_those_of_the_site() {
    let site = Site::new();
    let other = format!("optional spank_sifcache.so {} on_miss=fail\n", site.settings());
    with_plugstack(&site, &HIT, Some(&other)).is_bare_with_image(IMAGE);
    missing(&with_plugstack(&site, &MISS, Some(&other)).run(), &["docker.io/o/i:2"]);
    with_plugstack(&site, &MISS, Some(&other)).settings(Some(&site.settings())).is_bare();
    // Invalid settings of the job are not replaced by those of the site.
    with_plugstack(&site, &HIT, Some(&other)).settings(Some("nonsense")).is_bare();
    let included = "include plugstack.conf.d/*\n";
    fs::create_dir_all(site.path("etc/plugstack.conf.d")).unwrap();
    fs::write(site.path("etc/plugstack.conf.d/sifcache"), &other).unwrap();
    with_plugstack(&site, &HIT, Some(included)).is_bare_with_image(IMAGE);
}

#[test]
fn without_valid_settings_only_require_has_an_effect() {
    let site = Site::new();
    let no_settings = "there are no valid settings in plugstack.conf";
    for plugstack in ["", "optional spank_sifcache.so\n", "optional spank_sifcache.so a=b", "x\0y"]
    {
        let call = |command: &[&str]| with_plugstack(&site, command, Some(plugstack));
        call(&HIT).is_bare();
        missing(&call(&HIT).variable("SIF_CACHE=require").run(), &[no_settings]);
        call(&["apptainer", "version"]).variable("SIF_CACHE=require").is_bare();
        call(&["apptainer", "exec", "/x.sif", "a"]).variable("SIF_CACHE=require").is_bare();
    }
    for settings in ["", " ", "image_root=relative", "image_root=/a on_miss=maybe", "\u{fffd}=x"] {
        let call = site.call(&HIT).settings(Some(settings));
        call.is_bare();
        missing(&call.variable("SIF_CACHE=require").run(), &[no_settings]);
    }
    let call = site.call(&HIT).settings(None).variable("SLURM_CONF=/no/where/slurm.conf");
    if !fs::exists("/etc/slurm/plugstack.conf").unwrap() {
        call.is_bare();
    }
}

#[test]
fn the_effect_of_a_miss() {
    let site = Site::new();
    let settings = |on_miss: &str| format!("{} on_miss={on_miss}", site.settings());
    let miss = |on_miss: &str| site.call(&MISS).settings(Some(&settings(on_miss)));
    assert_eq!(miss("pull").is_bare().stderr, "");
    assert!(miss("warn").is_bare().stderr.starts_with("sifcache: docker.io/o/i:2 "));
    missing(
        &miss("fail").run(),
        &["docker.io/o/i:2", "because of on_miss=fail", &site.text("roots")],
    );
    missing(&miss("pull").variable("SIF_CACHE=require").run(), &["docker.io/o/i:2", "require"]);
    miss("fail").variable("SIF_CACHE=off").is_bare();
    // Each launch of a script prints its message, also on other nodes and in other tasks of the
    // step.
    let call = miss("fail").variable("SLURM_LOCALID=3").variable("SLURM_NODEID=2");
    missing(&call.run(), &["docker.io/o/i:2"]);
    let typo = site.call(&HIT).variable("SIF_CACHE=of").is_bare_with_image(IMAGE);
    assert!(typo.stderr.contains("SIF_CACHE=of is ignored"), "{typo:#?}");
}

#[test]
fn other_commands_are_never_stopped() {
    let site = Site::new();
    let settings = format!("{} on_miss=fail", site.settings());
    for command in [
        &["apptainer", "exec", "/x.sif", "true"][..],
        &["apptainer"],
        &["apptainer", "push", "x.sif", "docker://o/i:2"],
    ] {
        site.call(command).settings(Some(&settings)).variable("SIF_CACHE=require").is_bare();
    }
}

#[test]
fn programs_that_are_not_in_runtimes() {
    let site = Site::new();
    let settings = format!("{} runtimes=singularity", site.settings());
    site.call(&HIT).settings(Some(&settings)).is_bare();
    let singularity = site.call(&["x", "exec", "docker://o/i:1", "true"]);
    singularity.settings(Some(&settings)).program("shims/singularity").is_bare_with_image(IMAGE);
}

#[test]
fn image_roots_that_other_tools_fill() {
    let site = Site::new();
    let from = |name: &str, reference: &str| {
        let definition = format!("bootstrap: docker\nfrom: {reference}\n");
        let image = Sif::image().with(Object::definition(definition));
        image.write(site.path(name)).unwrap();
    };
    from("nxf/o-i-1.img", "o/i:1");
    from("nxf/o-a-b-1.img", "o/a-b:1");
    let call = |command: &[&str], root: &str| {
        let settings = format!("image_root={root} untrusted=accept syslog=off");
        site.call(command).settings(Some(&settings))
    };
    let nextflow = format!("nextflow={}", site.text("nxf"));
    call(&HIT, &nextflow).is_bare_with(IMAGE, &site.text("nxf/o-i-1.img"));
    call(&HIT, &format!("{}:{nextflow}", site.text("roots"))).is_bare_with_image(IMAGE);
    call(&HIT, &site.text("nxf")).is_bare();
    // `o/a-b:1` has the same file name.
    let shared = ["apptainer", "exec", "docker://o-a/b:1", "true"];
    let message = call(&shared, &format!("{nextflow} on_miss=warn")).is_bare().stderr;
    let searched = format!("searched: {nextflow}\n");
    assert!(message.contains(&searched), "{message}");
    let refused = "o-a-b-1.img: pulled from docker.io/o/a-b:1, which has the same name\n";
    assert!(message.contains(refused), "{message}");
}

/// OCI mode treats a SIF differently from an OCI image, so no image of the cache is used.
#[test]
fn oci_mode_of_the_environment() {
    let site = Site::new();
    for name in ["SINGULARITY_OCI", "APPTAINER_OCI"] {
        site.call(&HIT).variable(format!("{name}=1")).is_bare();
        site.call(&HIT).variable(format!("{name}=false")).is_bare_with_image(IMAGE);
    }
}
