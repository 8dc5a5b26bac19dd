//! Links the static binary with relocations in their short form.
//!
//! A static binary that may be loaded anywhere adjusts each pointer of its tables when it starts. By the
//! [short form](https://maskray.me/blog/2021-10-31-relative-relocations-and-relr) the list of these pointers
//! takes 5 KB in place of 300. A linker that does not know the option ignores it with a warning.

#![expect(
    clippy::disallowed_methods,
    reason = "Cargo tells a build script about the target by the environment"
)]

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let has =
        |name: &str, value: &str| std::env::var(name).is_ok_and(|is| is.split(',').any(|is| is == value));
    if has("CARGO_CFG_TARGET_ENV", "gnu") && has("CARGO_CFG_TARGET_FEATURE", "crt-static") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
