//! certbot's renewal configuration file, `renewal/NAME.conf`: read, compared, and put back where an option was meant once.
//!
//! The format is that of ConfigObj 5: `key = value`, lists with commas, `[section]`, `[[section inside]]`. certbot writes
//! into it every option that it was called with (its documentation, "those options will be saved"), so an option for one
//! run stays for ever unless it is put back.

use std::{fmt, ops::Range};

use super::{Hook, Moment};

/// A renewal configuration that could be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conf {
    entries: Vec<Entry>,
}

/// How certbot proves its hold on the names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Authenticator {
    /// A plugin of another kind: `dns-route53`, `manual`, `nginx`.
    Other(String),
    /// It answers port 80 itself.
    Standalone,
    /// It writes files into these folders, one for each name where the file says so.
    Webroot(Vec<String>),
}

/// One difference between two readings of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The key with its sections: `renewalparams.authenticator`.
    pub key: String,
    /// Its value before.
    pub before: Option<String>,
    /// Its value now.
    pub after: Option<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Entry {
    /// With its sections, joined by dots.
    key: String,
    values: Vec<String>,
    lines: Range<usize>,
}

impl Conf {
    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with its line: certbot skips such a file and ends with 1, also when nothing is due.
    pub fn parse(text: &str) -> Result<Self, String> {
        let conf = Self { entries: entries(text)? };
        for key in ["cert", "privkey", "chain", "fullchain"] {
            if conf.value(key).is_none() {
                return Err(format!("it has no `{key}`, which certbot needs"));
            }
        }
        if !conf.entries.iter().any(|entry| entry.key.starts_with("renewalparams.")) {
            return Err("it has no [renewalparams]".to_owned());
        }
        Ok(conf)
    }

    /// The first value of a key; sections are joined by dots.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values(key).first().map(String::as_str)
    }

    /// All values of a key.
    pub fn values(&self, key: &str) -> &[String] {
        self.entries.iter().find(|entry| entry.key == key).map_or(&[], |entry| entry.values.as_slice())
    }

    /// How the next plain `certbot renew` would prove its hold on the names.
    pub fn authenticator(&self) -> Authenticator {
        match self.value("renewalparams.authenticator").unwrap_or("(none)") {
            "standalone" => Authenticator::Standalone,
            "webroot" => {
                let mapped = self.entries.iter().filter(|entry| entry.key.starts_with("renewalparams.webroot_map."));
                let mut folders: Vec<String> = mapped.flat_map(|entry| entry.values.iter().take(1)).cloned().collect();
                if folders.is_empty() {
                    folders.extend_from_slice(self.values("renewalparams.webroot_path"));
                }
                folders.sort();
                folders.dedup();
                Authenticator::Webroot(folders)
            }
            other => Authenticator::Other(other.to_owned()),
        }
    }

    /// The folder of this name's challenge files, as `[[webroot_map]]` says.
    pub fn webroot_of(&self, name: &str) -> Option<&str> {
        self.value(&format!("renewalparams.webroot_map.{name}"))
    }

    /// The ACME directory that it is renewed at.
    pub fn server(&self) -> Option<&str> {
        self.value("renewalparams.server")
    }

    /// The commands that certbot runs around a renewal. It writes `renew_hook`, and reads `deploy_hook` as well.
    pub fn hooks(&self) -> Vec<Hook> {
        let set = |key: &str| {
            let command = self.values(&format!("renewalparams.{key}")).join(", ");
            let source = "its renewal file".to_owned();
            let moment = Moment::of_key(key).filter(|_| !command.is_empty() && command != "None")?;
            Some(Hook { moment, source, command, script: String::new() })
        };
        ["pre_hook", "renew_hook", "deploy_hook", "post_hook"].into_iter().filter_map(set).collect()
    }

    /// Whether a plain `certbot renew` would leave it alone (`autorenew = False`, certbot 3 and later).
    pub fn is_left_alone(&self) -> bool {
        self.value("renewalparams.autorenew").is_some_and(|value| value.eq_ignore_ascii_case("false"))
    }
}

/// What changed between two readings, except what every run of certbot changes: `version`, `[acme_renewal_info]`.
pub fn changes(before: &Conf, after: &Conf) -> Vec<Change> {
    let counts = |entry: &&Entry| entry.key != "version" && !entry.key.starts_with("acme_renewal_info.");
    let value = |conf: &Conf, key: &str| {
        let entry = conf.entries.iter().find(|entry| entry.key == key);
        entry.map(|entry| entry.values.join(", "))
    };
    let mut changes = Vec::new();
    for entry in before.entries.iter().filter(counts) {
        let now = value(after, &entry.key);
        let then = Some(entry.values.join(", "));
        if now != then {
            changes.push(Change { key: entry.key.clone(), before: then, after: now });
        }
    }
    for entry in after.entries.iter().filter(counts) {
        if value(before, &entry.key).is_none() {
            let now = Some(entry.values.join(", "));
            changes.push(Change { key: entry.key.clone(), before: None, after: now });
        }
    }
    changes
}

/// The text `after` with the options of one run as they were in `before`: how the names are proved, and certbot's folders.
/// All else stays, also what somebody changed by hand meanwhile.
///
/// # Errors
///
/// One of the two cannot be read.
pub fn put_back(before: &str, after: &str) -> Result<String, String> {
    let (old, new) = (entries(before)?, entries(after)?);
    let is_ours = |entry: &&Entry| {
        let key = entry.key.strip_prefix("renewalparams.");
        key.is_some_and(|key| ONCE.contains(&key) || key.starts_with("webroot_map."))
    };
    let lines: Vec<&str> = after.lines().collect();
    let mut kept = vec![true; lines.len()];
    for entry in new.iter().filter(is_ours) {
        kept[entry.lines.clone()].fill(false);
    }
    let is_map =
        |line: &str| line.trim().starts_with("[[") && section(line).is_some_and(|(_, name)| name == "webroot_map");
    for (at, line) in lines.iter().enumerate() {
        if is_map(line) {
            kept[at] = false;
        }
    }
    let written: Vec<&str> = before.lines().collect();
    let (mut flat, mut mapped) = (Vec::new(), Vec::new());
    for entry in old.iter().filter(is_ours) {
        let lines = written[entry.lines.clone()].iter().copied();
        if entry.key.contains(".webroot_map.") { mapped.extend(lines) } else { flat.extend(lines) }
    }
    let mut text: Vec<&str> = Vec::new();
    let mut inside = false;
    let had_map = written.iter().any(|line| is_map(line));
    let map: Vec<&str> = had_map.then_some("[[webroot_map]]").into_iter().chain(mapped).collect();
    for (line, _) in lines.iter().zip(&kept).filter(|(_, kept)| **kept) {
        if let Some((depth, name)) = section(line) {
            // The map is a section inside, so it must come last: before the next section of any depth.
            if inside {
                text.extend(&map);
                inside = false;
            }
            text.push(line);
            if depth == 1 && name == "renewalparams" {
                inside = true;
                text.extend(&flat);
            }
            continue;
        }
        text.push(line);
    }
    if inside {
        text.extend(&map);
    }
    Ok(text.join("\n") + "\n")
}

/// The options that our command line can carry for one run.
const ONCE: &[&str] = &["authenticator", "webroot_path", "config_dir", "work_dir", "logs_dir"];

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not set)".to_owned());
        write!(f, "{}: {} -> {}", self.key, shown(&self.before), shown(&self.after))
    }
}

fn entries(text: &str) -> Result<Vec<Entry>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found: Vec<Entry> = Vec::new();
    let mut sections: Vec<String> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].trim();
        let start = at;
        at += 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some((depth, name)) = section(line) {
            if depth > sections.len() + 1 {
                return Err(format!("line {}: the section `{name}` is nested too deep", start + 1));
            }
            sections.truncate(depth - 1);
            sections.push(name.to_owned());
            continue;
        }
        let (name, value) =
            line.split_once('=').ok_or_else(|| format!("line {}: `{line}` is no `key = value`", start + 1))?;
        let mut value = value.trim().to_owned();
        for quote in ["'''", "\"\"\""] {
            if value.starts_with(quote) && !(value.len() >= 6 && value.ends_with(quote)) {
                loop {
                    let more = lines.get(at).ok_or_else(|| format!("line {}: a text is not closed", start + 1))?;
                    at += 1;
                    value.push('\n');
                    value.push_str(more);
                    if more.contains(quote) {
                        break;
                    }
                }
            }
        }
        let name = unquoted(name.trim()).0;
        let key = sections.iter().map(String::as_str).chain([name.as_str()]).collect::<Vec<_>>().join(".");
        if found.iter().any(|entry| entry.key == key) {
            return Err(format!("line {}: `{key}` stands there twice", start + 1));
        }
        let values = values(&value).map_err(|why| format!("line {}: {why}", start + 1))?;
        found.push(Entry { key, values, lines: start..at });
    }
    Ok(found)
}

/// The depth and the name of a section's head.
fn section(line: &str) -> Option<(usize, &str)> {
    let line = line.trim();
    let depth = line.len() - line.trim_start_matches('[').len();
    if depth == 0 {
        return None;
    }
    let (name, rest) = line[depth..].split_once(']')?;
    let rest = rest.trim_start_matches(']').trim();
    (rest.is_empty() || rest.starts_with('#')).then(|| (depth, name.trim().trim_matches(['"', '\''])))
}

/// A value as a list; a text without commas is a list of one.
fn values(text: &str) -> Result<Vec<String>, String> {
    for quote in ["'''", "\"\"\""] {
        if let Some(inner) = text.strip_prefix(quote) {
            let inner = inner.split(quote).next().unwrap_or_default();
            return Ok(vec![inner.to_owned()]);
        }
    }
    let mut values = Vec::new();
    let mut rest = text.trim();
    loop {
        let (value, left) = unquoted(rest);
        let left = left.trim_start();
        if let Some(more) = left.strip_prefix(',') {
            values.push(value);
            rest = more.trim_start();
            // A comma at the end makes a list of what is there.
            if rest.is_empty() || rest.starts_with('#') {
                return Ok(values);
            }
            continue;
        }
        if !left.is_empty() && !left.starts_with('#') {
            return Err(format!("`{left}` follows a text in quotes"));
        }
        values.push(value);
        return Ok(values);
    }
}

/// The first value of a text, and what follows it.
fn unquoted(text: &str) -> (String, &str) {
    for quote in ['"', '\''] {
        if let Some(rest) = text.strip_prefix(quote)
            && let Some((inner, rest)) = rest.split_once(quote)
        {
            return (inner.to_owned(), rest);
        }
    }
    let end = text.find([',', '#']).unwrap_or(text.len());
    (text[..end].trim_end().to_owned(), &text[end..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As certbot 2.1.0 writes it.
    const STANDALONE: &str = "\
# renew_before_expiry = 30 days
version = 2.1.0
archive_dir = /etc/letsencrypt/archive/app.example.test
cert = /etc/letsencrypt/live/app.example.test/cert.pem
privkey = /etc/letsencrypt/live/app.example.test/privkey.pem
chain = /etc/letsencrypt/live/app.example.test/chain.pem
fullchain = /etc/letsencrypt/live/app.example.test/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = 0123456789abcdef0123456789abcdef
authenticator = standalone
server = https://127.0.0.1:14000/dir
key_type = rsa
";

    fn webroot(version: &str) -> String {
        let text =
            STANDALONE.replace("authenticator = standalone\n", "authenticator = webroot\nwebroot_path = /srv/w,\n");
        text.replace("2.1.0", version)
            + "[[webroot_map]]\napp.example.test = /srv/w\nwww.example.test = /srv/w\n\n[acme_renewal_info]\nari_retry_after = 2026-11-25T18:00:00\n"
    }

    #[test]
    fn what_certbot_writes_is_read() {
        let conf = Conf::parse(STANDALONE).unwrap();
        assert_eq!(conf.value("archive_dir"), Some("/etc/letsencrypt/archive/app.example.test"));
        assert_eq!(conf.authenticator(), Authenticator::Standalone);
        assert_eq!(conf.server(), Some("https://127.0.0.1:14000/dir"));
        let conf = Conf::parse(&webroot("2.1.0")).unwrap();
        assert_eq!(conf.authenticator(), Authenticator::Webroot(vec!["/srv/w".into()]));
        assert_eq!(conf.values("renewalparams.webroot_path"), ["/srv/w"]);
        assert_eq!(conf.webroot_of("www.example.test"), Some("/srv/w"));
    }

    #[test]
    fn quotes_lists_comments_and_long_texts_are_read_as_configobj_does() {
        let text = format!(
            "{STANDALONE}pre_hook = \"docker stop web, then wait\"\nrenew_hook = '''a\nb'''\nwebroot_path = /a, '/b,c', /d # why\npost_hook = None\n"
        );
        let conf = Conf::parse(&text).unwrap();
        assert_eq!(conf.values("renewalparams.webroot_path"), ["/a", "/b,c", "/d"]);
        let hooks: Vec<_> = conf.hooks().into_iter().map(|hook| (hook.moment, hook.command)).collect();
        assert_eq!(
            hooks,
            [(Moment::Pre, "docker stop web, then wait".to_owned()), (Moment::Deploy, "a\nb".to_owned())]
        );
        assert!(
            !conf.is_left_alone() && Conf::parse(&format!("{STANDALONE}autorenew = False\n")).unwrap().is_left_alone()
        );
    }

    #[test]
    fn renew_case_06_a_broken_or_empty_file_is_told_with_its_line() {
        for (text, why) in [
            ("", "it has no `cert`"),
            ("cert = a\nnonsense\n", "line 2: `nonsense` is no `key = value`"),
            ("a = 1\na = 2\n", "line 2: `a` stands there twice"),
            ("a = '''x\n", "line 1: a text is not closed"),
            ("a = 'x' y\n", "line 1: `y` follows a text in quotes"),
            ("[[deep]]\n", "line 1: the section `deep` is nested too deep"),
        ] {
            assert!(Conf::parse(text).unwrap_err().starts_with(why), "{text}: {:?}", Conf::parse(text));
        }
        let (head, _) = STANDALONE.split_once("[renewalparams]").unwrap();
        assert_eq!(Conf::parse(head).unwrap_err(), "it has no [renewalparams]");
    }

    #[test]
    fn what_every_run_rewrites_is_no_change() {
        let (before, after) = (Conf::parse(&webroot("2.1.0")).unwrap(), webroot("5.8.0").replace("T18:", "T23:"));
        assert_eq!(changes(&before, &Conf::parse(&after).unwrap()), []);
    }

    #[test]
    fn a_flag_for_one_run_shows_as_a_change_and_is_put_back() {
        let after = webroot("5.8.0");
        let (old, new) = (Conf::parse(STANDALONE).unwrap(), Conf::parse(&after).unwrap());
        let shown: Vec<String> = changes(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(shown[0], "renewalparams.authenticator: standalone -> webroot");
        assert_eq!(shown.len(), 4, "{shown:?}");
        let mended = put_back(STANDALONE, &after).unwrap();
        let conf = Conf::parse(&mended).unwrap();
        assert_eq!(changes(&old, &conf), []);
        assert_eq!(conf.value("version"), Some("5.8.0"), "{mended}");
        assert!(mended.contains("ari_retry_after") && !mended.contains("webroot"), "{mended}");

        // And the other way round.
        let mended = put_back(&webroot("2.1.0"), STANDALONE).unwrap();
        let conf = Conf::parse(&mended).unwrap();
        assert_eq!(conf.authenticator(), Authenticator::Webroot(vec!["/srv/w".into()]));
        assert_eq!(conf.webroot_of("www.example.test"), Some("/srv/w"), "{mended}");
    }

    proptest! {
        #[test]
        fn nothing_panics_and_putting_back_twice_is_putting_back_once(text in "[\\[\\]a-c=,'\"# \n]{0,60}") {
            let _ = Conf::parse(&text);
            if let Ok(once) = put_back(&text, STANDALONE) {
                prop_assert_eq!(put_back(&text, &once).unwrap(), once);
            }
        }
    }
}
