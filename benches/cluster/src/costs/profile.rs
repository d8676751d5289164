//! The table of the parts.

use super::part::{Cost, Part};
use std::fmt::Write;

const HEAD: &str = "\
| part | variant | µs | above the floor | page faults | instructions | system calls |
| --- | --- | --- | --- | --- | --- | --- |
";

/// All parts, each with its floor, the older commit if there is one, and the present code. Below
/// the table are the system calls by name.
pub(super) fn table(parts: &[Part], older: &str) -> String {
    let mut text = HEAD.to_owned();
    for part in parts {
        for (at, (variant, cost)) in part.variants(older).enumerate() {
            let name = if at == 0 { part.name.as_str() } else { "" };
            let above =
                if at == 0 { String::new() } else { format!("{:+.1}", cost.above(&part.floor)) };
            let _ = writeln!(
                text,
                "| {name} | {variant} | {:.1} | {above} | {:.0} | {:.0} | {:.0} |",
                cost.us, cost.faults, cost.instructions, cost.calls
            );
        }
    }
    text + &names(parts)
}

/// The system calls of the present plugin in each part.
fn names(parts: &[Part]) -> String {
    let mut text = "\n| part | system calls of today's plugin |\n| --- | --- |\n".to_owned();
    for part in parts.iter().filter(|part| !part.present.names.is_empty()) {
        let _ = writeln!(text, "| {} | {} |", part.name, counted(&part.present));
    }
    text
}

fn counted(cost: &Cost) -> String {
    let one = |(name, count): (&String, &usize)| match count {
        1 => name.clone(),
        _ => format!("{count} {name}"),
    };
    cost.names.iter().map(one).collect::<Vec<_>>().join(", ")
}
