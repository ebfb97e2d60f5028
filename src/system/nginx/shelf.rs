//! The files of a configuration that nginx itself did not dump: of a folder here, or copied out of a container.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use globset::GlobBuilder;

use crate::{
    rules::nginx::{Config, ParseError, Source, parse_files},
    system::{
        docker::{Docker, Trouble},
        file,
    },
};

/// A configuration file is text that somebody wrote; more than this is none.
const FILE_LIMIT: u64 = 4 << 20;

/// What a container may be asked for beside the main folder.
const REQUESTS: usize = 64;

/// Files of this machine, read as they are asked for.
pub(super) struct Local {
    /// The folder of the main file.
    folder: PathBuf,
    /// Whether `/etc/nginx` stands for that folder: the file is a copy, kept outside of it.
    is_copy: bool,
}

impl Local {
    /// The files of a running nginx, at their own paths.
    pub(super) fn here() -> Self {
        Self { folder: PathBuf::new(), is_copy: false }
    }

    /// A main file that may be a copy, for example in a repository: what it includes from `/etc/nginx` lies beside it.
    pub(super) fn beside(main: &Path) -> Self {
        let folder = main.parent().unwrap_or(Path::new("")).to_owned();
        let is_copy = !folder.starts_with("/etc/nginx");
        Self { folder, is_copy }
    }

    /// Where a path of the configuration lies on this machine.
    fn place(&self, path: &str) -> PathBuf {
        match path.strip_prefix("/etc/nginx/") {
            Some(inside) if self.is_copy => self.folder.join(inside),
            _ => PathBuf::from(path),
        }
    }
}

impl Source for Local {
    fn read(&self, path: &str) -> Option<String> {
        let place = self.place(path);
        match file::read_text(&place, FILE_LIMIT) {
            Ok(text) => Some(text),
            // Copies leave out the list of media types that nginx brings along; it decides nothing here.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_copy && path.ends_with("/mime.types") => {
                Some(String::new())
            }
            Err(_) => None,
        }
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let place = self.place(pattern);
        let mut found = vec![PathBuf::from(if place.is_absolute() { "/" } else { "" })];
        for part in place.iter().filter_map(|part| part.to_str()).filter(|part| *part != "/") {
            found = found.iter().flat_map(|folder| matching(folder, part)).take(10_000).collect();
        }
        let name = |path: &Path| match path.strip_prefix(&self.folder) {
            Ok(inside) if self.is_copy && pattern.starts_with("/etc/nginx/") => Path::new("/etc/nginx").join(inside),
            _ => path.to_owned(),
        };
        found.iter().filter_map(|path| name(path).to_str().map(ToOwned::to_owned)).collect()
    }
}

/// What in this folder matches one part of a pattern.
fn matching(folder: &Path, part: &str) -> Vec<PathBuf> {
    if !part.contains(['*', '?', '[']) {
        let path = folder.join(part);
        return if path.exists() { vec![path] } else { Vec::new() };
    }
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(listed).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| part_matches(part, name)).map(|name| folder.join(name)).collect()
}

/// As glob(3) does it: `*` and `?` do not match a leading dot.
fn part_matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.is_ok_and(|glob| glob.compile_matcher().is_match(name))
}

/// Files copied out of a container; remembers what was asked for and is not there yet.
#[derive(Default)]
struct Fetched {
    files: BTreeMap<PathBuf, String>,
    links: BTreeMap<PathBuf, PathBuf>,
    asked: BTreeSet<PathBuf>,
    wanted: RefCell<BTreeSet<PathBuf>>,
}

impl Fetched {
    fn want(&self, path: &Path) {
        if !self.asked.contains(path) {
            self.wanted.borrow_mut().insert(path.to_owned());
        }
    }
}

impl Source for Fetched {
    fn read(&self, path: &str) -> Option<String> {
        let path = Path::new(path);
        let content = self.files.get(path).or_else(|| self.files.get(self.links.get(path)?));
        if content.is_none() {
            self.want(path);
        }
        content.cloned()
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let parts: Vec<&str> = Path::new(pattern).iter().filter_map(|part| part.to_str()).collect();
        let fixed = parts.iter().take_while(|part| !part.contains(['*', '?', '['])).count();
        let folder: PathBuf = parts[..fixed].iter().collect();
        if !self.asked.iter().any(|asked| folder.starts_with(asked)) {
            self.want(&folder);
        }
        let matches = |path: &Path| {
            path.iter().count() == parts.len()
                && path
                    .iter()
                    .zip(&parts)
                    .all(|(name, part)| name.to_str().is_some_and(|name| name == *part || part_matches(part, name)))
        };
        let paths = self.files.keys().chain(self.links.keys()).filter(|path| matches(path));
        paths.filter_map(|path| path.to_str().map(ToOwned::to_owned)).collect()
    }
}

/// Parses the configuration of a container out of its files. For an nginx that does not dump it.
///
/// # Errors
///
/// The engine does not give even the main file.
pub(super) async fn parse_in_container(
    docker: &Docker<'_>,
    id: &str,
    main: &str,
) -> Result<Result<Config, ParseError>, Trouble> {
    let mut fetched = Fetched::default();
    let folder = Path::new(main).parent().unwrap_or(Path::new("/")).to_owned();
    if fetch(&mut fetched, docker, id, &folder).await.is_err() {
        // The folder may be too large; the file itself must be there.
        fetch(&mut fetched, docker, id, Path::new(main)).await?;
    }
    loop {
        let parsed = parse_files(main, &fetched);
        let wanted = std::mem::take(&mut *fetched.wanted.borrow_mut());
        if wanted.is_empty() || fetched.asked.len() > REQUESTS {
            return Ok(parsed);
        }
        for path in wanted {
            // What is not there stays a file that is missing; the parser says so.
            let _ = fetch(&mut fetched, docker, id, &path).await;
        }
    }
}

async fn fetch(fetched: &mut Fetched, docker: &Docker<'_>, id: &str, path: &Path) -> Result<(), Trouble> {
    fetched.asked.insert(path.to_owned());
    let text = path.to_str().ok_or_else(|| Trouble::Other(format!("`{}` is no text", path.display())))?;
    let tree = docker.copy_tree(id, text).await?;
    let files = tree.files.into_iter();
    fetched.files.extend(files.map(|(path, file)| (path, String::from_utf8_lossy(&file.content).into_owned())));
    fetched.links.extend(tree.links);
    Ok(())
}
