//! Our lines of a table of cron, between markers; every other byte stays as it is.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::{
    Job, Settings, Task,
    mark::Mark,
    unit::{self, PATH},
};

/// A table of cron as far as we know it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    bytes: Vec<u8>,
    blocks: Vec<Block>,
}

/// Lines of ours, the markers included.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Block {
    pub mark: Mark,
    /// Where they are in the table, in bytes.
    pub range: Range<usize>,
}

impl Table {
    /// Finds our lines.
    ///
    /// # Errors
    ///
    /// A marker without its other half: what is ours cannot be told from what is not. With the line's number.
    pub fn read(bytes: Vec<u8>) -> Result<Self, String> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open: Option<(Mark, usize, usize)> = None;
        let mut at = 0;
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let end = at + line.len();
            let line = String::from_utf8_lossy(line);
            if let Some(mark) = Mark::read_begin(&line) {
                if let Some((mark, _, number)) = &open {
                    return Err(unfinished(mark, *number));
                }
                open = Some((mark, at, number + 1));
            } else if let Some((mark, start, _)) = open.take_if(|(mark, ..)| mark.end() == line.trim_end()) {
                blocks.push(Block { mark, range: start..end });
            }
            at = end;
        }
        match open {
            Some((mark, _, number)) => Err(unfinished(&mark, number)),
            None => Ok(Self { bytes, blocks }),
        }
    }

    /// The lines of one marker.
    pub(super) fn text(&self, block: &Block) -> String {
        String::from_utf8_lossy(&self.bytes[block.range.clone()]).into_owned()
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The table with these blocks gone and a new one in the place of the first, or at the end.
    pub(super) fn with(&self, gone: &[&Block], new: Option<&str>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut at = 0;
        let mut new = new;
        for block in gone {
            bytes.extend(&self.bytes[at..block.range.start]);
            bytes.extend(new.take().unwrap_or_default().as_bytes());
            at = block.range.end;
        }
        bytes.extend(&self.bytes[at..]);
        if let Some(new) = new {
            if bytes.last().is_some_and(|last| *last != b'\n') {
                bytes.push(b'\n');
            }
            bytes.extend(new.as_bytes());
        }
        bytes
    }
}

fn unfinished(mark: &Mark, number: usize) -> String {
    format!("line {number} begins the lines of the project {}, and there is no `{}`", mark.project, mark.end())
}

/// What the configuration wants: our lines with their markers.
pub(super) fn block(settings: &Settings) -> String {
    let mark = unit::mark(settings);
    let mut lines = vec![mark.begin()];
    for task in &settings.tasks {
        lines.push(line(settings, task));
        if task.job == Job::RenewCert {
            lines.push(format!("@reboot {}", command(settings, &["renew-cert", "--recover"])));
        }
    }
    lines.push(mark.end());
    lines.join("\n") + "\n"
}

/// The line of one job.
pub(super) fn line(settings: &Settings, task: &Task) -> String {
    let fields = task.calendar.cron(spread(settings, task.job));
    format!("{fields} {}", command(settings, task.job.command()))
}

/// A number of this machine and job, which stays the same: so that not all machines ask at the same minute.
pub(super) fn spread(settings: &Settings, job: Job) -> u16 {
    let digest = Sha256::digest(format!("{}\0{}\0{job}", settings.host, settings.project));
    u16::from_be_bytes([digest[0], digest[1]])
}

/// A command for `/bin/sh`. Settings of the table itself (`PATH=…` on a line) would hold for lines of others too.
fn command(settings: &Settings, words: &[&str]) -> String {
    let all = [settings.binary.as_str(), "--config", &settings.config, "--quiet"];
    let file = shell_words::quote(&settings.home.variables);
    let mut text = format!("if [ -r {file} ]; then set -a; . {file}; set +a; fi; PATH={PATH} ");
    if !settings.state_follows {
        let state = settings.state.folder().display().to_string();
        text.push_str(&format!("MAINSTAY_STATE={} ", shell_words::quote(&state)));
    }
    text.push_str(&shell_words::join(all.iter().chain(words)));
    // crontab(5): a bare percent sign ends the command.
    text.replace('%', "\\%")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OURS: &str = "# BEGIN mainstay prime: written by mainstay timers install, configuration /srv/m.toml\n* * * * * x\n# END mainstay prime\n";

    #[test]
    fn our_lines_are_found_among_others_and_half_of_them_is_an_error() {
        let table = Table::read(format!("MAILTO=a\n{OURS}5 * * * * b\n").into_bytes()).unwrap();
        let [block] = table.blocks() else { panic!("{table:?}") };
        assert_eq!(table.text(block), OURS);
        assert_eq!(table.with(&[block], None), b"MAILTO=a\n5 * * * * b\n");
        assert_eq!(table.with(&[block], Some("new\n")), b"MAILTO=a\nnew\n5 * * * * b\n");
        assert_eq!(Table::read(b"* * * * * a".to_vec()).unwrap().with(&[], Some("new\n")), b"* * * * * a\nnew\n");
        for (half, line) in
            [(OURS.replace("# END", "#END"), 1), (format!("x\n{}", OURS.repeat(2).replacen("# END", "", 1)), 2)]
        {
            let error = Table::read(half.into_bytes()).unwrap_err();
            assert!(error.starts_with(&format!("line {line} begins")), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_others_wrote_stays_byte_for_byte(before in others(), after in others(), new in "[a-z]{0,5}") {
            let new = OURS.replace('x', &new);
            let table = Table::read([&before[..], OURS.as_bytes(), &after].concat()).unwrap();
            prop_assert_eq!(table.with(&[&table.blocks()[0]], Some(&new)), [&before[..], new.as_bytes(), &after].concat());
            prop_assert_eq!(table.with(&[&table.blocks()[0]], None), [&before[..], &after].concat());
            let fresh = Table::read(before.clone()).unwrap();
            let with = Table::read(fresh.with(&[], Some(OURS))).unwrap();
            prop_assert_eq!(with.with(&[&with.blocks()[0]], None), before);
        }

        #[test]
        fn no_table_panics(bytes in prop::collection::vec(prop_oneof![Just(OURS.as_bytes().to_vec()), prop::collection::vec(any::<u8>(), 0..40)], 0..4)) {
            let _ = Table::read(bytes.concat());
        }
    }

    /// Whole lines of anything.
    fn others() -> impl Strategy<Value = Vec<u8>> {
        let line = prop::collection::vec(any::<u8>().prop_filter("no line end", |byte| *byte != b'\n'), 0..20);
        prop::collection::vec(line, 0..4).prop_map(|lines| {
            lines
                .into_iter()
                .flat_map(|mut line| {
                    line.push(b'\n');
                    line
                })
                .collect()
        })
    }
}
