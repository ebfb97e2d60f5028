//! What gunicorn itself says over its control socket: `gunicornc -j -c "show config"`, from release 25.1 on.
//!
//! It tells the settings in force and not where they come from, and it does not tell `forwarded_allow_ips`
//! (`gunicorn/ctl/handlers.py`). So it only fills in what no better witness could tell.

use serde_json::Value as Json;

use super::{
    setting::{Name, Reading, Source, Value},
    settings::Settings,
};

impl Settings {
    /// Whether the control socket could tell what is unknown.
    pub fn has_gaps(&self) -> bool {
        TOLD.iter().any(|name| matches!(self.reading(*name), Reading::Unknown(_)))
    }

    /// Fills what is unknown from the answer, and returns what that was. An answer that is none fills nothing.
    pub fn fill_gaps(&mut self, answer: &str) -> Vec<Name> {
        let Ok(Json::Object(told)) = serde_json::from_str(answer) else { return Vec::new() };
        let mut filled = Vec::new();
        for name in TOLD {
            let Some(value) = told.get(name.key()).and_then(value) else { continue };
            if matches!(self.reading(name), Reading::Unknown(_)) {
                self.set(name, Reading::Known(value, Source::Control));
                filled.push(name);
            }
        }
        filled
    }
}

/// What the control socket tells in words that can be compared.
const TOLD: [Name; 5] = [Name::Workers, Name::Threads, Name::Timeout, Name::GracefulTimeout, Name::Bind];

fn value(json: &Json) -> Option<Value> {
    match json {
        Json::Number(number) => number.as_u64().map(Value::Number),
        Json::Array(list) => {
            list.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>().map(Value::List)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::observation::sample, *};

    /// What gunicorn 27.0.1 says, cut short.
    const ANSWER: &str = r#"{"bind": ["0.0.0.0:8000"], "workers": 3, "worker_class": "<class 'x'>", "threads": 4,
        "timeout": 90, "graceful_timeout": 30, "pidfile": null, "proc_name": "app:app"}"#;

    #[test]
    fn what_is_hidden_is_filled_in_and_nothing_else() {
        let mut settings = Settings::unknown("a title hides it");
        assert!(settings.has_gaps());
        assert_eq!(settings.fill_gaps(ANSWER).len(), 5);
        assert!(!settings.has_gaps());
        assert_eq!(settings.reading(Name::Workers).to_string(), "3 (control socket)");
        assert_eq!(settings.reading(Name::Bind).to_string(), "0.0.0.0:8000 (control socket)");
        assert_eq!(settings.reading(Name::ForwardedAllowIps).to_string(), "unknown (a title hides it)");
    }

    #[test]
    fn a_better_witness_keeps_its_word() {
        let mut settings = sample::settings(&["-w", "9", "app"], &[], Some("threads = int('2')"));
        assert_eq!(settings.fill_gaps(ANSWER), [Name::Threads]);
        assert_eq!(settings.reading(Name::Workers).to_string(), "9 (argv)");
        assert_eq!(settings.reading(Name::Threads).to_string(), "4 (control socket)");
    }

    #[test]
    fn an_answer_that_is_none_tells_nothing() {
        for answer in
            ["", "null", "[]", "Error: no socket", r#"{"workers": "3", "threads": -1, "bind": [8000], "timeout": 1.5}"#]
        {
            let mut settings = Settings::unknown("a title hides it");
            assert_eq!(settings.fill_gaps(answer), [], "{answer}");
            assert!(settings.is_unknown());
        }
    }
}
