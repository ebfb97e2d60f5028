//! The commands that findings and plans name, in podman's words: they are written for docker, and podman takes nearly all of
//! them as they are.

use serde_json::Value;

use crate::report::{Finding, Report};

/// What both have; `docker compose` and `docker context` are docker's alone.
const VERBS: &[&str] = &[
    "cp", "exec", "inspect", "kill", "logs", "network", "port", "ps", "restart", "rm", "start", "stats", "stop",
    "system", "top", "unpause",
];

/// Puts every command of a report that a person may type into podman's words.
pub fn translate(report: &mut Report) {
    report.findings.iter_mut().for_each(translate_finding);
    for fix in report.outcomes.iter_mut().filter_map(|outcome| outcome.fix.as_mut()) {
        *fix = in_its_words(fix);
    }
    let notes = report.plan.as_mut().and_then(|plan| plan["notes"].as_array_mut());
    for note in notes.into_iter().flatten() {
        if let Some(text) = note.as_str() {
            *note = in_its_words(text).into();
        }
    }
}

/// The same of one finding.
pub fn translate_finding(finding: &mut Finding) {
    for text in [&mut finding.cause, &mut finding.fix, &mut finding.by_hand].into_iter().flatten() {
        *text = in_its_words(text);
    }
    if let Some(Value::String(text)) = finding.data.get_mut("evidence") {
        *text = in_its_words(text);
    }
}

/// A text with command lines in it, for who has podman.
fn in_its_words(text: &str) -> String {
    let (mut words, mut rest) = (String::new(), text);
    // What names podman already may have docker's options still.
    while let Some((at, program)) =
        ["docker ", "podman "].into_iter().filter_map(|word| Some((rest.find(word)?, word))).min()
    {
        let (before, after) = (&rest[..at], &rest[at + program.len()..]);
        words.push_str(before);
        let verb = after.split(|letter: char| !letter.is_ascii_lowercase()).next().unwrap_or_default();
        let is_whole = !words.ends_with(|letter: char| letter.is_alphanumeric() || "-_./".contains(letter));
        if !is_whole || !VERBS.contains(&verb) {
            words.push_str(program);
            rest = after;
            continue;
        }
        let (command, more) = after.split_at(after.find(['`', ';', '|', '&', '\n']).unwrap_or(after.len()));
        words.push_str("podman ");
        // A command may stand in another one, as `"$(docker ps -q …)"`.
        words.push_str(&in_its_words(&with_its_options(verb, command)));
        rest = more;
    }
    words + rest
}

/// podman 4.3: `podman cp` follows links and has no option for it, `podman top` takes its columns as words.
fn with_its_options(verb: &str, command: &str) -> String {
    match verb {
        "cp" => command.replacen("cp -L ", "cp ", 1),
        "top" => match command.split_once(" -o ") {
            Some((container, columns)) => {
                format!("{container} {}", columns.replace(',', " ").replace("lstart", "etime"))
            }
            None => command.to_owned(),
        },
        _ => command.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::report::{Outcome, Plan, State};

    #[test]
    fn commands_are_podmans_and_other_words_stay() {
        for (docker, podman) in [
            ("run `docker start web`, then look", "run `podman start web`, then look"),
            (
                "docker exec web nginx -t && docker exec web nginx -s reload",
                "podman exec web nginx -t && podman exec web nginx -s reload",
            ),
            (
                "docker top web -o pid,ppid,lstart,args; docker cp -L web:/etc/nginx - | tar -tv",
                "podman top web pid ppid etime args; podman cp web:/etc/nginx - | tar -tv",
            ),
            (
                "docker top \"$(docker ps -q --filter label=a=b)\" -o pid,args | grep gunicorn",
                "podman top \"$(podman ps -q --filter label=a=b)\" pid args | grep gunicorn",
            ),
            ("podman cp -L web:/a - | tar -t", "podman cp web:/a - | tar -t"),
            ("docker compose up -d", "docker compose up -d"),
            ("the docker socket", "the docker socket"),
            ("/usr/bin/docker stop a", "/usr/bin/docker stop a"),
            ("podman-docker stop a", "podman-docker stop a"),
            ("neither docker nor podman", "neither docker nor podman"),
            ("docker ", "docker "),
        ] {
            assert_eq!(in_its_words(docker), podman);
        }
    }

    #[test]
    fn everything_that_is_to_be_typed_is_translated() {
        let mut report = Report::new("check", "web1", Timestamp::UNIX_EPOCH);
        let says = || "see `docker logs web`".to_owned();
        report.findings.push(
            Finding::fail("nginx.config", "prime", "no")
                .cause(says())
                .fix(says())
                .by_hand(says())
                .data("evidence", says()),
        );
        report.outcomes.push(Outcome {
            action: "start".into(),
            target: "web".into(),
            state: State::Failed,
            detail: "no".into(),
            fix: Some(says()),
        });
        report.add_plan(&Plan::<&str> { title: "renew".into(), steps: Vec::new(), notes: vec![says()] });
        translate(&mut report);
        let text = format!("{report:?}");
        assert_eq!((text.matches("see `podman logs web`").count(), text.matches("docker").count()), (6, 0), "{text}");
    }
}
