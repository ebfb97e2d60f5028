//! Timers against a folder of units of their own, a scripted `systemctl` and `crontab`, and systemd's own programs as judges.

#![expect(clippy::disallowed_methods, reason = "tests see the real machine, and write examples when they are told to")]
#![expect(clippy::print_stdout, reason = "a skipped test says so; tests/run counts these lines")]

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use tempfile::TempDir;

use super::{sandbox::Ground, unit::files, *};
use crate::{
    report::State as Came,
    rules::calendar::Repeat,
    system::{
        Context,
        process::{Command, Scripted},
        program, state,
        systemd::Scope,
    },
};

const ON: &str = "ActiveState=active\nUnitFileState=enabled\nLastTriggerUSec=Thu 2026-11-26 00:15:07 UTC\nNextElapseUSecRealtime=Thu 2026-11-26 00:30:09 UTC\n";

/// A host with a folder of units.
struct Host {
    folder: TempDir,
    settings: Settings,
}

impl Host {
    fn new(jobs: &[(Job, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tasks = jobs.iter().map(|(job, calendar)| task(*job, calendar)).collect();
        let settings = Settings {
            project: "prime".into(),
            config: "/srv/prime/mainstay.toml".into(),
            binary: program::own().unwrap().display().to_string(),
            host: "web-1".into(),
            state: state::State::at("/var/lib/mainstay".into()),
            state_follows: true,
            secrets: Vec::new(),
            set_now: Vec::new(),
            home: Home {
                scope: Scope::System,
                units: folder.path().join("units"),
                roots: None,
                variables: "/etc/mainstay/prime.env".into(),
                user: None,
            },
            tasks,
        };
        Self { folder, settings }
    }

    async fn survey(&self, script: Scripted) -> Survey {
        Survey::of(&self.settings, &context(script)).await.unwrap()
    }

    async fn install(&self, script: fn() -> Scripted) -> Vec<(String, Came)> {
        let sketch = plan(&self.settings, &self.survey(script()).await, Aim::Auto, false).unwrap();
        let outcomes = apply(sketch.plan, &self.settings, &context(script())).await;
        outcomes.into_iter().map(|outcome| (outcome.action, outcome.state)).collect()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("units")).into_iter().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn task(job: Job, calendar: &str) -> Task {
    let mut needs = Needs::default();
    match job {
        Job::Backup => needs.writes = vec!["/mnt/usb/backups".into(), "/srv/back ups/100%".into()],
        Job::RenewCert => {
            needs.engine = true;
            needs.ending = Some(Duration::from_secs(300) + crate::renew_cert::outage::ENDING);
            needs.writes = vec!["/etc/letsencrypt".into()];
            needs.programs = vec!["certbot".into()];
        }
        Job::Check | Job::Schedule => {}
    }
    Task { job, calendar: calendar.parse().unwrap(), needs }
}

fn context(script: Scripted) -> Context {
    Context { runner: Arc::new(script), ..Context::real(BTreeMap::new(), "/".into()) }
}

/// A systemd that runs, with no timer yet, and no `crontab`.
fn fresh() -> Scripted {
    Scripted::default().on("is-system-running", 0, "running\n", "").on("show", 0, "", "").on("systemctl", 0, "", "")
}

/// The same with every timer on.
fn on() -> Scripted {
    Scripted::default().on("is-system-running", 0, "running\n", "").on("show", 0, ON, "").on("systemctl", 0, "", "")
}

/// No systemd, and a table of cron.
fn cron(table: &str) -> Scripted {
    Scripted::default().on("crontab -l", 0, table, "").on("crontab -", 0, "", "")
}

fn words(plan: &crate::report::Plan<Act>) -> Vec<(&'static str, String)> {
    let name = |target: &str| target.rsplit('/').next().unwrap_or_default().to_owned();
    plan.steps.iter().map(|step| (step.action.word(), name(&step.target))).collect()
}

const TWO: &[(Job, &str)] = &[(Job::Check, "every 15m"), (Job::RenewCert, "twice daily")];

#[tokio::test]
async fn a_first_install_writes_and_turns_on_and_a_second_changes_nothing() {
    let host = Host::new(TWO);
    let sketch = plan(&host.settings, &host.survey(fresh()).await, Aim::Auto, false).unwrap();
    assert_eq!(sketch.units.len(), 5, "two services, two timers, and the one for the boot");
    assert!(host.names().is_empty(), "a plan writes nothing");
    let came = host.install(fresh).await;
    assert!(came.iter().all(|(_, state)| *state == Came::Done), "{came:?}");
    let actions: Vec<&str> = came.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["write", "write", "write", "write", "write", "reload", "enable", "enable", "enable"]);
    assert_eq!(
        host.names(),
        [
            "mainstay-prime-check.service",
            "mainstay-prime-check.timer",
            "mainstay-prime-renew-cert-recover.service",
            "mainstay-prime-renew-cert.service",
            "mainstay-prime-renew-cert.timer"
        ]
    );
    assert!(host.install(on).await.is_empty());
}

#[tokio::test]
async fn another_calendar_restarts_its_timer_and_a_lost_section_takes_its_units_along() {
    let mut host = Host::new(TWO);
    host.install(fresh).await;
    host.settings.tasks[0].calendar = "every 5m".parse().unwrap();
    let sketch = plan(&host.settings, &host.survey(on()).await, Aim::Auto, false).unwrap();
    let timer = "mainstay-prime-check.timer".to_owned();
    assert_eq!(words(&sketch.plan), [("write", timer.clone()), ("reload", "systemctl".into()), ("restart", timer)]);

    host.settings.tasks.truncate(1);
    host.install(on).await;
    assert_eq!(host.names(), ["mainstay-prime-check.service", "mainstay-prime-check.timer"]);
}

#[tokio::test]
async fn what_another_wrote_is_in_the_way_and_stays() {
    let host = Host::new(TWO);
    let path = host.settings.home.units.join("mainstay-prime-check.timer");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    for (text, why) in [
        ("[Timer]\nOnCalendar=daily\n", "something else has written it"),
        ("# Written by mainstay timers install: project prime, configuration /etc/passwd\n", "another configuration"),
    ] {
        state::write(&path, text.as_bytes(), state::Mode::Ordinary).unwrap();
        let error = plan(&host.settings, &host.survey(fresh()).await, Aim::Auto, false).unwrap_err();
        assert!(error.to_string().contains(why) && !error.hints.is_empty(), "{error:?}");
        let removal = plan_removal(&host.settings, &host.survey(on()).await, Aim::Auto).unwrap();
        assert!(removal.steps.is_empty(), "it is not ours to remove");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[tokio::test]
async fn removing_takes_just_ours() {
    let host = Host::new(TWO);
    host.install(fresh).await;
    let other = host.settings.home.units.join("mainstay-other-check.timer");
    let text = "# Written by mainstay timers install: project other, configuration /etc/passwd\n";
    state::write(&other, text.as_bytes(), state::Mode::Ordinary).unwrap();
    let removal = plan_removal(&host.settings, &host.survey(on()).await, Aim::Auto).unwrap();
    let kinds: Vec<&str> = removal.steps.iter().map(|step| step.action.word()).collect();
    assert_eq!(kinds, ["disable", "disable", "disable", "remove", "remove", "remove", "remove", "remove", "reload"]);
    apply(removal, &host.settings, &context(on())).await;
    assert_eq!(host.names(), ["mainstay-other-check.timer"]);
}

#[tokio::test]
async fn a_step_that_fails_ends_the_work_and_says_what_to_do() {
    let host = Host::new(TWO);
    let sketch = plan(&host.settings, &host.survey(fresh()).await, Aim::Auto, false).unwrap();
    let refusing = Scripted::default().on("daemon-reload", 1, "", "Access denied\n");
    let outcomes = apply(sketch.plan, &host.settings, &context(refusing)).await;
    let failed = outcomes.iter().find(|outcome| outcome.state == Came::Failed).unwrap();
    assert_eq!((failed.action.as_str(), failed.detail.as_str()), ("reload", "Access denied"));
    assert!(failed.fix.as_ref().is_some_and(|fix| fix.contains("systemctl")));
    assert_eq!(outcomes.last().unwrap().state, Came::Skipped);
}

#[tokio::test]
async fn cron_where_systemd_does_not_run_and_an_error_where_neither_does() {
    let host = Host::new(TWO);
    let survey = host.survey(cron("MAILTO=ann\n")).await;
    let sketch = plan(&host.settings, &survey, Aim::Auto, false).unwrap();
    assert!(sketch.plan.notes[0].starts_with("by cron, because systemd does not run here"), "{:?}", sketch.plan.notes);
    let lines = sketch.lines.unwrap();
    let [Act::Table(table)] = &sketch.plan.steps.iter().map(|step| step.action.clone()).collect::<Vec<_>>()[..] else {
        panic!("{:?}", sketch.plan)
    };
    assert_eq!(*table, format!("MAILTO=ann\n{lines}").into_bytes());
    assert!(lines.contains("\n*/15 * * * * if [ -r ") && lines.contains("\n@reboot if [ -r "), "{lines}");
    let again = plan(&host.settings, &host.survey(cron(&format!("x\n{lines}y\n"))).await, Aim::Cron, false).unwrap();
    assert!(again.plan.steps.is_empty(), "{:?}", again.plan);

    let nothing = host.survey(Scripted::default()).await;
    for aim in [Aim::Auto, Aim::Cron, Aim::Systemd] {
        let error = plan(&host.settings, &nothing, aim, false).unwrap_err();
        assert!(!error.hints.is_empty(), "{error:?}");
        assert!(plan(&host.settings, &nothing, aim, true).is_ok(), "a rehearsal shows it all the same");
    }
}

#[tokio::test]
async fn no_job_runs_twice_when_the_kind_changes() {
    let host = Host::new(TWO);
    host.install(fresh).await;
    let lines = cron::block(&host.settings);
    let both = || on().on("crontab -l", 0, cron::block(&Host::new(TWO).settings), "").on("crontab -", 0, "", "");
    let survey = host.survey(both()).await;
    let to_systemd = plan(&host.settings, &survey, Aim::Auto, false);
    assert!(lines.starts_with("# BEGIN mainstay prime:"));
    assert_eq!(words(&to_systemd.unwrap().plan), [("write", "the table of cron".to_owned())]);
    let to_cron = plan(&host.settings, &survey, Aim::Cron, false).unwrap();
    let removed = to_cron.plan.steps.iter().filter(|step| step.action.word() == "remove").count();
    assert_eq!(removed, 5, "{:?}", to_cron.plan);
}

#[tokio::test]
async fn a_table_that_cannot_be_told_apart_is_left_alone() {
    let host = Host::new(TWO);
    let half = cron::block(&host.settings).replace("# END", "#");
    let survey = host.survey(cron(&half)).await;
    for error in [
        plan(&host.settings, &survey, Aim::Cron, false).map(drop).unwrap_err(),
        plan_removal(&host.settings, &survey, Aim::Auto).map(drop).unwrap_err(),
    ] {
        assert!(error.to_string().contains("line 1 begins the lines of the project prime"), "{error}");
    }
}

#[tokio::test]
async fn what_is_shown_is_what_systemd_says_or_unknown() {
    let host = Host::new(TWO);
    let now = "2026-11-26T00:20:00Z".parse().unwrap();
    let zone = jiff::tz::TimeZone::UTC;
    let shown = |survey: &Survey| -> Vec<(State, Option<String>)> {
        rows(&host.settings, survey, now, &zone)
            .into_iter()
            .map(|row| (row.state, row.next.map(|at| at.to_string())))
            .collect()
    };
    assert_eq!(shown(&host.survey(fresh()).await), vec![(State::Absent, None); 2]);
    host.install(fresh).await;
    assert_eq!(shown(&host.survey(fresh()).await), vec![(State::Off, None); 2]);
    assert_eq!(shown(&host.survey(on()).await), vec![(State::On, Some("2026-11-26T00:30:09Z".into())); 2]);
    assert_eq!(shown(&host.survey(Scripted::default()).await), vec![(State::Unknown, None); 2]);
    let bare = Host::new(TWO);
    let table = cron::block(&bare.settings).replace("twice", "");
    let by_cron = rows(&bare.settings, &bare.survey(cron(&table)).await, now, &zone);
    assert_eq!((by_cron[0].by, by_cron[0].state, by_cron[0].last), (Some("cron"), State::On, None));
    assert_eq!(by_cron[0].next.map(|at| at.to_string()).as_deref(), Some("2026-11-26T00:30:00Z"));
}

#[tokio::test]
async fn an_ordinary_user_is_told_of_roots_timers() {
    let (root, mut user) = (Host::new(TWO), Host::new(TWO));
    root.install(fresh).await;
    user.settings.home.scope = Scope::User;
    user.settings.home.roots = Some(root.folder.path().join("units"));
    let now = "2026-11-26T00:20:00Z".parse().unwrap();
    let shown = |survey: &Survey| rows(&user.settings, survey, now, &jiff::tz::TimeZone::UTC).remove(0);
    let survey = user.survey(on()).await;
    let row = shown(&survey);
    assert_eq!((row.by, row.state, row.next.is_some()), (Some("systemd"), State::On, true));
    assert!(row.why.as_ref().unwrap().contains("`sudo mainstay timers show`"), "{row:?}");
    let sketch = plan(&user.settings, &survey, Aim::Auto, true).unwrap();
    assert!(
        sketch.plan.notes.iter().any(|note| note.starts_with("root has `mainstay-prime-check.timer`, ")),
        "{sketch:?}"
    );
    assert_eq!(shown(&user.survey(Scripted::default()).await).state, State::Unknown, "without systemd nobody knows");
}

#[test]
fn the_unit_of_a_renewal_lets_it_start_again_what_it_stopped() {
    let host = Host::new(TWO);
    for name in ["mainstay-prime-renew-cert.service", "mainstay-prime-renew-cert-recover.service"] {
        let text = text_of(&files(&host.settings, Ground::default()), name);
        for line in ["KillMode=process", "OOMPolicy=continue"] {
            assert!(text.lines().any(|found| found == line), "{name} lacks {line}");
        }
        let stop = text.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
        let stop = crate::rules::units::parse_duration(stop).unwrap();
        let needed = Duration::from_secs(300) + crate::renew_cert::outage::ENDING;
        assert!(stop > needed, "{stop:?} for {needed:?}");
    }
    let recovery = text_of(&files(&host.settings, Ground::default()), "mainstay-prime-renew-cert-recover.service");
    assert!(
        recovery.contains("After=network-online.target docker.service") && recovery.contains("renew-cert --recover")
    );
    assert!(recovery.contains("[Install]\nWantedBy=multi-user.target"));
}

fn text_of(files: &[File], name: &str) -> String {
    files.iter().find(|file| file.name == name).unwrap_or_else(|| panic!("no {name}")).text.clone()
}

#[test]
fn podman_snap_and_a_user_get_what_they_can_work_in() {
    let mut host = Host::new(TWO);
    let walls = |settings: &Settings, ground| text_of(&files(settings, ground), "mainstay-prime-renew-cert.service");
    let docker = walls(&host.settings, Ground::default());
    assert!(docker.contains("\nProtectSystem=strict\n") && docker.contains("\nReadWritePaths=-/etc/letsencrypt\n"));
    let podman = walls(&host.settings, Ground { podman: true, snap: false });
    assert!(!podman.contains("\nProtect") && !podman.contains("\nPrivate") && podman.contains("NoNewPrivileges=true"));
    let snap = walls(&host.settings, Ground { podman: false, snap: true });
    assert!(!snap.contains("NoNewPrivileges=true") && snap.contains("/snap/bin"), "{snap}");
    host.settings.tasks[1].needs.anywhere = Some("it may write there".into());
    let open = walls(&host.settings, Ground::default());
    assert!(open.contains("\nProtectSystem=full\n") && !open.contains("\nProtectHome="), "{open}");
    host.settings.home.scope = Scope::User;
    host.settings.tasks[1].needs.programs.push("/usr/bin/sudo".into());
    let user = walls(&host.settings, Ground::default());
    assert!(!user.contains("\nProtect") && !user.contains("\nNoNewPrivileges") && !user.contains("network-online"));
}

/// Every variant of the units, by what the machine and the configuration are like.
fn variants() -> Vec<(String, Vec<File>)> {
    let mut variants = Vec::new();
    let all: Vec<(Job, &str)> =
        Job::ALL.into_iter().zip(["every 15m", "daily 02:30", "twice daily", "every 5m"]).collect();
    for scope in [Scope::System, Scope::User] {
        for (podman, snap) in [(false, false), (true, false), (false, true)] {
            let mut host = Host::new(&all);
            host.settings.home.scope = scope;
            host.settings.config = "/srv/a b/100% $HOME/\"x\".toml".into();
            host.settings.state = state::State::at("/srv/state of it".into());
            host.settings.state_follows = false;
            host.settings.tasks[2].needs.anywhere = snap.then(|| "it may write there".into());
            variants.push((format!("{scope:?} {podman} {snap}"), files(&host.settings, Ground { podman, snap })));
        }
    }
    variants.push(("plain".into(), files(&Host::new(&all).settings, Ground::default())));
    variants
}

#[tokio::test]
async fn systemd_finds_nothing_wrong_with_the_units() {
    let context = Context::real(std::env::vars_os().collect(), "/".into());
    if program::find("systemd-analyze", &context).is_none() {
        println!("SKIPPED setup::timers::tests::systemd_finds_nothing_wrong_with_the_units: no systemd-analyze");
        return;
    }
    for (variant, files) in variants() {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for file in &files {
            let path = folder.path().join(&file.name);
            state::write(&path, file.text.as_bytes(), state::Mode::Ordinary).unwrap();
            paths.push(path.into_os_string());
        }
        let mut command = Command::new("systemd-analyze").arg("verify").arg("--man=no");
        if variant.starts_with("User") {
            command = command.arg("--user").env("XDG_RUNTIME_DIR", folder.path());
        }
        let output = context.runner.run(command.args(paths)).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Of this machine's other units it may say what it likes.
        let ours: Vec<&str> = said.lines().filter(|line| line.contains("mainstay")).collect();
        assert!(output.success() && ours.is_empty(), "{variant}: {said}");
    }
}

#[tokio::test]
async fn systemd_comes_at_the_times_that_are_told() {
    let context = Context::real(std::env::vars_os().collect(), "/".into());
    if program::find("systemd-analyze", &context).is_none() {
        println!("SKIPPED setup::timers::tests::systemd_comes_at_the_times_that_are_told: no systemd-analyze");
        return;
    }
    let repeats = [
        "every 1m",
        "every 5m",
        "every 20m",
        "every 1h",
        "every 2h",
        "every 6h",
        "every 12h",
        "every 1d",
        "daily 00:00",
        "daily 01:30",
        "daily 02:30",
        "daily 23:59",
        "twice daily",
        "weekly Sun 02:30",
        "weekly Mon 00:00",
        "weekly Sat 23:59",
    ];
    let bases = [
        "2026-11-26 00:20:00",
        "2026-03-08 06:40:00",
        "2026-03-07 12:00:00",
        "2026-11-01 05:50:00",
        "2026-10-31 23:59:59",
        "2028-02-28 23:59:30",
        "2026-12-31 23:59:59",
        "2026-10-03 15:10:00",
    ];
    for zone in ["UTC", "America/Detroit", "Australia/Lord_Howe"] {
        let tz = jiff::tz::TimeZoneDatabase::bundled().get(zone).unwrap();
        for repeat in repeats {
            let repeat: Repeat = repeat.parse().unwrap();
            for base in bases {
                let after = format!("{}Z", base.replace(' ', "T")).parse().unwrap();
                let command = Command::new("systemd-analyze")
                    .args(["calendar", &format!("--base-time={base} UTC"), &repeat.on_calendar()])
                    .env("TZ", zone)
                    .env("LC_ALL", "C");
                let output = context.runner.run(command).await.unwrap();
                assert!(output.success(), "{repeat}: {}", output.complaint());
                let text = output.text();
                let line = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label).map(str::trim));
                let theirs = line("(in UTC):").or_else(|| line("Next elapse:")).unwrap_or_else(|| panic!("{text}"));
                let ours = repeat.next(after, &tz).unwrap().strftime("%a %F %H:%M:%S UTC").to_string();
                assert_eq!(theirs, ours, "{repeat} after {base} in {zone}");
            }
        }
    }
}

#[test]
fn the_examples_are_what_is_written() {
    for (name, text) in example_files() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(&name);
        if std::env::var_os("MAINSTAY_BLESS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            state::write(&path, text.as_bytes(), state::Mode::Ordinary).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, text, "{name}: write it with MAINSTAY_BLESS=1");
    }
}

/// The units and lines of `/etc/mainstay/mainstay.toml`, for a package and for people who look before they install.
fn example_files() -> Vec<(String, String)> {
    let all: Vec<(Job, &str)> =
        Job::ALL.into_iter().zip(["every 15m", "daily 02:30", "twice daily", "every 5m"]).collect();
    let mut host = Host::new(&all);
    host.settings.config = "/etc/mainstay/mainstay.toml".into();
    host.settings.binary = "/usr/local/bin/mainstay".into();
    host.settings.tasks[1].needs.writes = vec!["/mnt/usb/backups".into()];
    let webroot = ["/etc/letsencrypt", "/srv/prime/webroot", "/var/lib/letsencrypt", "/var/log/letsencrypt"];
    host.settings.tasks[2].needs.writes = webroot.map(Into::into).to_vec();
    let mut examples: Vec<(String, String)> = files(&host.settings, Ground::default())
        .into_iter()
        .map(|file| (format!("systemd/{}", file.name), file.text))
        .collect();
    examples.push(("cron/mainstay-prime".into(), cron::block(&host.settings)));
    examples
}

#[tokio::test]
async fn a_configuration_without_jobs_is_told_so() {
    let host = Host::new(&[]);
    let error = plan(&host.settings, &host.survey(fresh()).await, Aim::Auto, false).unwrap_err();
    assert_eq!(error.kind, crate::error::Kind::Config);
}
