//! Writes down what only the build knows: for which machine, and by which compiler. `mainstay --version --verbose` prints it.
//!
//! Nothing here depends on the time, the folder or git, so that the same sources and compiler give the same binary.

use std::{env, process::Command};

#[expect(
    clippy::disallowed_methods,
    reason = "a build script has the environment that cargo made for it, and no runner"
)]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=MAINSTAY_TARGET={}", env::var("TARGET").unwrap_or_default());
    println!("cargo::rustc-env=MAINSTAY_PROFILE={}", env::var("PROFILE").unwrap_or_default());
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(compiler).arg("--version").output();
    let version = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!("cargo::rustc-env=MAINSTAY_RUSTC={}", version.unwrap_or_default());
}
