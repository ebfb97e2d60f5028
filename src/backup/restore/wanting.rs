//! The attributes that an entry should have on this machine.

use super::request::Privileges;
use crate::{
    rules::{difference::Wanted, manifest::Entry},
    system::archive::Accounts,
};

/// What this process may give files, and what the names of owners mean here.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanting {
    may_give: bool,
    keep_privileges: bool,
    accounts: Accounts,
}

impl Wanting {
    /// For this process, with the users of this machine.
    pub(super) fn here(privileges: Privileges) -> Self {
        Self {
            may_give: rustix::process::geteuid().is_root(),
            keep_privileges: privileges == Privileges::Keep,
            accounts: Accounts::of_machine(),
        }
    }

    /// What a restore gives the entry.
    pub(super) fn of(&self, entry: &Entry) -> Wanted {
        Wanted { mode: self.mode(entry), owner: self.may_give.then(|| self.owner(entry)) }
    }

    /// Its permission bits.
    pub(super) fn mode(&self, entry: &Entry) -> u32 {
        if self.keep_privileges { entry.mode } else { entry.mode & 0o777 }
    }

    /// Whether bits are taken off it.
    pub(super) fn strips(&self, entry: &Entry) -> bool {
        self.mode(entry) != entry.mode
    }

    /// Whom it should belong to: the name where this machine knows it, else the number.
    pub(super) fn owner(&self, entry: &Entry) -> (u64, u64) {
        // A number that is none of a user stays with whoever restores, as when it is unpacked.
        let me = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let user = self.accounts.user(entry.user.as_deref(), entry.uid).unwrap_or(me.0);
        (user.into(), self.accounts.group(entry.group.as_deref(), entry.gid).unwrap_or(me.1).into())
    }

    /// Whether this process may give files to others at all.
    pub(super) fn may_give(&self) -> bool {
        self.may_give
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::manifest::{Flags, Kind, Mtime};

    #[test]
    fn backup_case_32_an_owner_is_found_by_name_and_then_by_number() {
        let accounts = Accounts::parse("root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:\n", "");
        let wanting = Wanting { may_give: true, accounts, ..Wanting::default() };
        let entry = |user: Option<&str>| Entry {
            path: b"a".to_vec(),
            kind: Kind::Directory,
            mode: 0o2755,
            uid: 1000,
            gid: 7,
            user: user.map(str::to_owned),
            group: None,
            mtime: Mtime::default(),
            flags: Flags::default(),
        };
        assert_eq!(wanting.of(&entry(Some("www-data"))), Wanted { mode: 0o755, owner: Some((33, 7)) });
        assert_eq!(wanting.owner(&entry(Some("nobody-here"))), (1000, 7));
        assert_eq!(wanting.owner(&entry(None)), (1000, 7));
    }

    #[test]
    fn backup_case_31_setuid_and_its_kin_come_back_only_when_asked_for() {
        let entry = Entry {
            path: b"a".to_vec(),
            kind: Kind::Directory,
            mode: 0o7755,
            uid: 0,
            gid: 0,
            user: None,
            group: None,
            mtime: Mtime::default(),
            flags: Flags::default(),
        };
        let dropping = Wanting::default();
        assert!(dropping.strips(&entry) && dropping.mode(&entry) == 0o755);
        let keeping = Wanting { keep_privileges: true, ..Wanting::default() };
        assert!(!keeping.strips(&entry) && keeping.mode(&entry) == 0o7755);
    }
}
