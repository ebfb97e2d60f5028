//! `host.disk`: the filesystems that the jobs use have room.

use std::{path::Path, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};

use super::{Check, Host, HostScope, Subject};
use crate::{
    report::Finding,
    rules::host_disk::{ID, Use, judge},
    system::{docker::Docker, volumes::look},
};

/// `host.disk`.
pub struct HostDisk;

/// A filesystem that does not answer for so long hangs.
const PATIENCE: Duration = Duration::from_secs(10);

impl Check<Host> for HostDisk {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "the filesystems that the jobs use have room, in bytes and in inodes, and can be written to"
    }

    fn needs(&self) -> &'static str {
        "a `[host]` section"
    }

    fn applies(&self, _host: &Host) -> Result<(), String> {
        Ok(())
    }

    fn run<'a>(&'a self, scope: &'a HostScope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        async move {
            let mut uses = scope.host.uses.clone();
            // Images, containers and volumes. The folder of an engine elsewhere is not on this machine.
            if let Ok(path) = Docker::new(scope.context, PATIENCE).root().await
                && Path::new(&path).is_dir()
            {
                uses.push(Use { what: "docker".into(), path, writes: true });
            }
            judge(scope.host.name(), &look(uses, PATIENCE).await, scope.host.room)
        }
        .boxed()
    }

    fn by_hand(&self, host: &Host) -> String {
        let paths = host.uses.iter().map(|used| used.path.as_str());
        let paths = shell_words::join(paths);
        format!("df -h {paths}; df -i {paths}")
    }
}
