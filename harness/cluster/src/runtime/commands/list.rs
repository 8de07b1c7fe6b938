//! `ls`.

use std::fmt::Write as _;

use super::options;
use crate::runtime::{files::Node, process::Process};

pub(super) async fn ls(p: Process) -> i32 {
    let (letters, paths) = options(p.arguments());
    let here = [".".to_owned()];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let (mut text, mut code) = (String::new(), 0);
    let many = paths.len() > 1;
    for (index, path) in paths.iter().enumerate() {
        let full = p.path(path);
        let node = match p.world.files.get(&full) {
            Ok(node) => node,
            Err(error) => {
                code = p.complain(format!("{path}: {error}")).await;
                continue;
            }
        };
        let entries = if node.is_directory() && !letters.contains('d') {
            if many {
                let gap = if index > 0 { "\n" } else { "" };
                let _infallible = writeln!(text, "{gap}{path}:");
            }
            p.world.files.children(&full)
        } else {
            vec![(path.clone(), node)]
        };
        let hidden = letters.contains(['a', 'A']);
        for (name, node) in entries.iter().filter(|(name, _)| hidden || !name.starts_with('.') || name == ".")
        {
            if letters.contains('l') {
                text.push_str(&long(name, node));
            } else {
                text.push_str(name);
            }
            text.push('\n');
        }
    }
    p.say(text).await.err().unwrap_or(code)
}

fn long(name: &str, node: &Node) -> String {
    let mut mode = String::from(if node.is_directory() { "d" } else { "-" });
    for bit in (0..9).rev() {
        let letter = ['x', 'w', 'r'][bit % 3];
        mode.push(if node.mode >> bit & 1 == 1 { letter } else { '-' });
    }
    let size = if node.is_directory() { 4096 } else { node.size() };
    format!("{mode}    1 root     root     {size:>9} {} {name}", node.modified.strftime("%b %e %H:%M"))
}
