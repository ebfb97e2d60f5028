//! Where a path of a container lies on the engine's host, by its `.Mounts`.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// One mount of a container.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mount {
    /// `bind`, `volume`, `tmpfs`.
    pub kind: String,
    /// On the host.
    pub source: PathBuf,
    /// In the container.
    pub target: PathBuf,
    /// Whether the container may write there.
    pub writable: bool,
}

/// The mounts in a document of `docker inspect`.
pub fn mounts(raw: &Value) -> Vec<Mount> {
    let list = raw.get("Mounts").and_then(Value::as_array);
    let mount = |entry: &Value| {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        Some(Mount {
            kind: text("Type").to_owned(),
            source: PathBuf::from(Some(text("Source")).filter(|path| !path.is_empty())?),
            target: PathBuf::from(text("Destination")),
            writable: entry.get("RW").and_then(Value::as_bool).unwrap_or(true),
        })
    };
    list.into_iter().flatten().filter_map(mount).collect()
}

/// The path on the host of a path in the container; `None` for one that exists only inside.
pub fn on_host(mounts: &[Mount], path: &Path) -> Option<PathBuf> {
    let holds = mounts.iter().filter(|mount| path.starts_with(&mount.target));
    // The innermost mount is the one that is seen.
    let mount = holds.max_by_key(|mount| mount.target.components().count())?;
    let inside = path.strip_prefix(&mount.target).ok()?;
    // Joining nothing would end the path with a slash, which a file does not bear.
    Some(if inside.as_os_str().is_empty() { mount.source.clone() } else { mount.source.join(inside) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renew_case_17_a_path_of_the_container_is_found_on_the_host_by_its_innermost_mount() {
        let raw = serde_json::json!({"Mounts": [
            {"Type": "bind", "Source": "/srv/prime/webroot", "Destination": "/var/www/acme", "RW": false},
            {"Type": "volume", "Name": "html", "Source": "/var/lib/docker/volumes/html/_data", "Destination": "/var/www", "RW": true},
            {"Type": "bind", "Source": "/srv/fullchain.pem", "Destination": "/etc/nginx/fullchain.pem"},
            {"Type": "tmpfs", "Source": "", "Destination": "/run"},
        ]});
        let mounts = mounts(&raw);
        assert_eq!((mounts.len(), mounts[0].writable), (3, false));
        let host = |path: &str| on_host(&mounts, Path::new(path)).map(|path| path.display().to_string());
        for (inside, outside) in [
            ("/var/www/acme", Some("/srv/prime/webroot")),
            ("/var/www/acme/.well-known", Some("/srv/prime/webroot/.well-known")),
            ("/var/www/html", Some("/var/lib/docker/volumes/html/_data/html")),
            ("/etc/nginx/fullchain.pem", Some("/srv/fullchain.pem")),
            ("/var/wwwx", None),
            ("/usr/share/nginx/html", None),
            ("/run/x", None),
        ] {
            assert_eq!(host(inside).as_deref(), outside, "{inside}");
        }
    }
}
