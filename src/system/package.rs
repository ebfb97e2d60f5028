//! A ZIP file of a few small things: the deployment package of a Lambda function.
//!
//! The format is PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.4: a local header and the deflated bytes of each file, then the
//! central directory. No dates, so that the same content is the same package.

use std::io::{self, Write};

use flate2::{Compression, write::DeflateEncoder};

/// A file of the package.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// Its name, without folders.
    pub name: &'a str,
    /// Its content.
    pub content: &'a [u8],
    /// Its permissions: `0o755` for what is run.
    pub mode: u32,
}

/// 1 January 1980, the first date that the format has.
const NO_DATE: u16 = (1 << 5) | 1;

/// Packs them.
///
/// # Errors
///
/// A file is larger than 4 GiB, which the plain format cannot hold.
pub fn zip(members: &[Member<'_>]) -> io::Result<Vec<u8>> {
    let (mut whole, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let offset = short(whole.len())?;
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(member.content)?;
        let packed = encoder.finish()?;
        let mut common = Vec::new();
        common.extend(20_u16.to_le_bytes());
        common.extend(0_u16.to_le_bytes());
        common.extend(8_u16.to_le_bytes());
        common.extend(0_u16.to_le_bytes());
        common.extend(NO_DATE.to_le_bytes());
        common.extend(crc32fast::hash(member.content).to_le_bytes());
        common.extend(short(packed.len())?.to_le_bytes());
        common.extend(short(member.content.len())?.to_le_bytes());
        common.extend(u16::try_from(member.name.len()).map_err(io::Error::other)?.to_le_bytes());
        common.extend(0_u16.to_le_bytes());
        whole.extend(b"PK\x03\x04");
        whole.extend(&common);
        whole.extend(member.name.as_bytes());
        whole.extend(packed);
        directory.extend(b"PK\x01\x02");
        // Made by Unix, or the permissions mean nothing.
        directory.extend((3 << 8 | 20_u16).to_le_bytes());
        directory.extend(common);
        directory.extend([0; 6]);
        directory.extend(((0o100_000 | member.mode) << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(member.name.as_bytes());
    }
    let (start, count) = (short(whole.len())?, u16::try_from(members.len()).map_err(io::Error::other)?);
    let length = short(directory.len())?;
    whole.extend(directory);
    whole.extend(b"PK\x05\x06\0\0\0\0");
    whole.extend(count.to_le_bytes());
    whole.extend(count.to_le_bytes());
    whole.extend(length.to_le_bytes());
    whole.extend(start.to_le_bytes());
    whole.extend([0; 2]);
    Ok(whole)
}

fn short(length: usize) -> io::Result<u32> {
    u32::try_from(length).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "another's program is the judge of the format")]
    fn python_unpacks_it_with_its_permissions() {
        let big = vec![b'x'; 100_000];
        let members = [
            Member { name: "bootstrap", content: &big, mode: 0o755 },
            Member { name: "mainstay.toml", content: b"project = 'prime'\n", mode: 0o644 },
        ];
        let packed = zip(&members).unwrap();
        assert_eq!(packed, zip(&members).unwrap(), "the same content is the same package");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.zip"), packed).unwrap();
        let script = "import zipfile; z = zipfile.ZipFile('a.zip'); assert z.testzip() is None\n\
            print([(i.filename, oct(i.external_attr >> 16), len(z.read(i))) for i in z.infolist()])";
        let run = std::process::Command::new("python3").args(["-c", script]).current_dir(folder.path()).output();
        let Ok(run) = run else {
            #[expect(clippy::print_stdout, reason = "what is skipped is said")]
            {
                println!("SKIPPED system::package::tests::python_unpacks_it_with_its_permissions: no python3");
            }
            return;
        };
        let told = String::from_utf8_lossy(&run.stdout);
        assert_eq!(told.trim(), "[('bootstrap', '0o100755', 100000), ('mainstay.toml', '0o100644', 18)]", "{run:?}");
    }
}
