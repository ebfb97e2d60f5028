//! `host.clock`: something keeps the clock of this machine right.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};

use super::{Check, Host, HostScope, Subject};
use crate::{
    report::Finding,
    rules::host_clock::{ID, judge},
    system::timekeeping::look,
};

/// `host.clock`.
pub struct HostClock;

impl Check<Host> for HostClock {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "the clock of this machine is synchronised"
    }

    fn needs(&self) -> &'static str {
        "a `[host]` section, and chrony or systemd"
    }

    fn applies(&self, host: &Host) -> Result<(), String> {
        if host.clock { Ok(()) } else { Err("`clock` of `[host]` is false".into()) }
    }

    fn run<'a>(&'a self, scope: &'a HostScope<'_>) -> BoxFuture<'a, Vec<Finding>> {
        async move { vec![judge(scope.host.name(), &look(Duration::from_secs(10), scope.context).await)] }.boxed()
    }

    fn by_hand(&self, _host: &Host) -> String {
        "chronyc tracking || timedatectl".into()
    }
}
