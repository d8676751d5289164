//! The return value of each entry point of the plugin, in every context and condition.
//!
//! Since 25.05, Slurm treats every return value except 0 as an error, and a `required` line then
//! makes the job fail. Older releases do so only for negative values. Each entry point therefore
//! returns 0, except for the option's callback if a user types an invalid value. If a task must
//! fail, its process ends itself, with a message and its own exit status.

use object::{Object, ObjectSymbol};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Every hook that the plugin exports. Add a new hook here, so that all tests below call it.
const HOOKS: [&str; 2] = ["slurm_spank_init", "slurm_spank_task_init"];

/// `enum spank_context`, with its error value and a value that is not defined yet.
const CONTEXTS: [(&str, u32); 7] = [
    ("error", 0),
    ("local", 1),
    ("remote", 2),
    ("allocator", 3),
    ("slurmd", 4),
    ("job_script", 5),
    ("unknown", 6),
];
const REMOTE: u32 = 2;
/// The contexts in which users type the option: srun, and sbatch or salloc.
const TYPED: [u32; 2] = [1, 3];

/// The result of a task that ends because its image is missing.
const MISSING: &str = "ended 66";

/// The input of one call: the plugin's arguments, the program's flags, and the command.
struct Condition {
    name: String,
    arguments: Vec<String>,
    flags: Vec<&'static str>,
    command: Vec<String>,
    variable: Option<&'static str>,
    /// The expected result of the task; this is a failure only if the site or the user requested
    /// it.
    task: &'static str,
    /// Whether the value of the option is invalid.
    is_misspelt: bool,
    /// The point at which the plugin panics.
    fault: Option<&'static str>,
}

impl Condition {
    fn new(name: &str, arguments: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            name: format!("{name} {arguments:?}"),
            arguments: owned(arguments),
            flags: Vec::new(),
            command: owned(&["apptainer", "exec", "docker://o/none:1", "true"]),
            variable: None,
            task: "returned 0",
            is_misspelt: false,
            fault: None,
        }
    }

    fn command(mut self, words: &[&str]) -> Self {
        self.name += &format!(" {words:?}");
        self.command = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    fn flags(mut self, flags: &[&'static str]) -> Self {
        self.name += &format!(" {flags:?}");
        self.flags = flags.to_vec();
        self
    }

    fn option(self, value: &'static str) -> Self {
        self.flags(&["-o", value])
    }

    /// `SIF_CACHE`
    fn variable(mut self, value: &'static str) -> Self {
        self.name += &format!(" SIF_CACHE={value}");
        self.variable = Some(value);
        self
    }

    /// Expects that the task ends, because the site or the user requested it.
    fn fails(mut self) -> Self {
        self.task = MISSING;
        self
    }
}

/// Each hook and its result.
type Results = Vec<(String, String)>;

/// Image roots of every kind, and the program that calls the hooks.
struct Bench {
    directory: TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let bench = Self { directory };
        let mode = |path: PathBuf, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(bench.directory.path().to_owned(), 0o755);
        for (root, bits) in [("good", 0o755), ("untrusted", 0o777), ("unreadable", 0o700)] {
            let path = bench.directory.path().join(root);
            fs::create_dir(&path).unwrap();
            mode(path, bits);
        }
        symlink("good", bench.directory.path().join("linked")).unwrap();
        fs::write(bench.directory.path().join("file"), "not a directory").unwrap();
        let (host, here) = (Path::new(env!("CARGO_MANIFEST_DIR")), bench.program());
        let mut cc = Command::new("cc");
        cc.args(["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-rdynamic", "-I"]);
        cc.arg(host.join("benches/host")).arg("-o").arg(here);
        let sources =
            ["tests/host/returns.c", "benches/host/slurm.c", "benches/host/environment.c"];
        cc.args(sources.map(|source| host.join(source)));
        assert!(cc.arg("-ldl").status().unwrap().success());
        bench
    }

    fn program(&self) -> PathBuf {
        self.directory.path().join("returns")
    }

    fn root(&self, name: &str) -> String {
        format!("image_root={}", self.directory.path().join(name).display())
    }

    /// The results of all hooks and of the option, and the log of the plugin.
    fn call(&self, library: &Path, context: u32, condition: &Condition) -> (Results, String) {
        let mut program = Command::new(self.program());
        program.args(["-v", "-c", &context.to_string()]).args(&condition.flags).arg(library);
        program.args(HOOKS).arg("--").args(&condition.arguments).arg("--");
        program.args(&condition.command).env_remove("SIF_CACHE");
        program.envs(condition.variable.map(|value| ("SIF_CACHE", value)));
        let output = program.output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}: {output:?}", condition.name);
        let pair = |line: &str| line.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()));
        let results = stdout.lines().map(|line| pair(line).expect(line)).collect();
        (results, String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// All conditions. Faults are included only for a plugin with fault injection.
fn conditions(bench: &Bench, has_faults: bool) -> Vec<Condition> {
    let faults = if has_faults { faults(bench) } else { Vec::new() };
    [lines(bench), commands(bench), modes(bench), calls_that_fail(bench), faults]
        .into_iter()
        .flatten()
        .collect()
}

/// Variants of the line in plugstack.conf and of the image roots in it.
fn lines(bench: &Bench) -> Vec<Condition> {
    let good = &bench.root("good");
    let long = "image_root=/".to_owned() + &"x/".repeat(60_000);
    let many: Vec<String> = (0..5_000).map(|number| format!("key{number}=value")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let new = Condition::new;
    let mut all = vec![
        new("no arguments", &[]),
        new("an empty argument", &[""]),
        new("an unknown key", &[good, "on_mis=fail"]),
        new("a wrong value", &[good, "on_miss=perhaps"]),
        new("a wrong value", &[good, "lookup_timeout=never"]),
        new("no value", &["image_root="]),
        new("no root", &["on_miss=fail"]),
        new("control characters", &[good, "syslog=\u{1b}[2J\n"]),
        new("a long line", &[&long]),
        new("a line of many words", &many),
    ];
    for root in ["good", "nowhere", "file", "untrusted", "unreadable"] {
        all.push(new("a miss", &[&bench.root(root)]));
    }
    for nested in ["nested=path", "nested=preload", "nested=off"] {
        for on_miss in ["on_miss=pull", "on_miss=warn"] {
            all.push(new("settings", &[good, nested, on_miss, "lookup_timeout=off"]));
            all.push(new("settings", &[good, nested, on_miss]).command(&["true"]));
        }
    }
    all
}

/// Variants of the task's command.
fn commands(bench: &Bench) -> Vec<Condition> {
    let good = &bench.root("good");
    let of = |words: &[&str]| Condition::new("a command", &[good]).command(words);
    let long = format!("docker://{}", "x".repeat(100_000));
    vec![
        of(&[]),
        of(&[""]),
        of(&["apptainer"]),
        of(&["true"]),
        of(&["/var/spool/slurmd/job1/slurm_script"]),
        of(&["apptainer", "exec", &long, "true"]),
        of(&["conf", "0 hostname\n1 apptainer run x\n"]),
        Condition::new("a hundred thousand words", &[good]).flags(&["-w", "100000"]),
        Condition::new("no file can be opened", &[good]).flags(&["-f"]),
        Condition::new("a container", &[good]).flags(&["-b"]),
    ]
}

/// The cache modes and settings of `on_miss`, including those that request a failure.
fn modes(bench: &Bench) -> Vec<Condition> {
    let [good, missing] = ["good", "nowhere"].map(|name| bench.root(name));
    let (good, missing) = (good.as_str(), missing.as_str());
    let new = Condition::new;
    let mut all = vec![
        new("off", &[good, "on_miss=fail"]).option("off"),
        new("off", &[good, "on_miss=fail"]).variable("off"),
        new("auto", &[good]).option("auto"),
        new("an invalid mode", &[good]).variable("\u{1b}perhaps"),
        new("fail", &[good, "on_miss=fail"]).fails(),
        new("fail", &[missing, "on_miss=fail"]).fails(),
        new("fail in a container", &[good, "on_miss=fail"]).flags(&["-b"]).fails(),
        new("require", &[good]).option("require").fails(),
        new("require", &[good]).variable("require").fails(),
        new("require without settings", &["nonsense"]).option("require").fails(),
        new("require in a container", &[good]).flags(&["-b", "-o", "require"]).fails(),
    ];
    for value in ["", "perhaps", "REQUIRE", "\u{1b}[2J\n"] {
        let misspelt = new("an invalid value of the option", &[good]).option(value);
        all.push(Condition { is_misspelt: true, ..misspelt });
    }
    all
}

/// Every call to Slurm fails. Without the task's command, no image can be missing.
fn calls_that_fail(bench: &Bench) -> Vec<Condition> {
    let good = &bench.root("good");
    let mut all = vec![Condition::new("every call fails", &[]).flags(&["-r"])];
    for nested in ["nested=path", "nested=preload", "nested=off"] {
        for on_miss in ["on_miss=pull", "on_miss=fail"] {
            let condition = Condition::new("every call fails", &[good, nested, on_miss]);
            all.push(condition.flags(&["-r"]));
        }
        let condition = Condition::new("every call fails", &[good, nested]);
        all.push(condition.flags(&["-r", "-o", "require"]));
    }
    all
}

/// Panics, which need a plugin with fault injection.
fn faults(bench: &Bench) -> Vec<Condition> {
    // A lookup in a root that is a link takes a helper process.
    let good = &bench.root("linked");
    let mut all = Vec::new();
    for point in ["init", "task_init", "option", "probe"] {
        let panic = format!("panic={point}");
        for option in ["auto", "perhaps"] {
            let is_misspelt = option == "perhaps" && !["init", "option"].contains(&point);
            let condition = Condition::new("a panic", &[good, &panic]).option(option);
            all.push(Condition { is_misspelt, fault: Some(point), ..condition });
        }
        let condition = Condition::new("a panic, and every call fails", &[good, &panic]);
        all.push(condition.flags(&["-r"]));
    }
    all
}

/// The expected result of a hook.
fn expected(hook: &str, context: u32, condition: &Condition) -> &'static str {
    match hook {
        "slurm_spank_task_init" if context == REMOTE => condition.task,
        "option" if condition.is_misspelt && TYPED.contains(&context) => "returned -1",
        _ => "returned 0",
    }
}

/// Calls every entry point of the library and compares the results with those expected.
pub(crate) fn every_entry_point(library: &Path, has_faults: bool) {
    let bench = Bench::new();
    let mut wrong = Vec::new();
    let mut options = 0;
    for condition in conditions(&bench, has_faults) {
        let mut logged = String::new();
        for (name, context) in CONTEXTS {
            let (found, log) = bench.call(library, context, &condition);
            logged.push_str(&log);
            let hooks: Vec<_> =
                found.iter().map(|(hook, _)| hook.as_str()).take(HOOKS.len()).collect();
            assert_eq!(hooks, HOOKS, "{name}, {}", condition.name);
            options += usize::from(found.len() > HOOKS.len());
            for (hook, result) in found {
                let expected = expected(&hook, context, &condition);
                if result != expected {
                    let condition = &condition.name;
                    wrong
                        .push(format!("{hook} {result}, expected {expected}: {name}, {condition}"));
                }
            }
        }
        // Each fault must be reached in at least one context.
        let fault = condition.fault.map(|point| format!("injected at {point}"));
        assert!(fault.is_none_or(|fault| logged.contains(&fault)), "{}: {logged}", condition.name);
    }
    assert!(options > 0, "no option was registered");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Asserts that the list contains every hook that Slurm would find in this library.
pub(crate) fn every_hook_is_listed(library: &Path) {
    let bytes = fs::read(library).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let names = file.dynamic_symbols().filter(|symbol| symbol.is_definition());
    let names = names.filter_map(|symbol| symbol.name().ok().map(str::to_owned));
    // Slurm also reads options, with their own callbacks, from a table named `spank_options`.
    let mut hooks: Vec<String> =
        names.filter(|name| name.starts_with("slurm_spank_") || name == "spank_options").collect();
    hooks.sort();
    assert_eq!(hooks, HOOKS, "left: the exports of the library");
}
