//! The links that nginx reads: a certbot that is killed between two of them leaves the key of one version beside the
//! certificate of another, and nginx does not start on that.

use crate::{
    report::{Outcome, State},
    rules::renewal::Fault,
    system::{
        certbot::{read, relink},
        state::Lineage,
    },
};

/// Whether nothing is wrong with them. Only what was whole before is mended after.
pub(super) fn are_whole(lineage: &Lineage) -> bool {
    read(&lineage.directory, &lineage.name)
        .is_ok_and(|stored| stored.is_some_and(|stored| stored.lineage.faults().is_empty()))
}

/// Links them to the newest version with all four files, where a kill has left them half-way; `None` where nothing is wrong.
pub(super) fn mend(lineage: &Lineage) -> Option<Outcome> {
    let stored = read(&lineage.directory, &lineage.name).ok().flatten()?;
    let faults = stored.lineage.faults();
    let fault = faults.first()?;
    let half_way = |fault: &Fault| {
        matches!(
            fault,
            Fault::Dangling(..) | Fault::Key(_) | Fault::Missing(_) | Fault::Mixed(_) | Fault::NotNewest(..)
        )
    };
    let newest = stored.lineage.newest().filter(|_| faults.iter().all(half_way))?;
    let done = relink(&lineage.directory, &lineage.name, newest.number);
    let (state, detail) = match &done {
        Ok(()) => (
            State::Done,
            format!("a kill had left its links half-way ({fault}): they lead to version {}", newest.number),
        ),
        Err(error) => (State::Failed, format!("{fault}: {error}")),
    };
    let fix = done.err().map(|_| {
        format!(
            "link the four files of `{}/live/{}` to version {}",
            lineage.directory.display(),
            lineage.name,
            newest.number
        )
    });
    Some(Outcome { action: "relink".to_owned(), target: lineage.name.clone(), state, detail, fix })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::system::certbot::testing::{add, issue};

    #[test]
    fn renew_case_09_links_that_a_kill_left_half_way_are_mended_before_the_start() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path();
        let dates = ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        let authority = issue(directory, "prime", 1, &["prime.example.test"], dates);
        let lineage = Lineage { directory: directory.to_owned(), name: "prime".to_owned() };
        assert!(are_whole(&lineage));
        assert!(mend(&lineage).is_none());

        add(&authority, directory, "prime", 2, &["prime.example.test"], dates);
        let live = directory.join("live/prime");
        let link = |item: &str, number: u32| {
            let path = live.join(format!("{item}.pem"));
            let _ = std::fs::remove_file(&path);
            symlink(format!("../../archive/prime/{item}{number}.pem"), path).unwrap();
        };
        // At every point between the first link and the last, one of them may just be away.
        let items = ["cert", "privkey", "chain", "fullchain"];
        for done in 0..items.len() {
            for away in [false, true] {
                for (at, item) in items.iter().enumerate() {
                    link(item, if at < done { 2 } else { 1 });
                }
                if away {
                    std::fs::remove_file(live.join(format!("{}.pem", items[done]))).unwrap();
                }
                let outcome = mend(&lineage).unwrap();
                assert_eq!(outcome.state, State::Done, "{outcome:?}");
                assert!(are_whole(&lineage), "{done} {away}");
                assert!(std::fs::read_link(live.join("privkey.pem")).unwrap().ends_with("privkey2.pem"));
            }
        }
        // Of a third version there is only the key: it does not count.
        std::fs::copy(directory.join("archive/prime/privkey1.pem"), directory.join("archive/prime/privkey3.pem"))
            .unwrap();
        assert!(mend(&lineage).is_none());
    }
}
