//! What the binary asks of the machine that it is installed on, and what its package is made of.

use std::{path::Path, process::Command};

use crate::program::{PROGRAM, World, has_program, skip};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Any x86-64 Linux with glibc 2.36 has these, and every CPU of that architecture runs the program.
#[test]
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
fn the_program_needs_the_c_library_of_debian_12_and_nothing_else() {
    if !has_program("readelf") {
        return skip("the libraries of the program", "readelf is not installed");
    }
    let said = |flag: &str| {
        let output = Command::new("readelf").args([flag, "--wide", PROGRAM]).output().expect("readelf");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let dynamic = said("--dynamic");
    let needed: Vec<&str> = dynamic
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .collect();
    let usual = ["ld-linux-x86-64.so.2", "libc.so.6", "libgcc_s.so.1", "libm.so.6"];
    assert!(!needed.is_empty() && needed.iter().all(|library| usual.contains(library)), "{needed:?}");

    let symbols = said("--dyn-syms");
    let version = |at: &str| -> Option<(u32, u32)> {
        let digits: Vec<u32> = at
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()?
            .split('.')
            .filter_map(|part| part.parse().ok())
            .collect();
        Some((*digits.first()?, digits.get(1).copied().unwrap_or(0)))
    };
    let newest = symbols.split("@GLIBC_").skip(1).filter_map(version).max().expect("symbols of the C library");
    assert!(newest <= (2, 36), "it needs glibc {}.{}", newest.0, newest.1);
    // Above the baseline the linker writes down which level of the architecture is needed.
    assert!(!said("--notes").contains("x86-64-v"), "{}", said("--notes"));
}

/// What `.ci/package/deb` puts into the package is there, or is written by the binary.
#[test]
fn every_asset_of_the_package_is_there_or_is_written_by_the_binary() {
    let manifest = std::fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).expect("Cargo.toml");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let deb = &manifest["package"]["metadata"]["deb"];
    let world = World::new();
    world.run(&["man", ".ci/package/out/man"]).expect_code(0);
    for shell in ["bash", "zsh", "fish"] {
        let run = world.run(&["completions", shell]);
        run.expect_code(0);
        world.file(&format!(".ci/package/out/mainstay.{shell}"), &run.stdout);
    }
    let assets = deb["assets"].as_array().expect("a list");
    assert!(assets.len() > 8, "{assets:?}");
    for asset in assets {
        let source = asset[0].as_str().expect("a source");
        let (folder, name) = source.rsplit_once('/').unwrap_or((".", source));
        let place = match source {
            "target/release/mainstay" => continue,
            source if source.starts_with(".ci/package/out/") => world.folder().join(folder),
            _ => Path::new(ROOT).join(folder),
        };
        let ending = name.trim_start_matches('*');
        let files = std::fs::read_dir(&place).unwrap_or_else(|error| panic!("{source}: {error}")).flatten();
        let found = files.filter(|file| file.file_name().to_string_lossy().ends_with(ending)).count();
        assert!(found > 0, "{source}");
    }
    // A package for the C library that the binary was linked with, not for a newer one.
    assert!(deb["depends"].as_str().is_some_and(|text| text.contains("libc6 (>= 2.34)")), "{deb}");
}
