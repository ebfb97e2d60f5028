//! The users and groups of this machine, by name: a restored file belongs to whoever has the name here.

use std::{collections::HashMap, path::Path};

use crate::system::file;

/// No machine has larger files of accounts.
const LARGEST: u64 = 16 << 20;

/// Names with their numbers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Accounts {
    users: HashMap<String, u32>,
    groups: HashMap<String, u32>,
}

impl Accounts {
    /// Those of `/etc/passwd` and `/etc/group`. What only a directory service knows goes by its number; where a file cannot
    /// be read, all do.
    pub fn of_machine() -> Self {
        let read = |path| file::read_text(Path::new(path), LARGEST).unwrap_or_default();
        Self::parse(&read("/etc/passwd"), &read("/etc/group"))
    }

    /// Those of the texts of the two files (passwd(5), group(5)).
    pub fn parse(passwd: &str, group: &str) -> Self {
        Self { users: names(passwd), groups: names(group) }
    }

    /// The number of a user: by the name where it is known here, else as it was. `None` where that is no number of a user.
    pub fn user(&self, name: Option<&str>, number: u64) -> Option<u32> {
        known(&self.users, name).or_else(|| valid(number))
    }

    /// The same of a group.
    pub fn group(&self, name: Option<&str>, number: u64) -> Option<u32> {
        known(&self.groups, name).or_else(|| valid(number))
    }
}

fn known(names: &HashMap<String, u32>, name: Option<&str>) -> Option<u32> {
    names.get(name?).copied()
}

/// The largest number means "leave it as it is" to chown(2).
fn valid(number: u64) -> Option<u32> {
    u32::try_from(number).ok().filter(|number| *number != u32::MAX)
}

/// Lines of `name:password:number:…`. The first one of a name counts, as it does for the C library.
fn names(text: &str) -> HashMap<String, u32> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(number)) = (fields.next(), fields.nth(1).and_then(|number| number.parse().ok())) {
            names.entry(name.to_owned()).or_insert(number);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_case_32_an_owner_goes_by_name_and_then_by_number() {
        let accounts = Accounts::parse(
            "root:x:0:0::/:\napp:x:1001:1001::/:\napp:x:7:7::/:\nbroken\nodd:x:-1:\n",
            "www:x:33:app\n",
        );
        assert_eq!(accounts.user(Some("app"), 5), Some(1001), "the name's number here");
        assert_eq!(accounts.user(Some("gone"), 5), Some(5), "nobody has the name");
        assert_eq!(accounts.user(None, 5), Some(5));
        assert_eq!(accounts.group(Some("www"), 5), Some(33));
        assert_eq!(accounts.group(Some("app"), 5), Some(5), "a user is no group");
        for wrong in [u64::from(u32::MAX), 1 << 32, u64::MAX] {
            assert_eq!(accounts.user(None, wrong), None, "{wrong}");
        }
        assert_eq!(Accounts::of_machine().user(Some("root"), 5), Some(0));
    }
}
