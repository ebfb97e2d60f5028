//! How many connections this process may still open, and when the machine refused another one.

use std::io;

use rustix::{
    io::Errno,
    process::{Resource, getrlimit},
};

/// What a site takes at once: for each of two addresses the visit, a foreign Host, the walk from port 80 and two older
/// protocol versions; and the resolver.
const OF_A_SITE: u64 = 12;

/// What the process itself has open: the streams, the runtime's own, outputs, programs that it runs.
const OF_THE_PROCESS: u64 = 24;

/// How many sites fit into the limit of open files (`ulimit -n`); at least one.
pub fn sites() -> usize {
    fit(getrlimit(Resource::Nofile).current)
}

/// Whether it was this machine that had nothing left, and not the other side that refused.
pub fn is_exhausted(error: &io::Error) -> bool {
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error.raw_os_error().is_some_and(|code| exhausted.iter().any(|errno| errno.raw_os_error() == code))
}

fn fit(limit: Option<u64>) -> usize {
    let sites = limit.map(|limit| limit.saturating_sub(OF_THE_PROCESS) / OF_A_SITE);
    sites.map_or(usize::MAX, |sites| usize::try_from(sites.max(1)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_bounds_the_sites() {
        assert_eq!((fit(Some(0)), fit(Some(64)), fit(Some(1024)), fit(None)), (1, 3, 83, usize::MAX));
    }

    #[test]
    fn a_lack_of_descriptors_is_ours_and_a_refusal_is_not() {
        assert!(is_exhausted(&Errno::MFILE.into()));
        assert!(!is_exhausted(&Errno::CONNREFUSED.into()));
        assert!(!is_exhausted(&io::Error::other("too many open files")));
    }
}
