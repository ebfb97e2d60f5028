//! `config show`: every value, where it came from, and no secret.

use std::{collections::BTreeMap, path::Path};

use crate::{
    cli::config::{
        json,
        load::{Loaded, load_below},
        show,
        value::{Tree, Value},
    },
    system::Context,
};

#[expect(clippy::disallowed_methods, reason = "a test makes the file that is shown")]
fn loaded(text: &str, state: Option<&str>) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mainstay.toml");
    std::fs::write(&path, text).unwrap();
    let variables: BTreeMap<_, _> = state.map(|state| ("MAINSTAY_STATE".into(), state.into())).into_iter().collect();
    let context = Context::real(variables, "/".into());
    load_below(Some(&path), &context, Path::new("/nowhere")).unwrap().unwrap()
}

const SECRETS: &str = "\
project = \"p\"
[site.a]
url = \"https://a.example\"
timeout = \"5s\"
[backup.b]
to = [\"/mnt/x\"]
passphrase = \"hunter2 phrase\"
[schedule.s]
timezone = \"UTC\"
on = [\"Mon 07:00-19:00\"]
[[schedule.s.ec2]]
regions = [\"us-east-2\"]
tags = { A = \"b\" }
role = \"arn:aws:iam::111122223333:role/x\"
external_id = \"hunter2 id\"
[notify]
webhook = \"https://hooks.example/hunter2\"
email = { to = [\"a@a.example\"], from = \"a@a.example\", smtp = \"smtp://ops:hunter2@localhost\" }
[notify.ping]
backup = \"https://hc.example/hunter2\"
";

#[test]
fn secrets_are_shown_nowhere() {
    let loaded = loaded(SECRETS, None);
    for text in [show(&loaded), json(&loaded).to_string(), format!("{loaded:?} {:?} {:?}", loaded.model, loaded.tree)] {
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(text.matches("<secret>").count() % 5, 0, "{text}");
        assert!(text.contains("<secret>"), "{text}");
    }
    assert_eq!(loaded.model.backups[0].passphrase.as_ref().and_then(|secret| secret.literal()), Some("hunter2 phrase"));
}

#[test]
fn each_value_says_where_it_came_from() {
    let loaded = loaded(SECRETS, Some("/tmp/state"));
    let shown = show(&loaded);
    let line = |start: &str| shown.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_string();
    assert!(line("# /").ends_with("/mainstay.toml (found by --config)"), "{shown}");
    assert!(line("state =").contains("\"/tmp/state\"") && line("state =").ends_with("# $MAINSTAY_STATE"), "{shown}");
    assert!(line("timeout = \"5s\"").ends_with("# mainstay.toml:4"), "{shown}");
    assert!(line("hsts = \"warn\"").ends_with("# default"), "{shown}");
    assert!(line("passphrase = \"<secret>\"").ends_with("# mainstay.toml:7"), "{shown}");
    assert!(shown.contains("\n[[schedule.s.ec2]]\n"), "{shown}");
    let json = json(&loaded);
    assert_eq!(json["values"]["site.a.timeout"], serde_json::json!({ "value": "5s", "origin": "mainstay.toml:4" }));
    assert_eq!(json["values"]["state"]["origin"], "$MAINSTAY_STATE");
}

#[test]
fn what_is_shown_names_every_key_and_is_right() {
    fn names(tree: &Tree, all: &mut Vec<String>) {
        for entry in &tree.entries {
            all.push(entry.name.clone());
            let inner = match &entry.value {
                Value::Table(tree) => vec![tree],
                Value::List(items) => items
                    .iter()
                    .filter_map(|item| if let Value::Table(tree) = item { Some(tree) } else { None })
                    .collect(),
                _ => Vec::new(),
            };
            inner.into_iter().for_each(|tree| names(tree, all));
        }
    }
    // A secret that is written out is not shown, so it could not be read again.
    let text = super::example::whole().replace("\"https://hc.example.net/", "{ env = \"PING\" } # ");
    let loaded = loaded(&text, None);
    let shown = show(&loaded);
    let mut all = Vec::new();
    names(&loaded.tree, &mut all);
    assert!(all.len() > 100);
    for name in all {
        assert!(shown.contains(&name), "{name} is not in\n{shown}");
    }
    // What is shown is a configuration again, with the same values.
    let again = super::super::parse(&shown, "/srv/mainstay.toml");
    let again = again.map_err(|all| all.iter().map(|d| format!("{d}\n")).collect::<String>());
    assert_eq!(format!("{:?}", again.unwrap()), format!("{:?}", loaded.model));
}
