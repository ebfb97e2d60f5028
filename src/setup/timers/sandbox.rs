//! The walls around a job: as narrow as it can work in, and each opening with its reason.
//!
//! The settings are those of systemd.exec(5). With podman none of them that makes a mount namespace is used: what it starts
//! would live inside it, with this unit's read-only view of the machine.

use super::{Settings, Task, word};
use crate::system::systemd::Scope;

/// What a machine allows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ground {
    /// Whether the engine is podman, which starts containers as its own children.
    pub podman: bool,
    /// Whether a program of the configuration is one of snap's.
    pub snap: bool,
}

/// The lines for a job's service.
pub(super) fn lines(settings: &Settings, task: &Task, ground: Ground) -> Vec<String> {
    let mut lines = Vec::new();
    let needs = &task.needs;
    let raises = settings.home.scope == Scope::User && needs.programs.iter().any(|program| is_raising(program));
    match (ground.snap, raises) {
        (true, _) => {
            lines.push("# No walls: a program of snap's makes its own, and refuses to start inside others.".into())
        }
        (_, true) => lines.push("# Not NoNewPrivileges=: the configuration names a command that raises them.".into()),
        _ => lines.push("NoNewPrivileges=true".to_owned()),
    }
    if ground.snap {
        return lines;
    }
    let user = settings.home.scope == Scope::User;
    if user {
        lines.push(
            "# Not ProtectSystem= and its like: a user's systemd needs user namespaces for it, which some".into(),
        );
        lines.push("# distributions forbid; the unit would not start.".into());
    } else if ground.podman && needs.engine {
        lines.push(
            "# Not ProtectSystem= and its like: containers that podman starts would live behind the same walls.".into(),
        );
    } else {
        walls(settings, task, &mut lines);
    }
    if !raises {
        lines.push("RestrictSUIDSGID=true".into());
    }
    lines.push("LockPersonality=true".into());
    lines.push("RestrictRealtime=true".into());
    if !(ground.podman && needs.engine) {
        lines.push("RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK".into());
        lines.push("RestrictNamespaces=true".into());
    }
    if !user {
        lines.push("# Not CapabilityBoundingSet=: files and processes of every user are looked at.".into());
    }
    lines
}

fn walls(settings: &Settings, task: &Task, lines: &mut Vec<String>) {
    let needs = &task.needs;
    let default_state = settings.state.folder() == std::path::Path::new("/var/lib/mainstay");
    let mut open: Vec<String> = needs.writes.iter().map(|path| format!("-{}", path.display())).collect();
    if default_state {
        lines.push("StateDirectory=mainstay".into());
        lines.push("StateDirectoryMode=0700".into());
    } else {
        open.insert(0, settings.state.folder().display().to_string());
    }
    match &needs.anywhere {
        None => {
            lines.push("ProtectSystem=strict".into());
            lines.push("ProtectHome=read-only".into());
        }
        Some(why) => {
            lines.push(format!("# Not strict, and homes are left open: {why}."));
            lines.push("ProtectSystem=full".into());
        }
    }
    if !open.is_empty() {
        let words: Vec<String> = open.iter().map(|path| word::of_list(path)).collect();
        lines.push(format!("ReadWritePaths={}", words.join(" ")));
    }
    let temporary = |path: &std::path::PathBuf| path.starts_with("/tmp") || path.starts_with("/var/tmp");
    if needs.reads.iter().chain(&needs.writes).any(temporary) || temporary(&settings.config.clone().into()) {
        lines.push("# Not PrivateTmp=: the configuration names files there.".into());
    } else {
        lines.push("PrivateTmp=true".into());
    }
    if needs.programs.is_empty() {
        lines.push("PrivateDevices=true".into());
        lines.push("ProtectClock=true".into());
    } else {
        lines.push(
            "# Not PrivateDevices= and SystemCallFilter=: what the commands of the configuration need nobody knows."
                .into(),
        );
    }
    for name in ["KernelTunables", "KernelModules", "KernelLogs", "ControlGroups", "Hostname"] {
        lines.push(format!("Protect{name}=true"));
    }
}

/// Programs that run others with more rights.
fn is_raising(program: &str) -> bool {
    matches!(program.rsplit('/').next(), Some("sudo" | "doas" | "pkexec" | "su" | "run0"))
}
