//! Every command-line option of gunicorn 20.1 to 27, and in which versions it exists.
//!
//! The table decides what an abbreviation means and which words are values, so it must be whole. It was written down
//! from what each release's own parser declares; `tests/gunicorn_differential` compares it with the installed one.

/// A release of gunicorn.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version(pub u16, pub u16, pub u16);

impl Version {
    /// Out of what `gunicorn --version` prints: `gunicorn (version 20.1.0)`.
    pub fn said(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("gunicorn (version ")?;
        let mut numbers = rest.split(')').next()?.split('.').map(|part| part.parse().ok());
        Some(Self(numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or(0)))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// One release for each distinct set of options or rules, oldest first.
pub const VERSIONS: &[Version] = &[
    Version(20, 1, 0),
    DEBIAN,
    Version(21, 0, 0),
    Version(22, 0, 0),
    Version(23, 0, 0),
    Version(24, 0, 0),
    Version(24, 1, 0),
    Version(25, 0, 0),
    Version(25, 0, 3),
    Version(25, 1, 0),
    Version(25, 2, 0),
    Version(26, 2, 0),
    Version(27, 0, 0),
];

/// One option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Flag {
    /// All its spellings.
    pub(super) names: &'static [&'static str],
    /// The setting it sets.
    pub(super) setting: &'static str,
    /// What follows it.
    pub(super) takes: Takes,
    since: Version,
    until: Version,
}

/// What follows an option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Takes {
    /// Nothing: it prints something and gunicorn ends.
    Exit,
    /// A decimal number.
    Integer,
    /// A text, or nothing.
    Maybe,
    /// A number in any of Python's notations, a leading 0 meaning octal.
    Mode,
    /// Nothing: it is a switch.
    Nothing,
    /// Any text.
    Text,
}

use Takes::{Exit, Integer, Maybe, Mode, Nothing, Text};

impl Flag {
    /// Whether this release knows the option.
    pub(super) fn is_in(&self, version: Version) -> bool {
        self.since <= version && version < self.until
    }
}

const fn row(
    names: &'static [&'static str],
    setting: &'static str,
    takes: Takes,
    since: Version,
    until: Version,
) -> Flag {
    Flag { names, setting, takes, since, until }
}

/// Debian 12's 20.1.0, which has one option of 22.0 beside its security fix (20.1.0-6+deb12u1).
const DEBIAN: Version = Version(20, 1, 1);
const FIRST: Version = Version(0, 0, 0);
const NOW: Version = Version(u16::MAX, 0, 0);

/// In the order in which `--help` prints them.
#[rustfmt::skip]
pub(super) const FLAGS: &[Flag] = &[
    row(&["-h", "--help"], "help", Exit, FIRST, NOW),
    row(&["-v", "--version"], "version", Exit, FIRST, NOW),
    row(&["-c", "--config"], "config", Text, FIRST, NOW),
    row(&["-b", "--bind"], "bind", Text, FIRST, NOW),
    row(&["--backlog"], "backlog", Integer, FIRST, NOW),
    row(&["-w", "--workers"], "workers", Integer, FIRST, NOW),
    row(&["-k", "--worker-class"], "worker_class", Text, FIRST, NOW),
    row(&["--threads"], "threads", Integer, FIRST, NOW),
    row(&["--worker-connections"], "worker_connections", Integer, FIRST, NOW),
    row(&["--max-requests"], "max_requests", Integer, FIRST, NOW),
    row(&["--max-requests-jitter"], "max_requests_jitter", Integer, FIRST, NOW),
    row(&["-t", "--timeout"], "timeout", Integer, FIRST, NOW),
    row(&["--graceful-timeout"], "graceful_timeout", Integer, FIRST, NOW),
    row(&["--keep-alive"], "keepalive", Integer, FIRST, NOW),
    row(&["--limit-request-line"], "limit_request_line", Integer, FIRST, NOW),
    row(&["--limit-request-fields"], "limit_request_fields", Integer, FIRST, NOW),
    row(&["--limit-request-field_size"], "limit_request_field_size", Integer, FIRST, NOW),
    row(&["--reload"], "reload", Nothing, FIRST, NOW),
    row(&["--reload-engine"], "reload_engine", Text, FIRST, NOW),
    row(&["--reload-extra-file"], "reload_extra_files", Text, FIRST, NOW),
    row(&["--spew"], "spew", Nothing, FIRST, NOW),
    row(&["--check-config"], "check_config", Nothing, FIRST, NOW),
    row(&["--print-config"], "print_config", Nothing, FIRST, NOW),
    row(&["--preload"], "preload_app", Nothing, FIRST, NOW),
    row(&["--no-sendfile"], "sendfile", Nothing, FIRST, NOW),
    row(&["--reuse-port"], "reuse_port", Nothing, FIRST, NOW),
    row(&["--chdir"], "chdir", Text, FIRST, NOW),
    row(&["-D", "--daemon"], "daemon", Nothing, FIRST, NOW),
    row(&["-e", "--env"], "raw_env", Text, FIRST, NOW),
    row(&["-p", "--pid"], "pidfile", Text, FIRST, NOW),
    row(&["--worker-tmp-dir"], "worker_tmp_dir", Text, FIRST, NOW),
    row(&["-u", "--user"], "user", Text, FIRST, NOW),
    row(&["-g", "--group"], "group", Text, FIRST, NOW),
    row(&["-m", "--umask"], "umask", Mode, FIRST, NOW),
    row(&["--initgroups"], "initgroups", Nothing, FIRST, NOW),
    row(&["--forwarded-allow-ips"], "forwarded_allow_ips", Text, FIRST, NOW),
    row(&["--access-logfile"], "accesslog", Text, FIRST, NOW),
    row(&["--disable-redirect-access-to-syslog"], "disable_redirect_access_to_syslog", Nothing, FIRST, NOW),
    row(&["--access-logformat"], "access_log_format", Text, FIRST, NOW),
    row(&["--error-logfile", "--log-file"], "errorlog", Text, FIRST, NOW),
    row(&["--log-level"], "loglevel", Text, FIRST, NOW),
    row(&["--capture-output"], "capture_output", Nothing, FIRST, NOW),
    row(&["--logger-class"], "logger_class", Text, FIRST, NOW),
    row(&["--log-config"], "logconfig", Text, FIRST, NOW),
    row(&["--log-config-json"], "logconfig_json", Text, Version(21, 0, 0), NOW),
    row(&["--log-syslog-to"], "syslog_addr", Text, FIRST, NOW),
    row(&["--log-syslog"], "syslog", Nothing, FIRST, NOW),
    row(&["--log-syslog-prefix"], "syslog_prefix", Text, FIRST, NOW),
    row(&["--log-syslog-facility"], "syslog_facility", Text, FIRST, NOW),
    row(&["-R", "--enable-stdio-inheritance"], "enable_stdio_inheritance", Nothing, FIRST, NOW),
    row(&["--statsd-host"], "statsd_host", Text, FIRST, NOW),
    row(&["--dogstatsd-tags"], "dogstatsd_tags", Text, FIRST, NOW),
    row(&["--statsd-prefix"], "statsd_prefix", Text, FIRST, NOW),
    row(&["--enable-backlog-metric"], "enable_backlog_metric", Nothing, Version(24, 1, 0), NOW),
    row(&["-n", "--name"], "proc_name", Text, FIRST, NOW),
    row(&["--pythonpath"], "pythonpath", Text, FIRST, NOW),
    row(&["--paste", "--paster"], "paste", Text, FIRST, NOW),
    row(&["--proxy-protocol"], "proxy_protocol", Nothing, FIRST, Version(24, 1, 0)),
    row(&["--proxy-protocol"], "proxy_protocol", Maybe, Version(24, 1, 0), NOW),
    row(&["--proxy-allow-from"], "proxy_allow_ips", Text, FIRST, NOW),
    row(&["--protocol"], "protocol", Text, Version(24, 0, 0), NOW),
    row(&["--uwsgi-allow-from"], "uwsgi_allow_ips", Text, Version(24, 0, 0), NOW),
    row(&["--keyfile"], "keyfile", Text, FIRST, NOW),
    row(&["--certfile"], "certfile", Text, FIRST, NOW),
    row(&["--ssl-version"], "ssl_version", Text, FIRST, NOW),
    row(&["--cert-reqs"], "cert_reqs", Text, FIRST, NOW),
    row(&["--ca-certs"], "ca_certs", Text, FIRST, NOW),
    row(&["--suppress-ragged-eofs"], "suppress_ragged_eofs", Nothing, FIRST, NOW),
    row(&["--do-handshake-on-connect"], "do_handshake_on_connect", Nothing, FIRST, NOW),
    row(&["--ciphers"], "ciphers", Text, FIRST, NOW),
    row(&["--http-protocols"], "http_protocols", Text, Version(25, 0, 0), NOW),
    row(&["--http2-cleartext"], "http2_cleartext", Text, Version(26, 2, 0), NOW),
    row(&["--http2-max-concurrent-streams"], "http2_max_concurrent_streams", Integer, Version(25, 0, 0), NOW),
    row(&["--tolerate-dangerous-framing"], "tolerate_dangerous_framing", Nothing, DEBIAN, Version(21, 0, 0)),
    row(&["--tolerate-dangerous-framing"], "tolerate_dangerous_framing", Nothing, Version(22, 0, 0), Version(23, 0, 0)),
    row(&["--http2-initial-window-size"], "http2_initial_window_size", Integer, Version(25, 0, 0), NOW),
    row(&["--http2-max-frame-size"], "http2_max_frame_size", Integer, Version(25, 0, 0), NOW),
    row(&["--http2-max-header-list-size"], "http2_max_header_list_size", Integer, Version(25, 0, 0), NOW),
    row(&["--paste-global"], "raw_paste_global_conf", Text, FIRST, NOW),
    row(&["--permit-obsolete-folding"], "permit_obsolete_folding", Nothing, Version(23, 0, 0), NOW),
    row(&["--strip-header-spaces"], "strip_header_spaces", Nothing, FIRST, NOW),
    row(&["--permit-unconventional-http-method"], "permit_unconventional_http_method", Nothing, Version(22, 0, 0), NOW),
    row(&["--permit-unconventional-http-version"], "permit_unconventional_http_version", Nothing, Version(22, 0, 0), NOW),
    row(&["--casefold-http-method"], "casefold_http_method", Nothing, Version(22, 0, 0), NOW),
    row(&["--forwarder-headers"], "forwarder_headers", Text, Version(23, 0, 0), NOW),
    row(&["--header-map"], "header_map", Text, Version(22, 0, 0), NOW),
    row(&["--asgi-loop"], "asgi_loop", Text, Version(24, 0, 0), NOW),
    row(&["--asgi-lifespan"], "asgi_lifespan", Text, Version(24, 0, 0), NOW),
    row(&["--asgi-disconnect-grace-period"], "asgi_disconnect_grace_period", Integer, Version(25, 0, 3), NOW),
    row(&["--websocket-max-message-size"], "websocket_max_message_size", Integer, Version(27, 0, 0), NOW),
    row(&["--http-parser"], "http_parser", Text, Version(25, 2, 0), NOW),
    row(&["--root-path"], "root_path", Text, Version(24, 0, 0), NOW),
    row(&["--dirty-app"], "dirty_apps", Text, Version(25, 0, 0), NOW),
    row(&["--dirty-workers"], "dirty_workers", Integer, Version(25, 0, 0), NOW),
    row(&["--dirty-timeout"], "dirty_timeout", Integer, Version(25, 0, 0), NOW),
    row(&["--dirty-threads"], "dirty_threads", Integer, Version(25, 0, 0), NOW),
    row(&["--dirty-graceful-timeout"], "dirty_graceful_timeout", Integer, Version(25, 0, 0), NOW),
    row(&["--control-socket"], "control_socket", Text, Version(25, 1, 0), NOW),
    row(&["--control-socket-mode"], "control_socket_mode", Mode, Version(25, 1, 0), NOW),
    row(&["--no-control-socket"], "control_socket_disable", Nothing, Version(25, 1, 0), NOW),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_release_has_one_spelling_twice() {
        for version in VERSIONS {
            let mut seen = std::collections::BTreeSet::new();
            for name in FLAGS.iter().filter(|flag| flag.is_in(*version)).flat_map(|flag| flag.names) {
                assert!(seen.insert(name), "{name} twice in {version:?}");
            }
        }
    }
}
