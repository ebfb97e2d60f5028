//! The stops of the tour about backups: a key, an archive, a look at it, a restore, and one flipped bit.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{drive, site::Anything};

/// Backs up a small application to a folder that plays the USB stick. All of it is below `folder`.
pub async fn stops(folder: &Path) -> Result<u8, Anything> {
    fs::create_dir_all(folder.join("config"))?;
    fs::create_dir(folder.join("usb"))?;
    fs::write(folder.join(".env"), "SECRET_KEY=hunter2\n")?;
    fs::set_permissions(folder.join(".env"), fs::Permissions::from_mode(0o600))?;
    fs::write(folder.join("config/app.toml"), "workers = 3\n")?;

    drive("A key that opens the archives", &["backup", "keygen", "key.txt"], folder, 0).await?;
    fs::write(folder.join("mainstay.toml"), configuration(&public_key(folder)?))?;
    drive("The first backup, with its recovery sheet", &["backup", "create"], folder, 0).await?;
    let opened = ["backup", "verify", "--identity", "key.txt"];
    drive("Is it good? Opened to its last byte", &opened, folder, 0).await?;

    let restore = ["backup", "restore", "app", "--to", "restored", "--identity", "key.txt"];
    drive("A restore into a new folder", &restore, folder, 0).await?;
    for name in [".env", "config/app.toml"] {
        println!("{name} is byte for byte what it was, with mode {:04o}", same(folder, name)?);
    }

    let archive = flip_a_bit(&folder.join("usb"))?;
    println!("\n(one bit of {archive} is flipped: a bad sector, or somebody's hand)");
    drive("The same look at it again, without any key", &["backup", "verify"], folder, 1).await?;
    Ok(5)
}

/// What an operator writes.
fn configuration(public_key: &str) -> String {
    format!("project = \"prime\"\n\n[backup.app]\nrecipients = [\"{public_key}\"]\nto = [\"usb\"]\n")
}

/// The public key that `keygen` has written beside the private one.
fn public_key(folder: &Path) -> Result<String, Anything> {
    let text = fs::read_to_string(folder.join("key.txt"))?;
    let key = text.lines().find_map(|line| line.strip_prefix("# public key: "));
    Ok(key.ok_or("the key file names no public key")?.to_owned())
}

/// Compares a file that came back with the one that was backed up; its mode.
fn same(folder: &Path, name: &str) -> Result<u32, Anything> {
    let look = |path: &Path| -> Result<_, Anything> {
        Ok((fs::read(path)?, fs::metadata(path)?.permissions().mode() & 0o777))
    };
    let (was, is) = (look(&folder.join(name))?, look(&folder.join("restored").join(name))?);
    if was == is { Ok(is.1) } else { Err(format!("{name} came back otherwise than it was").into()) }
}

/// Flips one bit in the middle of the only archive there; its name.
fn flip_a_bit(usb: &Path) -> Result<String, Anything> {
    for entry in fs::read_dir(usb)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "age") {
            let mut bytes = fs::read(&path)?;
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes)?;
            return Ok(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    Err("there is no archive to damage".into())
}
