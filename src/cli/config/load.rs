//! Finds the configuration file, makes sure that it can be trusted, and reads it.

use std::{
    ffi::OsStr,
    fmt,
    fs::{File, Metadata, OpenOptions},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{
    build, mismatch,
    model::Model,
    read,
    value::{Entry, Origin, Tree, Value},
};
use crate::{
    error::{Error, Kind, Result},
    system::Context,
};

/// A configuration with what is known about it. Its text may hold secrets, so it has no `Debug` of its own.
pub struct Loaded {
    /// What it says.
    pub model: Model,
    /// Every value with where it came from.
    pub tree: Tree,
    /// The file.
    pub path: PathBuf,
    /// How the file was found.
    pub found: Found,
    /// The content of the file; may hold secrets.
    pub text: String,
    /// What the operator should know although it can be used; one sentence each.
    pub warnings: Vec<String>,
}

/// How a file was found, in the order in which they are tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Found {
    /// `--config`.
    Flag,
    /// `$MAINSTAY_CONFIG`.
    Variable,
    /// The folder of the call or one above it.
    Folder,
    /// The user's configuration folder.
    User,
    /// `/etc/mainstay`.
    System,
}

/// Finds and reads the configuration: `--config`, `$MAINSTAY_CONFIG`, the folder and its parents up to the git root or the
/// home folder, the user's configuration folder, `/etc/mainstay`. The first one found is used; `None` when there is none.
///
/// # Errors
///
/// The file can not be read, can not be trusted, or is wrong.
pub fn load(explicit: Option<&Path>, context: &Context) -> Result<Option<Loaded>> {
    load_below(explicit, context, Path::new("/etc"))
}

/// The largest file that is read.
const LARGEST: u64 = 1 << 20;

/// The file that is looked for.
const NAME: &str = "mainstay.toml";

impl Found {
    /// Fits after "found by".
    pub fn words(self) -> &'static str {
        match self {
            Self::Flag => "--config",
            Self::Variable => "$MAINSTAY_CONFIG",
            Self::Folder => "searching this folder and its parents",
            Self::User => "searching the user's configuration folder",
            Self::System => "searching /etc/mainstay",
        }
    }

    /// Whether nobody named the file.
    fn is_searched(self) -> bool {
        !matches!(self, Self::Flag | Self::Variable)
    }
}

impl Loaded {
    /// The name of the file without its folder.
    pub fn file_name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, path, found, warnings, .. } = self;
        f.debug_struct("Loaded")
            .field("path", path)
            .field("found", found)
            .field("warnings", warnings)
            .field("model", model)
            .finish_non_exhaustive()
    }
}

/// [`load`] with another folder in place of `/etc`.
pub(super) fn load_below(explicit: Option<&Path>, context: &Context, system: &Path) -> Result<Option<Loaded>> {
    let variable = context.environment.get(OsStr::new("MAINSTAY_CONFIG")).filter(|value| !value.is_empty());
    if let Some(path) = explicit {
        return open(context.folder.join(path), Found::Flag, context).map(Some);
    }
    if let Some(path) = variable {
        return open(context.folder.join(path), Found::Variable, context).map(Some);
    }
    for (path, found) in candidates(context, system) {
        match path.symlink_metadata() {
            Ok(_) => return open(path, found, context).map(Some),
            Err(error) if is_absent(&error) => {}
            // A file that may be there and can not be seen must not silently give way to the next.
            Err(error) => return Err(cannot_read(&path, &error, context)),
        }
    }
    Ok(None)
}

fn candidates(context: &Context, system: &Path) -> Vec<(PathBuf, Found)> {
    let absolute = |name: &str| {
        let value = context.environment.get(OsStr::new(name)).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    };
    let home = absolute("HOME");
    let mut paths = Vec::new();
    for folder in context.folder.ancestors() {
        paths.push((folder.join(NAME), Found::Folder));
        // A file in a repository's or a person's own folder is theirs; above it begins what belongs to others.
        if folder.join(".git").symlink_metadata().is_ok() || home.as_deref() == Some(folder) {
            break;
        }
    }
    // XDG Base Directory Specification: a relative path is ignored.
    let user = absolute("XDG_CONFIG_HOME").or_else(|| home.map(|home| home.join(".config")));
    paths.extend(user.map(|folder| (folder.join("mainstay").join(NAME), Found::User)));
    paths.push((system.join("mainstay").join(NAME), Found::System));
    paths
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn open(path: PathBuf, found: Found, context: &Context) -> Result<Loaded> {
    let mut options = OpenOptions::new();
    options.read(true);
    if found.is_searched() {
        // A pipe that somebody left there would hold us for ever; one named by --config is meant to be waited for.
        options.custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default());
    }
    let file = options.open(&path).map_err(|error| cannot_read(&path, &error, context))?;
    let metadata = file.metadata().map_err(|error| cannot_read(&path, &error, context))?;
    if metadata.is_dir() {
        return Err(wrong(&path, context).because("it is a folder").hint(format!("name the file: {NAME} in it?")));
    }
    if found.is_searched() {
        if !metadata.is_file() {
            return Err(wrong(&path, context).because("it is not a regular file"));
        }
        trust(&path, &metadata, context)?;
    }
    let text = content(file, &path, context)?;
    interpret(text, path, found, &metadata, context)
}

fn content(file: File, path: &Path, context: &Context) -> Result<String> {
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| cannot_read(path, &error, context))?;
    if bytes.len() as u64 > LARGEST {
        return Err(wrong(path, context).because("it is larger than 1 MiB, which no configuration is"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
        wrong(path, context).because(format!("it is not UTF-8 (line {line})"))
    })
}

fn interpret(text: String, path: PathBuf, found: Found, metadata: &Metadata, context: &Context) -> Result<Loaded> {
    let base = path.parent().unwrap_or(Path::new("/"));
    let name = shown(&path, context);
    let mut document = read::read(&text, &name, base);
    if let Some(state) = context.environment.get(OsStr::new("MAINSTAY_STATE")).filter(|value| !value.is_empty()) {
        let value = Value::Path(context.folder.join(state));
        document.tree.entries.retain(|entry| entry.name != "state");
        let at = document.tree.entries.len().min(1);
        let origin = Origin::Environment("MAINSTAY_STATE");
        document.tree.entries.insert(at, Entry { name: "state".into(), value, origin });
    }
    let model = match build::build(&document.tree) {
        Some(model) if document.problems.is_empty() => model,
        _ if document.problems.is_empty() => return Err(wrong(&path, context).because(mismatch(&text, &name))),
        _ => {
            let error = document.problems.iter().fold(wrong(&path, context), Error::because);
            return Err(error.hint("`mainstay config schema` prints every section and key"));
        }
    };
    let others = readers(metadata);
    let mut warnings = Vec::new();
    if let (Some(lines), Some(others)) = (lines_of(&document.literal_secrets), others) {
        warnings.push(format!(
            "`{name}` holds {lines} and {others} can read it: run `chmod 600 {name}`, or write \
             {{ env = \"NAME\" }}, {{ file = \"PATH\" }} or {{ command = [\"…\"] }}"
        ));
    }
    Ok(Loaded { model, tree: document.tree, path, found, text, warnings })
}

/// `a secret (line 8)`, `secrets (lines 8, 9)`.
fn lines_of(lines: &[usize]) -> Option<String> {
    match lines {
        [] => None,
        [line] => Some(format!("a secret (line {line})")),
        lines => {
            let lines: Vec<String> = lines.iter().map(usize::to_string).collect();
            Some(format!("secrets (lines {})", lines.join(", ")))
        }
    }
}

/// Who besides its owner can read the file.
fn readers(metadata: &Metadata) -> Option<&'static str> {
    if metadata.mode() & 0o004 != 0 {
        Some("everybody")
    } else if metadata.mode() & 0o040 != 0 && is_shared(metadata.gid(), metadata.uid()) {
        Some("its group")
    } else {
        None
    }
}

/// A file that nobody named can name commands that we run: it must come from somebody whom we would obey anyway.
fn trust(path: &Path, file: &Metadata, context: &Context) -> Result<()> {
    // Behind a link, the folder of the link and that of its target both decide what is read.
    let real = path.canonicalize().map_err(|error| cannot_read(path, &error, context))?;
    let mut folders = vec![path.parent(), real.parent()];
    folders.dedup();
    let mut places = vec![(path, file.clone())];
    for folder in folders.into_iter().flatten() {
        places.push((folder, folder.metadata().map_err(|error| cannot_read(folder, &error, context))?));
    }
    let mut trusted = vec![0, rustix::process::geteuid().as_raw()];
    trusted.extend(context.variable("SUDO_UID").and_then(|uid| uid.parse::<u32>().ok()));
    for (place, metadata) in places {
        let what = if place == path { "it".to_string() } else { format!("its folder `{}`", place.display()) };
        let Some(why) = distrust(metadata.uid(), metadata.gid(), metadata.mode(), &trusted) else { continue };
        return Err(wrong(path, context)
            .because(format!("{what} {why}, and it can name commands that mainstay runs"))
            .hint(format!("if you trust it, name it: mainstay --config {}", quoted(path))));
    }
    Ok(())
}

/// Why a file or folder of this owner, group and mode is not trusted; fits after "it".
fn distrust(owner: u32, group: u32, mode: u32, trusted: &[u32]) -> Option<String> {
    if !trusted.contains(&owner) {
        Some(format!("belongs to user {owner}, who is neither you nor root"))
    } else if mode & 0o002 != 0 {
        Some("can be written by everybody".into())
    } else if mode & 0o020 != 0 && is_shared(group, owner) {
        Some(format!("can be written by group {group}"))
    } else {
        None
    }
}

/// Whether others can be in this group: it is not root's, and not the owner's own (Debian numbers those alike).
fn is_shared(group: u32, owner: u32) -> bool {
    group != 0 && group != owner
}

fn wrong(path: &Path, context: &Context) -> Error {
    Error::new(Kind::Config, format!("use `{}`", shown(path, context)))
}

fn cannot_read(path: &Path, error: &std::io::Error, context: &Context) -> Error {
    let error_kind = error.kind();
    let error = Error::new(Kind::Config, format!("read `{}`", shown(path, context))).because(error);
    match error_kind {
        std::io::ErrorKind::NotFound => error.hint("name one that is there, or leave --config out and give an address"),
        std::io::ErrorKind::PermissionDenied => error.hint("run it as the user who owns the file, or with sudo"),
        _ => error,
    }
}

/// The path as the operator would type it, without what a terminal would obey.
fn shown(path: &Path, context: &Context) -> String {
    let short = path.strip_prefix(&context.folder).unwrap_or(path);
    let clean = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    short.display().to_string().chars().map(clean).collect()
}

/// The path for a shell.
fn quoted(path: &Path) -> String {
    shell_words::quote(&path.display().to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_and_modes_decide() {
        let trusted = [0, 1000];
        let table = [
            ((0, 0, 0o644), None),
            ((1000, 1000, 0o664), None),
            ((0, 0, 0o664), None),
            ((0, 50, 0o644), None),
            ((0, 50, 0o664), Some("can be written by group 50")),
            ((1000, 50, 0o2775), Some("can be written by group 50")),
            ((1000, 1000, 0o646), Some("can be written by everybody")),
            ((0, 0, 0o1777), Some("can be written by everybody")),
            ((1001, 1001, 0o600), Some("belongs to user 1001, who is neither you nor root")),
        ];
        for ((owner, group, mode), why) in table {
            assert_eq!(distrust(owner, group, mode, &trusted).as_deref(), why, "{owner} {group} {mode:o}");
        }
    }
}
