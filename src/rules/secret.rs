//! Which files of a backup hold a secret: by their name, else by what is in them.

use std::{path::Path, sync::LazyLock};

use regex::bytes::Regex;

/// Why a file is taken for a secret.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Sign {
    /// It has the name that such files have.
    Name,
    /// A private key is in it.
    PrivateKey,
    /// Something is written in it as a password or a token is; it may be a harmless one.
    Credential,
}

/// Names that say it, without regard to case.
const NAMES: &[&str] =
    &[".env", ".htpasswd", ".netrc", ".pgpass", ".my.cnf", "id_dsa", "id_ecdsa", "id_ed25519", "id_rsa", "kubeconfig"];

/// Ends of names that say it. A `.pem` may be a certificate, so its content decides.
const EXTENSIONS: &[&str] = &["jks", "kdbx", "key", "keystore", "p12", "pfx", "pkcs12"];

/// Files that show what a secret file looks like: they are meant to be in git.
const TEMPLATES: &[&str] = &["dist", "example", "sample", "template"];

/// Whether a file of this name holds a secret whatever is in it.
pub fn is_named_so(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    if TEMPLATES.contains(&end) {
        return false;
    }
    NAMES.contains(&name.as_str()) || name.starts_with(".env.") || EXTENSIONS.contains(&end)
}

/// What the content of a file says about it; `None` where nothing in it looks like a secret.
pub fn in_content(path: &Path, content: &[u8]) -> Option<Sign> {
    static KEY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----|AGE-SECRET-KEY-1").expect("a constant expression")
    });
    // `name = value`, also as TOML, YAML and JSON write it, and `scheme://user:password@host`.
    static CREDENTIAL: LazyLock<Regex> = LazyLock::new(|| {
        let word = r"(passw(or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key)";
        let assignment = format!(
            r#"(?im)^[\s"'{{-]*(export\s+)?[\w.-]*{word}["']?\s*[:=]\s*["']?(?<value>[^\s"'#,;]{{8,}})|://[^\s:/@]+:(?<inline>[^\s:/@]{{4,}})@"#
        );
        Regex::new(&assignment).expect("a constant expression")
    });
    if KEY.is_match(content) {
        return Some(Sign::PrivateKey);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    if TEMPLATES.iter().any(|end| name.ends_with(&format!(".{end}"))) {
        return None;
    }
    let written_out = |found: regex::bytes::Captures<'_>| {
        let value = found.name("value").or(found.name("inline"))?.as_bytes();
        // A reference to where the value is, a place to fill in, or a path.
        let stands_for =
            value.starts_with(b"$") || value.starts_with(b"<") || value.starts_with(b"{") || value.starts_with(b"/");
        let calls = value.contains(&b'(') || value.contains(&b'[');
        (!stands_for && !calls).then_some(Sign::Credential)
    };
    CREDENTIAL.captures_iter(content).find_map(written_out)
}

/// A command line's words with what is written in them as a secret replaced by `<secret>`: `PGPASSWORD=…`, `--token …`,
/// `scheme://user:password@host`. A reference to where the secret is (`$NAME`) stays.
pub fn hide_in_command(words: &[String]) -> Vec<String> {
    // The value of an option that stands alone is the next word.
    let asks = |word: &String| word.starts_with('-') && !word.contains('=') && SECRET_NAME.is_match(word.as_bytes());
    let follows = |at: usize| at > 0 && asks(&words[at - 1]);
    words
        .iter()
        .enumerate()
        .map(|(at, word)| match follows(at) && !word.starts_with(['-', '$', '/', '<']) {
            true => HIDDEN.to_owned(),
            false => hide(word),
        })
        .collect()
}

/// The same for one word.
pub fn hide(word: &str) -> String {
    static INLINE: LazyLock<regex::Regex> = LazyLock::new(|| {
        let word = format!("(?i)(?<name>[\\w.-]*{WORD}[\\w.-]*=)(?<value>[^$/<,:&][^,&]*)");
        let inline = r"(?<before>://[^\s:/@]+:)[^\s/@]+@";
        let key = "AGE-SECRET-KEY-1[A-Z0-9]+";
        regex::Regex::new(&format!("{word}|{inline}|(?<key>{key})")).expect("a constant expression")
    });
    let hidden =
        INLINE.replace_all(word, |found: &regex::Captures<'_>| match (found.name("name"), found.name("before")) {
            (Some(name), _) => format!("{}{HIDDEN}", name.as_str()),
            (None, Some(before)) => format!("{}{HIDDEN}@", before.as_str()),
            (None, None) => HIDDEN.to_owned(),
        });
    hidden.into_owned()
}

const HIDDEN: &str = "<secret>";

/// What names of secrets have in them.
const WORD: &str = r"(passw(or)?d|pass|passphrase|secret|token|api[_-]?key|access[_-]?key(_id)?)";

static SECRET_NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("(?i){WORD}$")).expect("a constant expression"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_shown_without_its_secrets() {
        for (command, shown) in [
            ("docker exec -e PGPASSWORD=hunter2 db pg_dump app", "docker exec -e PGPASSWORD=<secret> db pg_dump app"),
            ("mysqldump --password=hunter2 app", "mysqldump --password=<secret> app"),
            ("curl --token abcdef https://a.example", "curl --token <secret> https://a.example"),
            ("pg_dump postgres://app:hunter2@db/app", "pg_dump postgres://app:<secret>@db/app"),
            ("docker exec -e PGPASSWORD=$PGPASSWORD db", "docker exec -e PGPASSWORD=$PGPASSWORD db"),
            ("pg_dump --password-file /run/secret -U app", "pg_dump --password-file /run/secret -U app"),
            ("gunicorn --workers 3 -e SECRET_KEY=abc app:app", "gunicorn --workers 3 -e SECRET_KEY=<secret> app:app"),
            (
                ":s3,access_key_id=AK,secret_access_key=xyz:bucket",
                ":s3,access_key_id=<secret>,secret_access_key=<secret>",
            ),
            ("docker exec -i db pg_dump -U app --passfile /x", "docker exec -i db pg_dump -U app --passfile /x"),
            ("age -i AGE-SECRET-KEY-1QQQ", "age -i <secret>"),
        ] {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            assert_eq!(hide_in_command(&words).join(" "), shown);
        }
    }

    #[test]
    fn names_say_it_and_templates_do_not() {
        for name in [".env", "a/.env", ".env.production", ".ENV.local", "tls/server.key", "config/id_ed25519", "x.P12"]
        {
            assert!(is_named_so(Path::new(name)), "{name}");
        }
        for name in [".env.example", ".env.prod.sample", "env", "env.py", "fullchain.pem", "key", "monkey", ".envrc"] {
            assert!(!is_named_so(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn content_says_it_where_a_value_is_written_out() {
        let of = |text: &str| in_content(Path::new("config/app.toml"), text.as_bytes());
        assert_eq!(of("-----BEGIN EC PRIVATE KEY-----\nMHc"), Some(Sign::PrivateKey));
        assert_eq!(of("-----BEGIN PRIVATE KEY-----"), Some(Sign::PrivateKey));
        assert_eq!(of("# created\nAGE-SECRET-KEY-1QQ"), Some(Sign::PrivateKey));
        assert_eq!(of("-----BEGIN CERTIFICATE-----\nMIIB"), None);
        for text in [
            "password = \"correct horse\"\ndb_password = hunter2hunter2",
            "  DB_PASSWORD: 'hunter2hunter2'",
            "{\n  \"api_key\": \"0123456789abcdef\"\n}",
            "export AWS_SECRET_ACCESS_KEY=abcdefghijkl",
            "url = postgres://app:hunter2@db/app",
            "- STRIPE_TOKEN=sk_live_0123456789",
        ] {
            assert_eq!(of(text), Some(Sign::Credential), "{text}");
        }
        for text in [
            "password = ${DB_PASSWORD}",
            "password = { env = \"DB_PASSWORD\" }",
            "secret_file: /run/secrets/db_password",
            "token = <your-token-here>",
            "# set the password in .env",
            "password_hashers = [\"argon2\"]",
            "secret = os.environ[\"SECRET\"]",
            "url = https://example.org:8443/x@y",
            "workers = 3",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(in_content(Path::new("app.toml.example"), b"password = changeme123"), None);
    }
}
