//! Links the static binary without what it does not need.
//!
//! - A static binary that may be loaded anywhere adjusts each pointer of its tables when it starts. By the
//!   [short form](https://maskray.me/blog/2021-10-31-relative-relocations-and-relr) the list of these pointers
//!   takes 5 KB in place of 300. A linker that does not know the option ignores it with a warning.
//! - A panic ends the process, so nothing ever reads the [tables for unwinding the
//!   stack](https://maskray.me/blog/2020-11-08-stack-unwinding), which take 790 KB. A panic says where it came from all the
//!   same; only a backtrace is not to be had.

#![expect(
    clippy::disallowed_methods,
    reason = "Cargo tells a build script about the target by the environment"
)]

use std::path::Path;

/// Leaves the tables out, and the rest where the linker puts it:
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
    // Only the profile `release` aborts; Cargo does not say which one does.
    if has("PROFILE", "release") {
        let script = Path::new(&std::env::var("OUT_DIR").unwrap_or_default()).join("without-unwinding.ld");
        std::fs::write(&script, WITHOUT_UNWINDING)?;
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr,-T,{}", script.display());
    }
    Ok(())
}
