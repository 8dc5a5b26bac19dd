//! Links the static binary without the tables that it does not need.
//!
//! - A static binary that may be loaded anywhere adjusts each pointer of its tables when it starts. By the
//!   [short form](https://maskray.me/blog/2021-10-31-relative-relocations-and-relr) the list of these pointers
//!   takes 5 KB instead of 300. A linker that does not know the option ignores it with a warning.
//! - A panic ends the process, so nothing ever reads the [tables for unwinding the
//!   stack](https://maskray.me/blog/2020-11-08-stack-unwinding), which take 790 KB. A panic still reports its
//!   place; only the backtrace is missing.

#![expect(
    clippy::disallowed_methods,
    reason = "Cargo describes the target to a build script by environment variables"
)]

use std::path::Path;

/// Discards the tables, and leaves the rest to the linker's own script:
/// <https://sourceware.org/binutils/docs/ld/Miscellaneous-Commands.html>.
const WITHOUT_UNWINDING: &str = "SECTIONS { /DISCARD/ : { *(.eh_frame) } } INSERT AFTER .text;\n";

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let has =
        |name: &str, value: &str| std::env::var(name).is_ok_and(|is| is.split(',').any(|is| is == value));
    if !has("CARGO_CFG_TARGET_ENV", "gnu") || !has("CARGO_CFG_TARGET_FEATURE", "crt-static") {
        return Ok(());
    }
    println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    // Only the profile `release` aborts; Cargo does not describe that to a build script.
    if has("PROFILE", "release") {
        let script = Path::new(&std::env::var("OUT_DIR").unwrap_or_default()).join("without-unwinding.ld");
        std::fs::write(&script, WITHOUT_UNWINDING)?;
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr,-T,{}", script.display());
    }
    Ok(())
}
