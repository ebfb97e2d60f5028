//! The names of users and groups, each asked for once.

use std::{collections::HashMap, ffi::OsString};

/// What this machine calls them.
#[derive(Default)]
pub(super) struct Owners {
    users: HashMap<u32, Option<String>>,
    groups: HashMap<u32, Option<String>>,
}

impl Owners {
    /// The user's name, where the machine knows one.
    pub(super) fn user(&mut self, uid: u32) -> Option<String> {
        let ask = || uzers::get_user_by_uid(uid).and_then(|user| text(user.name().to_owned()));
        self.users.entry(uid).or_insert_with(ask).clone()
    }

    /// The group's name, where the machine knows one.
    pub(super) fn group(&mut self, gid: u32) -> Option<String> {
        let ask = || uzers::get_group_by_gid(gid).and_then(|group| text(group.name().to_owned()));
        self.groups.entry(gid).or_insert_with(ask).clone()
    }
}

/// A name that is no text cannot be written into a manifest; the number remains.
fn text(name: OsString) -> Option<String> {
    name.into_string().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_called_so_and_nobody_knows_a_stray_number() {
        let mut owners = Owners::default();
        assert_eq!(owners.user(0).as_deref(), Some("root"));
        assert_eq!(owners.group(0).as_deref(), Some("root"));
        assert_eq!(owners.user(3_999_999_999), None);
    }
}
