//! Writes the pages of a recorded lab into a folder, to look at them without running one:
//! `cargo run -p pulldrill-web --example render -- FOLDER`, then serve that folder with any web server.

use std::{env, error::Error, fs, path::PathBuf};

use pulldrill_lab::view::{Audience, LabInfo, StatusView};
use pulldrill_web::Pages;
use serde::Deserialize;

#[derive(Deserialize)]
struct Recorded {
    status: StatusView,
    info: LabInfo,
}

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::args_os().nth(1).ok_or("give a folder to write to")?);
    let Recorded { status, info } = serde_json::from_str(include_str!("../fixtures/lab.json"))?;
    let status = status.filtered(Audience::Trainee);
    let pages = Pages::new()?;
    fs::create_dir_all(out.join("drills"))?;
    fs::write(out.join("index.html"), pages.overview(&status, &info)?)?;
    for drill in &status.drills {
        let page = pages.drill(&status, &info, drill, None)?;
        fs::write(out.join("drills").join(format!("{}.html", drill.id)), page)?;
    }
    let assets = out.join("assets");
    fs::create_dir_all(&assets)?;
    for asset in fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets"))? {
        let asset = asset?;
        fs::copy(asset.path(), assets.join(asset.file_name()))?;
    }
    Ok(())
}
