//! `test` and `[`.

use crate::runtime::process::Process;

pub(super) async fn test(p: Process) -> i32 {
    let mut words: Vec<&str> = p.arguments().iter().map(String::as_str).collect();
    if p.name() == "[" && words.pop() != Some("]") {
        p.complain("missing ]").await;
        return 2;
    }
    match expression(&p, &words) {
        Ok(holds) => i32::from(!holds),
        Err(word) => {
            p.complain(format!("{word}: unknown operand")).await;
            2
        }
    }
}

/// Whether it holds, or the word that is not understood.
fn expression(p: &Process, words: &[&str]) -> Result<bool, String> {
    for (operator, any) in [("-o", true), ("-a", false)] {
        if let Some(at) = words.iter().position(|w| *w == operator).filter(|at| *at > 0 && words.len() > 3) {
            let (left, right) = (expression(p, &words[..at])?, expression(p, &words[at + 1..])?);
            return Ok(if any { left || right } else { left && right });
        }
    }
    match words {
        [] => Ok(false),
        [text] => Ok(!text.is_empty()),
        ["!", rest @ ..] => Ok(!expression(p, rest)?),
        ["-n", text] => Ok(!text.is_empty()),
        ["-z", text] => Ok(text.is_empty()),
        ["-t", _] => Ok(p.terminal.is_some()),
        [operator, path] if operator.starts_with('-') => {
            let node = p.world.files.get(&p.path(path)).ok();
            match *operator {
                "-e" | "-r" | "-w" => Ok(node.is_some()),
                "-f" => Ok(node.is_some_and(|n| !n.is_directory())),
                "-d" => Ok(node.is_some_and(|n| n.is_directory())),
                "-s" => Ok(node.is_some_and(|n| n.is_directory() || n.size() > 0)),
                "-x" => Ok(node.is_some_and(|n| n.mode & 0o111 != 0)),
                "-L" | "-h" => Ok(false),
                other => Err(other.to_owned()),
            }
        }
        [left, operator, right] => {
            let numbers = || -> Result<(i64, i64), String> {
                let number = |text: &str| text.trim().parse().map_err(|_| text.to_owned());
                Ok((number(left)?, number(right)?))
            };
            match *operator {
                "=" | "==" => Ok(left == right),
                "!=" => Ok(left != right),
                "-eq" => numbers().map(|(a, b)| a == b),
                "-ne" => numbers().map(|(a, b)| a != b),
                "-lt" => numbers().map(|(a, b)| a < b),
                "-le" => numbers().map(|(a, b)| a <= b),
                "-gt" => numbers().map(|(a, b)| a > b),
                "-ge" => numbers().map(|(a, b)| a >= b),
                other => Err(other.to_owned()),
            }
        }
        [_, other, ..] => Err((*other).to_owned()),
    }
}
