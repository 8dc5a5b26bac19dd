//! Writes the boards of some releases as Markdown, without GitHub, clock or network.
//!
//! `cargo run --example boards -- FOLDER [NAME…]` writes `FOLDER/NAME.md`, by default all of them. The documentation shows
//! boards of a rehearsal instead.

mod release;
mod samples;

use std::error::Error;
use std::path::PathBuf;

use lexopt::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let mut values = Vec::new();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Value(value) => values.push(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let mut values = values.into_iter();
    let folder = PathBuf::from(values.next().ok_or("usage: cargo run --example boards -- FOLDER [NAME…]")?);
    let mut names: Vec<String> = values.collect();
    if names.is_empty() {
        names.extend(samples::SAMPLES.map(|(name, _)| name.to_owned()));
    }
    std::fs::create_dir_all(&folder)?;
    for name in names {
        let board = samples::board(&name).ok_or_else(|| format!("there is no board named {name}"))?;
        std::fs::write(folder.join(format!("{name}.md")), board)?;
    }
    Ok(())
}
