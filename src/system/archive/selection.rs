//! What is kept and what is left out, in the syntax of `.gitignore`.
//!
//! An entry of `include` without a slash in its middle matches at every depth (`.env`, `config/`), one with a slash only
//! from the root (`/a`, `a/**/b`); a trailing slash matches folders only. A folder that matches brings all below it, until
//! a later `!entry` takes something out. What `exclude` matches is left out with all below it, as git leaves it out.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

use super::Recipe;
use crate::error::{Error, Kind, Result};

/// The patterns of a recipe, and which of them have matched so far.
pub(super) struct Selection {
    root: PathBuf,
    include: Gitignore,
    exclude: Gitignore,
    wishes: Vec<Wish>,
    is_default: bool,
    /// The paths that entries without wildcards name, and the folders on the way to them.
    named: BTreeSet<Vec<u8>>,
    on_the_way: BTreeSet<Vec<u8>>,
}

/// What becomes of a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It goes into the archive.
    Kept,
    /// It does not, nor does anything below it.
    LeftOut,
    /// It does not, but something below it may.
    Searched,
}

/// One entry of `include` that asks for something.
struct Wish {
    text: String,
    matcher: Gitignore,
    required: bool,
    met: bool,
    reach: Reach,
}

/// Where the matches of an entry can be.
enum Reach {
    /// At every depth.
    Anywhere,
    /// Below the folders of `lead`, which has no wildcards; no deeper than `depth` names, where that is known.
    From { lead: String, depth: Option<usize> },
}

impl Selection {
    /// Reads the patterns.
    ///
    /// # Errors
    ///
    /// The patterns that are none, all of them.
    pub(super) fn new(recipe: &Recipe) -> Result<Self> {
        let mut wrong = Vec::new();
        let include = compile("include", &recipe.include, &mut wrong);
        let exclude = compile("exclude", &recipe.exclude, &mut wrong);
        let mut selection = Self {
            root: recipe.root.clone(),
            include,
            exclude,
            wishes: Vec::new(),
            is_default: recipe.include_is_default,
            named: BTreeSet::new(),
            on_the_way: BTreeSet::new(),
        };
        for text in recipe.include.iter().filter(|text| !text.starts_with('!')) {
            let matcher = compile("include", std::slice::from_ref(text), &mut Vec::new());
            let required = !recipe.include_is_default && !recipe.optional.contains(text);
            selection.name(text);
            selection.wishes.push(Wish { text: text.clone(), matcher, required, met: false, reach: Reach::of(text) });
        }
        if wrong.is_empty() {
            return Ok(selection);
        }
        let error = Error::new(Kind::Config, "read the patterns of `include` and `exclude`");
        Err(wrong.into_iter().fold(error, Error::because).hint("write them as in a `.gitignore` file"))
    }

    /// What becomes of the path, given whether the folder that it is in is kept; also remembers which entries it meets.
    pub(super) fn judge(&mut self, path: &[u8], is_folder: bool, parent_kept: bool) -> Verdict {
        let shown = Path::new(OsStr::from_bytes(path));
        if matches!(self.exclude.matched(shown, is_folder), Match::Ignore(_)) {
            return Verdict::LeftOut;
        }
        for wish in self.wishes.iter_mut().filter(|wish| !wish.met) {
            wish.met = wish.matcher.matched(shown, is_folder).is_ignore();
        }
        let kept = match self.include.matched(shown, is_folder) {
            Match::Ignore(_) => true,
            Match::Whitelist(_) => false,
            Match::None => parent_kept,
        };
        match kept {
            true => Verdict::Kept,
            false if is_folder && self.wishes.iter().any(|wish| wish.reach.goes_below(path)) => Verdict::Searched,
            false => Verdict::LeftOut,
        }
    }

    /// Whether an entry names this very path, without wildcards.
    pub(super) fn names(&self, path: &[u8]) -> bool {
        self.named.contains(path)
    }

    /// Whether it is named, or on the way to what is named: a link there is followed, and a mount point is entered.
    pub(super) fn leads_to_named(&self, path: &[u8]) -> bool {
        self.named.contains(path) || self.on_the_way.contains(path)
    }

    /// Entries that must match something and have not.
    pub(super) fn unmet(&self) -> Vec<&str> {
        self.wishes.iter().filter(|wish| wish.required && !wish.met).map(|wish| wish.text.as_str()).collect()
    }

    /// Fails where an entry that must match something has not, or nothing has been found at all.
    pub(super) fn check(&self, files: u64) -> Result<()> {
        let what = format!("find what to back up in `{}`", self.root.display());
        let unmet = self.unmet();
        if !unmet.is_empty() {
            let error = unmet.iter().fold(Error::new(Kind::Failed, what), |error, text| {
                error.because(format!("`{text}` of `include` matches nothing that is not left out"))
            });
            let error = unmet.iter().filter_map(|text| advice(text)).fold(error, Error::hint);
            return Err(error.hint("put it back, take the entry out of `include`, or list it in `optional`"));
        }
        let nothing = !self.wishes.is_empty() && self.wishes.iter().all(|wish| !wish.met);
        if nothing || (self.is_default && files == 0) {
            let entries: Vec<_> = self.wishes.iter().map(|wish| format!("`{}`", wish.text)).collect();
            return Err(Error::new(Kind::Failed, what)
                .because(format!("no file matches {}", entries.join(", ")))
                .hint("set `root` to the folder of the application, or `include` to what is to be kept"));
        }
        Ok(())
    }

    fn name(&mut self, text: &str) {
        let path = text.trim_start_matches('/').trim_end_matches('/');
        if path.is_empty() || path.contains(['*', '?', '[', '\\']) || path.starts_with('#') {
            return;
        }
        self.named.insert(path.as_bytes().to_vec());
        for (at, _) in path.match_indices('/') {
            self.on_the_way.insert(path.as_bytes()[..at].to_vec());
        }
    }
}

impl Reach {
    fn of(text: &str) -> Self {
        let inner = text.trim_end_matches('/');
        let Some(slash) = inner.find('/') else { return Self::Anywhere };
        let inner = if slash == 0 { &inner[1..] } else { inner };
        let names: Vec<_> = inner.split('/').collect();
        let plain = |name: &&&str| !name.contains(['*', '?', '[', '\\']);
        let lead: Vec<_> = names.iter().take_while(plain).copied().collect();
        let depth = (!names.contains(&"**")).then_some(names.len());
        Self::From { lead: lead.join("/"), depth }
    }

    /// Whether something below this folder can match.
    fn goes_below(&self, folder: &[u8]) -> bool {
        let inside = |folder: &[u8], path: &[u8]| {
            folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.first() == Some(&b'/'))
        };
        match self {
            // Git's own folder is full of names that people chose for branches. As git, we do not look into it.
            Self::Anywhere => !folder.split(|byte| *byte == b'/').any(|name| name == b".git"),
            Self::From { lead, depth } => {
                let lead = lead.as_bytes();
                let names = folder.iter().filter(|byte| **byte == b'/').count() + 1;
                let on_the_way = inside(folder, lead);
                let beyond = folder == lead || inside(lead, folder);
                (on_the_way || beyond) && depth.is_none_or(|depth| names < depth)
            }
        }
    }
}

fn compile(key: &str, patterns: &[String], wrong: &mut Vec<String>) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    builder.allow_unclosed_class(false);
    for pattern in patterns {
        if pattern.starts_with('#') || pattern.trim().is_empty() {
            wrong.push(format!("`{pattern}` of `{key}` is a comment or empty, and matches nothing"));
        } else if let Err(error) = builder.add_line(None, pattern) {
            wrong.push(format!("`{key}`: {error}"));
        }
    }
    builder.build().unwrap_or_else(|error| {
        wrong.push(format!("`{key}`: {error}"));
        Gitignore::empty()
    })
}

/// What somebody may have meant by an entry that cannot match.
fn advice(text: &str) -> Option<String> {
    let name = text.trim_end_matches('/');
    if matches!(name, "." | "") {
        return Some("write `*` for everything below the root".into());
    }
    if let Some(rest) = text.strip_prefix("./") {
        return Some(format!("write `/{rest}`: patterns have no leading `./`"));
    }
    if name.split('/').any(|name| name == "..") {
        return Some("set `root` to a folder above: patterns cannot lead out of it".into());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(include: &[&str], exclude: &[&str]) -> Selection {
        let texts = |patterns: &[&str]| patterns.iter().map(|text| (*text).to_owned()).collect();
        let recipe = Recipe { include: texts(include), exclude: texts(exclude), ..Recipe::default() };
        Selection::new(&recipe).unwrap()
    }

    /// Walks down to the path as the walk does; a path that ends in a slash is a folder.
    fn verdict(include: &[&str], exclude: &[&str], path: &str) -> Verdict {
        let mut selection = selection(include, exclude);
        let is_folder = path.ends_with('/');
        let path = path.trim_end_matches('/');
        let mut kept = false;
        for (at, _) in path.match_indices('/') {
            match selection.judge(&path.as_bytes()[..at], true, kept) {
                Verdict::LeftOut => return Verdict::LeftOut,
                verdict => kept = verdict == Verdict::Kept,
            }
        }
        selection.judge(path.as_bytes(), is_folder, kept)
    }

    #[test]
    fn entries_mean_what_they_mean_to_git() {
        use Verdict::{Kept, LeftOut, Searched};
        for (include, exclude, path, expected) in [
            (&[".env"][..], &[][..], ".env", Kept),
            (&[".env"], &[], "a/b/.env", Kept),
            (&[".env"], &[], ".env.local", LeftOut),
            (&[".env"], &[], ".env/inside", Kept),
            (&[".env.*"], &[], ".env.local", Kept),
            (&[".env.*"], &[], ".env", LeftOut),
            (&["config/"], &[], "config", LeftOut),
            (&["config/"], &[], "config/", Kept),
            (&["config/"], &[], "config/deep/er.yml", Kept),
            (&["config/"], &[], "src/config/a.yml", Kept),
            (&["/config/"], &[], "src/config/a.yml", LeftOut),
            (&["/config/"], &[], "src/", LeftOut),
            (&["/a"], &[], "a", Kept),
            (&["/a"], &[], "b/a", LeftOut),
            (&["a/**/b"], &[], "a/b", Kept),
            (&["a/**/b"], &[], "a/x/y/b", Kept),
            (&["a/**/b"], &[], "a/x/", Searched),
            (&["a/**/b"], &[], "z/", LeftOut),
            (&["a/b/c"], &[], "a/b/", Searched),
            (&["a/b/c"], &[], "a/b/x/", LeftOut),
            (&["a/b/c"], &[], "a/bb/", LeftOut),
            (&["a/*.pem"], &[], "a/x/", LeftOut),
            (&["a/*.pem"], &[], "a/", Searched),
            (&["conf/**"], &[], "conf/", Searched),
            (&["conf/**"], &[], "conf/x/y", Kept),
            (&["*"], &[], "anything/at/all", Kept),
            (&["config/", "!config/cache/"], &[], "config/cache/x", LeftOut),
            (&["config/", "!*.bak"], &[], "config/a.bak", LeftOut),
            (&["config/"], &["*.sock"], "config/app.sock", LeftOut),
            (&["config/"], &["*.log", "!keep.log"], "config/keep.log", Kept),
            (&["config/"], &["*.log", "!keep.log"], "config/other.log", LeftOut),
            (&["config/"], &["config/cache/", "!config/cache/x"], "config/cache/x", LeftOut),
            (&[".env"], &[".env"], ".env", LeftOut),
            (&["\\!odd"], &[], "!odd", Kept),
            (&[".env"], &[], ".git/", LeftOut),
            (&[".env", ".git/config"], &[], ".git/config", Kept),
            (&[".git/"], &[], ".git/objects/aa", Kept),
        ] {
            assert_eq!(verdict(include, exclude, path), expected, "{include:?} {exclude:?} {path}");
        }
    }

    #[test]
    fn an_entry_is_met_also_where_another_one_decides() {
        let mut selection = selection(&[".env", ".env*", "config/", "config/app.yml"], &[]);
        for (path, is_folder) in [(".env", false), ("config", true), ("config/app.yml", false)] {
            selection.judge(path.as_bytes(), is_folder, path.starts_with("config/"));
        }
        assert_eq!(selection.unmet(), Vec::<&str>::new());
    }

    #[test]
    fn backup_case_20_an_entry_that_matches_nothing_is_named_with_what_may_have_been_meant() {
        for (entry, hint) in [("./conf", "`/conf`"), (".", "`*`"), ("../x", "`root`"), ("gone", "optional")] {
            let error = selection(&[entry], &[]).check(1).unwrap_err();
            assert!(error.why[0].contains(&format!("`{entry}`")), "{error:?}");
            assert!(error.hints[0].contains(hint), "{error:?}");
        }
        let mut left_out = selection(&[".env"], &[".env"]);
        left_out.judge(b".env", false, false);
        assert!(left_out.check(0).is_err(), "what is left out is not there");
    }

    #[test]
    fn every_pattern_that_is_none_is_told() {
        let recipe = Recipe {
            include: vec!["a[".into(), "#x".into(), "ok".into()],
            exclude: vec!["{".into()],
            ..Recipe::default()
        };
        let error = Selection::new(&recipe).err().unwrap();
        assert_eq!(error.kind, Kind::Config);
        assert!(error.why.len() >= 2 && error.why.iter().any(|why| why.contains("`#x`")), "{error:?}");
    }

    #[test]
    fn only_entries_without_wildcards_name_a_path() {
        let selection = selection(&["/current/.env", "config/", "*.pem"], &[]);
        assert!(selection.names(b"config") && selection.names(b"current/.env"));
        assert!(!selection.names(b"current") && selection.leads_to_named(b"current"));
        assert!(!selection.leads_to_named(b"a.pem"));
    }
}
