//! The programs that images can have. Each is a function from its surroundings to its exit code; which image
//! has which is data (`images.yaml`).

mod files;
mod kill;
mod lines;
mod list;
mod printf;
mod system;
mod tape;
mod test;

use super::{
    process::{Exit, Process},
    shell,
};

/// A program.
pub(crate) type Program = fn(Process) -> Exit;

/// All programs, by name.
const PROGRAMS: &[(&str, Program)] = &[
    ("[", |p| Box::pin(test::test(p))),
    ("ash", |p| Box::pin(shell::main(p))),
    ("bash", |p| Box::pin(shell::main(p))),
    ("basename", |p| Box::pin(lines::basename(p))),
    ("cat", |p| Box::pin(lines::cat(p))),
    ("chmod", |p| Box::pin(files::chmod(p))),
    ("cp", |p| Box::pin(files::cp(p))),
    ("date", |p| Box::pin(system::date(p))),
    ("echo", |p| Box::pin(lines::echo(p))),
    ("env", |p| Box::pin(system::env(p))),
    ("false", |_| Box::pin(std::future::ready(1))),
    ("grep", |p| Box::pin(lines::grep(p))),
    ("head", |p| Box::pin(lines::head(p))),
    ("hostname", |p| Box::pin(system::hostname(p))),
    ("id", |p| Box::pin(system::id(p))),
    ("kill", |p| Box::pin(kill::kill(p))),
    ("ls", |p| Box::pin(list::ls(p))),
    ("mkdir", |p| Box::pin(files::mkdir(p))),
    ("printenv", |p| Box::pin(system::env(p))),
    ("printf", |p| Box::pin(printf::printf(p))),
    ("pwd", |p| Box::pin(system::pwd(p))),
    ("rm", |p| Box::pin(files::rm(p))),
    ("rmdir", |p| Box::pin(files::rmdir(p))),
    ("seq", |p| Box::pin(printf::seq(p))),
    ("sh", |p| Box::pin(shell::main(p))),
    ("sleep", |p| Box::pin(system::sleep(p))),
    ("stty", |p| Box::pin(system::stty(p))),
    ("tail", |p| Box::pin(lines::tail(p))),
    ("tar", |p| Box::pin(tape::tar(p))),
    ("test", |p| Box::pin(test::test(p))),
    ("touch", |p| Box::pin(files::touch(p))),
    ("true", |_| Box::pin(std::future::ready(0))),
    ("uname", |p| Box::pin(system::uname(p))),
    ("wc", |p| Box::pin(lines::wc(p))),
    ("whoami", |p| Box::pin(system::whoami(p))),
];

/// A server, wherever it is started from: of those only that they serve is known.
pub(crate) const SERVER: Program = |_| Box::pin(std::future::pending());

/// A program by its name.
pub(crate) fn find(name: &str) -> Option<Program> {
    PROGRAMS.iter().find(|(known, _)| *known == name).map(|(_, program)| *program)
}

/// The names of all programs.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().map(|(name, _)| *name)
}

/// Takes single-letter options from the front of arguments; what is left are the others.
fn options(arguments: &[String]) -> (String, &[String]) {
    let mut letters = String::new();
    let mut rest = arguments;
    while let Some((first, more)) = rest.split_first() {
        if first == "--" {
            return (letters, more);
        }
        if first.len() < 2 || !first.starts_with('-') || first.starts_with("--") {
            break;
        }
        letters.push_str(&first[1..]);
        rest = more;
    }
    (letters, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_options_are_taken() {
        assert!(PROGRAMS.windows(2).all(|w| w[0].0 < w[1].0 || w[0].0 == "bash"));
        let words: Vec<String> = ["-la", "-r", "--", "-x"].map(str::to_owned).to_vec();
        let (letters, rest) = options(&words);
        assert_eq!((letters.as_str(), rest), ("lar", &words[3..]));
    }
}
