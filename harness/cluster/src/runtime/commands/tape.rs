//! `tar`: creating and extracting archives, as `kubectl cp` needs it in both directions.

use std::io::{Cursor, Read};

use pulldrill_clock::Timestamp;
use tar::{Archive, Builder, EntryType, Header};

use crate::runtime::{
    files::{FileError, resolve},
    process::{Process, WHOLE},
};

/// What the words say.
#[derive(Debug, Default)]
struct Wanted {
    create: bool,
    extract: bool,
    list: bool,
    verbose: bool,
    keep_time: bool,
    file: Option<String>,
    directory: Option<String>,
    paths: Vec<String>,
}

fn wanted(arguments: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted { keep_time: true, ..Wanted::default() };
    let mut rest = arguments.iter();
    let mut first = true;
    while let Some(word) = rest.next() {
        let letters = match word.strip_prefix('-') {
            Some("") | None if !first => {
                wanted.paths.push(word.clone());
                continue;
            }
            Some("-") => {
                wanted.paths.extend(rest.by_ref().cloned());
                break;
            }
            // Long options are about owners and permissions, which everything here has alike.
            Some(long) if long.starts_with('-') => continue,
            Some(letters) => letters,
            None => word,
        };
        first = false;
        for letter in letters.chars() {
            match letter {
                'c' => wanted.create = true,
                'x' => wanted.extract = true,
                't' => wanted.list = true,
                'v' => wanted.verbose = true,
                'm' => wanted.keep_time = false,
                'f' => wanted.file = Some(rest.next().ok_or("option requires an argument -- 'f'")?.clone()),
                'C' => {
                    wanted.directory = Some(rest.next().ok_or("option requires an argument -- 'C'")?.clone());
                }
                'o' | 'p' | 'h' | 'k' | 'O' => {}
                other => return Err(format!("unrecognized option: {other}")),
            }
        }
    }
    Ok(wanted)
}

pub(super) async fn tar(mut p: Process) -> i32 {
    let wanted = match wanted(p.arguments()) {
        Ok(wanted) => wanted,
        Err(why) => return p.complain(why).await,
    };
    if let Some(directory) = &wanted.directory {
        p.directory = p.path(directory);
        if !p.world.files.is_directory(&p.directory) {
            let why = format!("can't change directory to '{directory}': No such file or directory");
            return p.complain(why).await;
        }
    }
    if wanted.create {
        return create(&p, &wanted).await;
    }
    if !wanted.extract && !wanted.list {
        return p.complain("must specify one of -c, -x, -t").await;
    }
    let archive = match wanted.file.as_deref() {
        None | Some("-") => p.read_all().await.map_err(|e| e.to_string()),
        Some(file) => p
            .world
            .files
            .read(&p.path(file))
            .map(|c| c.as_ref().clone())
            .map_err(|e| format!("can't open '{file}': {e}")),
    };
    let unpacked = match archive {
        Ok(archive) => unpack(&p, &wanted, &archive),
        Err(why) => Err(why),
    };
    match unpacked {
        Ok(names) => p.say(names).await.err().unwrap_or(0),
        Err(why) => p.complain(why).await,
    }
}

async fn create(p: &Process, wanted: &Wanted) -> i32 {
    let mut code = 0;
    let mut builder = Builder::new(Vec::new());
    for path in &wanted.paths {
        let full = p.path(path);
        let node = match p.world.files.get(&full) {
            Ok(node) => node,
            Err(error) => {
                code = p.complain(format!("{path}: {error}")).await;
                continue;
            }
        };
        let mut nodes = vec![(full.clone(), node)];
        nodes.extend(p.world.files.below(&full));
        for (at, node) in nodes {
            let below = at.strip_prefix(&full).unwrap_or_default();
            let name = format!("{}{below}", path.trim_end_matches('/'));
            let name =
                if name.trim_start_matches('/').is_empty() { "." } else { name.trim_start_matches('/') };
            let mut header = Header::new_gnu();
            let content = node.content.clone().unwrap_or_default();
            header.set_entry_type(if node.is_directory() {
                EntryType::Directory
            } else {
                EntryType::Regular
            });
            header.set_mode(node.mode);
            header.set_size(content.len() as u64);
            header.set_mtime(u64::try_from(node.modified.as_second()).unwrap_or_default());
            let name = if node.is_directory() { format!("{name}/") } else { name.to_owned() };
            if let Err(error) = builder.append_data(&mut header, &name, content.as_slice()) {
                return p.complain(format!("{name}: {error}")).await;
            }
        }
    }
    let archive = match builder.into_inner() {
        Ok(archive) => archive,
        Err(error) => return p.complain(error).await,
    };
    match wanted.file.as_deref() {
        None | Some("-") => p.say(archive).await.err().unwrap_or(code),
        Some(file) => match p.world.files.write(&p.path(file), &archive, false, p.world.now()) {
            Ok(()) => code,
            Err(error) => p.complain(format!("can't open '{file}': {error}")).await,
        },
    }
}

/// Takes an archive apart; what is to be printed about it.
fn unpack(p: &Process, wanted: &Wanted, archive: &[u8]) -> Result<String, String> {
    let mut names = String::new();
    let mut archive = Archive::new(Cursor::new(archive));
    let broken = |error: std::io::Error| format!("invalid tar magic: {error}");
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if wanted.list || wanted.verbose {
            names.push_str(&format!("{name}\n"));
        }
        if wanted.list {
            continue;
        }
        // Names that lead out of the directory stay below it.
        let inside = resolve("/", &name);
        let path = resolve(&p.directory, inside.trim_start_matches('/'));
        let kind = entry.header().entry_type();
        let mode = entry.header().mode().ok().map(|m| m & 0o7777);
        let modified = entry.header().mtime().ok().filter(|_| wanted.keep_time);
        let modified = modified.and_then(|m| Timestamp::from_second(i64::try_from(m).ok()?).ok());
        let said = |error: FileError| format!("can't create '{name}': {error}");
        if kind.is_dir() {
            p.world.files.make_directories(&path, p.world.now()).map_err(said)?;
        } else if kind.is_file() {
            let mut content = Vec::new();
            entry.by_ref().take(WHOLE as u64).read_to_end(&mut content).map_err(broken)?;
            let above = resolve(&path, "..");
            p.world.files.make_directories(&above, p.world.now()).map_err(said)?;
            p.world.files.write(&path, &content, false, p.world.now()).map_err(said)?;
        } else {
            continue;
        }
        p.world.files.set(&path, mode, modified);
    }
    Ok(names)
}
