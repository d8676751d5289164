use super::NotServed;
use crate::command_line::environment::key;

#[test]
fn each_reason_has_a_token_and_a_message() {
    for (reason, token, message) in [
        (NotServed::Empty, "no-command", "there is no command"),
        (NotServed::NotRuntime, "not-a-runtime", "the program is not a container runtime"),
        (
            NotServed::OtherSubcommand,
            "no-launch",
            "there is no subcommand that starts a container, or pulls or builds an image",
        ),
        (NotServed::UnknownFlag(2), "unknown-flag", "unknown flag in argument 2"),
        (NotServed::BadValue(3), "bad-value", "invalid or missing value in argument 3"),
        (NotServed::Help, "help", "the runtime would only print its help or version"),
        (
            NotServed::TooFewArguments,
            "too-few-arguments",
            "too few arguments: the runtime would reject the command",
        ),
        (
            NotServed::Arguments,
            "wrong-number-of-arguments",
            "wrong number of arguments: the runtime would reject the command",
        ),
        (NotServed::Altering(4), "altering-option", "the option in argument 4 changes the result"),
        (
            NotServed::AlteringVariable(key("OCI")),
            "altering-variable",
            "the variable SINGULARITY_OCI or APPTAINER_OCI changes the result",
        ),
    ] {
        assert_eq!((reason.token(), reason.to_string().as_str()), (token, message));
    }
}

#[test]
fn builds_have_reasons_of_their_own() {
    for (reason, token, message) in [
        (
            NotServed::Root,
            "build-by-root",
            "a build by root keeps the owners of files, which a SIF file may lack",
        ),
        (
            NotServed::Directory,
            "unsuitable-directory",
            "the path of the directory for the build has a ':' or ',', and the runtime cannot \
             unpack a SIF file there",
        ),
    ] {
        assert_eq!((reason.token(), reason.to_string().as_str()), (token, message));
    }
}

#[test]
fn indices_are_shifted() {
    for (reason, shifted) in [
        (NotServed::UnknownFlag(1), NotServed::UnknownFlag(3)),
        (NotServed::BadValue(1), NotServed::BadValue(3)),
        (NotServed::Altering(1), NotServed::Altering(3)),
        (NotServed::Help, NotServed::Help),
    ] {
        assert_eq!(reason.shift(2), shifted);
    }
}
