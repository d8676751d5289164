use super::{Launch, NotLaunch, Subcommand, find};

fn parse(line: &str) -> Result<Launch, NotLaunch> {
    // `''` stands for an empty argument.
    let argv: Vec<&str> = line.split(' ').map(|arg| if arg == "''" { "" } else { arg }).collect();
    find(&argv, &["singularity".to_owned(), "apptainer".to_owned()])
}

/// Command lines with `IMG` as IMAGE. A line without `IMG` must not be a launch.
const LINES: &[&str] = &[
    // Subcommands and their number of arguments.
    "apptainer run IMG",
    "singularity run IMG arg",
    "apptainer exec IMG true",
    "apptainer shell IMG",
    "apptainer test IMG",
    "apptainer instance start IMG name",
    "apptainer instance run IMG name arg",
    "apptainer exec image-alone",
    "apptainer instance start image-alone",
    "apptainer run",
    "apptainer",
    "apptainer pull docker://x",
    "apptainer instance",
    "apptainer instance list x y",
    "apptainer instance.start x y",
    "apptainer ru x",
    "apptainer RUN x",
    "apptainer '' x",
    // The name of the program.
    "/usr/bin/apptainer run IMG",
    "./singularity run IMG",
    "/usr/bin/apptainer/ run x",
    "Apptainer run x",
    "apptainer2 run x",
    "'' run x",
    // Global options.
    "apptainer -d -v -q exec IMG true",
    "apptainer --debug --nocolor exec IMG true",
    "apptainer --debug=true exec IMG true",
    "apptainer -dv exec IMG true",
    "apptainer -c file exec IMG true",
    "apptainer -cfile exec IMG true",
    "apptainer -c=file exec IMG true",
    "apptainer -dcfile exec IMG true",
    "apptainer -dc=file exec IMG true",
    "apptainer -dc file exec x true",
    "apptainer --config file exec IMG true",
    "apptainer --config=file exec IMG true",
    "apptainer --config exec exec IMG true",
    "apptainer --config --debug exec IMG true",
    "apptainer --config --config x exec y true",
    "apptainer --config -- --debug exec x true",
    "apptainer --debug=maybe exec x true",
    "apptainer --config",
    "apptainer -- exec x true",
    "apptainer -- exec run x",
    "apptainer - exec x true",
    "apptainer --version exec x true",
    "apptainer --version=false exec x true",
    "apptainer --help exec x true",
    "apptainer --help=false exec x true",
    "apptainer -h exec x true",
    "apptainer --bind /a exec x true",
    "apptainer -e exec x true",
    "apptainer -t token exec IMG true",
    // Between `instance` and its subcommand.
    "apptainer -d instance start IMG name",
    "apptainer instance -d start x name",
    "apptainer instance --help start x name",
    "apptainer instance -- start x name",
    // Booleans and values.
    "apptainer exec -e IMG true",
    "apptainer exec -e IMG A=B x",
    "apptainer exec --nv IMG true",
    "apptainer exec --nv=true IMG true",
    "apptainer exec --nv=F IMG true",
    "apptainer exec --nv=maybe x true",
    "apptainer exec --nv= x true",
    "apptainer exec --bind /a IMG true",
    "apptainer exec --bind=/a IMG true",
    "apptainer exec --bind= IMG true",
    "apptainer exec --bind=a=b IMG true",
    "apptainer exec --bind -- IMG true",
    "apptainer exec --bind --nv IMG true",
    "apptainer exec --bind -e IMG true",
    "apptainer exec --bind --help IMG true",
    "apptainer exec --bind docker://x IMG true",
    "apptainer exec --bind '' IMG true",
    "apptainer exec --bind",
    "apptainer exec -B /a IMG true",
    "apptainer exec -B/a IMG true",
    "apptainer exec -B=/a IMG true",
    "apptainer exec -B= IMG true",
    "apptainer exec -BB IMG true",
    "apptainer exec -ceB /a IMG true",
    "apptainer exec -ceB/a IMG true",
    "apptainer exec -ceB=/a IMG true",
    "apptainer exec -cBe IMG true",
    "apptainer exec -e=true IMG true",
    "apptainer exec -e=x x true",
    "apptainer exec -e= x true",
    "apptainer exec -=e x true",
    "apptainer exec -B",
    // The end of the flags.
    "apptainer exec -- IMG true",
    "apptainer exec -e -- IMG true",
    "apptainer exec IMG -- true",
    "apptainer exec IMG -h",
    "apptainer exec IMG --bind /a docker://y",
    "apptainer run --",
    // Help.
    "apptainer exec -h x true",
    "apptainer exec --help x true",
    "apptainer exec -ch x true",
    "apptainer exec --help=false IMG true",
    "apptainer exec -h=false IMG true",
    "apptainer exec --help --help=false IMG true",
    "apptainer exec --help=maybe x true",
    // Flags of other commands, flags of docker, and flags that do not exist.
    "apptainer exec -d x true",
    "apptainer exec --config f x true",
    "apptainer exec -v /a:/b x true",
    "apptainer exec -it x true",
    "apptainer exec --rm x true",
    "apptainer exec --gpus all x true",
    "apptainer exec -----x x true",
    "apptainer exec --=x x true",
    "apptainer exec -test.v x true",
    "apptainer exec --nvv x true",
    "apptainer exec --bin /a x true",
    "apptainer exec --version x true",
    // The same letter or name in other subcommands.
    "apptainer shell -s /bin/sh IMG",
    "apptainer shell --shell /bin/sh IMG",
    "apptainer exec -s /bin/sh x true",
    "apptainer exec --pwd /a IMG true",
    "apptainer instance start --pwd /a x name",
    "apptainer instance start --boot IMG name",
    "apptainer exec --boot x true",
    "apptainer instance start --pid-file /f IMG name",
];

#[test]
fn lines_of_the_grammar() {
    for line in LINES {
        let expected = line.split(' ').position(|arg| arg == "IMG");
        assert_eq!(parse(line).ok().map(|launch| launch.image_index), expected, "{line}");
    }
}

#[test]
fn image_may_be_a_dash_or_empty() {
    assert_eq!(parse("apptainer exec - true").map(|l| l.image_index), Ok(2));
    assert_eq!(parse("apptainer exec '' true").map(|l| l.image_index), Ok(2));
    assert_eq!(parse("apptainer exec -- -- x").map(|l| l.image_index), Ok(3));
}

#[test]
fn reasons_for_not_being_a_launch() {
    assert_eq!(find::<&str>(&[], &[]), Err(NotLaunch::Empty));
    assert_eq!(parse("echo run x"), Err(NotLaunch::NotRuntime));
    assert_eq!(parse("apptainer build a b"), Err(NotLaunch::OtherSubcommand));
    assert_eq!(parse("apptainer -d exec -e --rm x y"), Err(NotLaunch::UnknownFlag(4)));
    assert_eq!(parse("apptainer -d --rm exec x y"), Err(NotLaunch::UnknownFlag(2)));
    assert_eq!(parse("apptainer exec -Z=false x y"), Err(NotLaunch::UnknownFlag(2)));
    assert_eq!(parse("apptainer exec --version x y"), Err(NotLaunch::UnknownFlag(2)));
    assert_eq!(parse("apptainer --version exec x y"), Err(NotLaunch::Help));
    assert_eq!(parse("apptainer exec -e --nv=2 x y"), Err(NotLaunch::BadValue(3)));
    assert_eq!(parse("apptainer exec -e --bind"), Err(NotLaunch::BadValue(3)));
    assert_eq!(parse("apptainer exec --help x y"), Err(NotLaunch::Help));
    assert_eq!(parse("apptainer exec x"), Err(NotLaunch::TooFewArguments));
}

#[test]
fn subcommands_are_printed_as_typed() {
    for typed in ["run", "exec", "shell", "test", "instance start", "instance run"] {
        let launch = parse(&format!("apptainer {typed} x y")).unwrap();
        assert_eq!(launch.subcommand.as_str(), typed);
    }
}

#[test]
fn bytes_rather_than_text() {
    let argv: [&[u8]; 6] = [b"/\xff/apptainer", b"exec", b"--bind", b"\xfe", b"\xfd", b"x"];
    let launch = find(&argv, &["apptainer".to_owned()]).unwrap();
    assert_eq!((launch.image_index, launch.subcommand), (4, Subcommand::Exec));
    assert!(
        find(&[b"apptainer".as_slice(), b"exec", b"--\xff", b"x", b"y"], &["apptainer".to_owned()])
            .is_err()
    );
}

#[test]
fn other_names_of_runtimes() {
    let argv = ["/opt/sing", "run", "x"];
    assert!(find(&argv, &["sing".to_owned()]).is_ok());
    assert!(find(&argv, &["apptainer".to_owned()]).is_err());
    // A name that is not UTF-8 is not that of a runtime, even if it looks similar.
    assert!(find(&[b"appt\xffainer".as_slice(), b"run", b"x"], &["apptainer".to_owned()]).is_err());
}
