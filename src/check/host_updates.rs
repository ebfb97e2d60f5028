//! `host.updates`: no security update and no reboot waits.

use std::{path::Path, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};

use super::{Check, Host, HostScope, Subject};
use crate::{
    report::Finding,
    rules::host_updates::{ID, judge},
    system::updates::look,
};

/// `host.updates`.
pub struct HostUpdates;

/// A rehearsal reads all lists.
const PATIENCE: Duration = Duration::from_secs(50);

impl Check<Host> for HostUpdates {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "no security update waits to be installed, by lists that are not old, and no reboot"
    }

    fn needs(&self) -> &'static str {
        "a `[host]` section, on Debian, Ubuntu or the RHEL family"
    }

    fn applies(&self, host: &Host) -> Result<(), String> {
        host.updates.map(drop).ok_or_else(|| "`updates` of `[host]` is off".into())
    }

    fn run<'a>(&'a self, scope: &'a HostScope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        async move {
            let Some(policy) = scope.host.updates else { return Vec::new() };
            judge(scope.host.name(), &look(Path::new("/"), PATIENCE, scope.context).await, policy)
        }
        .boxed()
    }

    fn by_hand(&self, _host: &Host) -> String {
        "apt-get -s dist-upgrade | grep -i security; ls /run/reboot-required    # or: dnf updateinfo list --security"
            .into()
    }
}
