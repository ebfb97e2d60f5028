//! The command as cron runs it in a world, and what it is judged by.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{
    acme::{folder, run},
    program::PROGRAM,
};

pub const LIVE: &str = "/etc/letsencrypt/live/prime/cert.pem";
pub const CONF: &str = "/etc/letsencrypt/renewal/prime.conf";

/// Writes the configuration; what each key is besides the names.
pub fn configure(more: &str) -> PathBuf {
    let path = folder().join("mainstay.toml");
    let text = format!("[certificate.prime]\nnames = [\"prime.example.test\", \"www.prime.example.test\"]\n{more}\n");
    fs::write(&path, text).expect("a folder of the world");
    path
}

/// What came of one run.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub report: Value,
    pub err: String,
}

/// As cron runs it: no terminal, and no environment but what certbot needs to trust this authority.
pub fn mainstay(words: &[&str]) -> Ran {
    command(words).output().expect("the binary").into()
}

/// The same, for who does not wait for its end.
pub fn command(words: &[&str]) -> Command {
    // The last four are for the `systemctl` of the world, for an engine's client with plugins, and for podman's settings.
    let kept =
        ["REQUESTS_CA_BUNDLE", "DOCKER_HOST", "WORLD", "DOCKER_CONFIG", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"];
    let kept = kept.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    // The PATH of cron leads to no program of the superuser.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::env::split_paths(&path).filter(|folder| !folder.ends_with("sbin")));
    let mut command = Command::new(PROGRAM);
    command
        .args(["--config", &folder().join("mainstay.toml").to_string_lossy(), "--format", "json", "renew-cert"])
        .args(words)
        .env_clear()
        .envs(kept)
        .env("PATH", path.expect("it was a PATH before"))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Self { code: output.status.code().unwrap_or(-1), report, err }
    }
}

impl Ran {
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{:#}\n{}", self.report, self.err);
        self
    }

    /// The finding of this id and reason.
    #[track_caller]
    pub fn finding(&self, id: &str, reason: &str) -> &Value {
        let all = self.report["findings"].as_array().expect("findings");
        let found = all
            .iter()
            .find(|finding| finding["id"] == id && (reason.is_empty() || finding["data"]["reason"] == reason));
        found.unwrap_or_else(|| panic!("no {id} {reason}: {:#}", self.report))
    }

    pub fn outcome(&self, action: &str) -> Option<&str> {
        let all = self.report["outcomes"].as_array()?;
        all.iter().find(|outcome| outcome["action"] == action)?["state"].as_str()
    }

    /// How the certificate was renewed.
    #[track_caller]
    pub fn method(&self) -> &str {
        self.finding("certificate.renew", "")["data"]["method"].as_str().unwrap_or_default()
    }
}

pub fn serial(file: &str) -> String {
    run("openssl", &["x509", "-noout", "-serial", "-in", file])
}

pub fn served() -> String {
    let line = "openssl s_client -connect 127.0.0.1:443 -servername prime.example.test </dev/null 2>/dev/null | openssl x509 -noout -serial";
    run("sh", &["-c", line])
}
