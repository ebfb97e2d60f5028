//! Reads what `docker top` (or `podman top`) prints.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Process;

/// The processes of a table with a heading; `now` is when it was printed. `None` without the columns that are needed.
///
/// Elapsed time, not the start time: `lstart` is written in the language and time zone of the engine, `etimes` is a
/// number everywhere. It is cut to whole seconds, so a start is told at most one second late, never early: whoever
/// compares it with a file's time raises no false alarm. podman's has fractions, which are worth nothing.
pub(super) fn processes(table: &str, now: Timestamp) -> Option<Vec<Process>> {
    let mut lines = table.lines();
    let heading: Vec<String> = lines.next()?.split_whitespace().map(str::to_uppercase).collect();
    let column = |names: &[&str]| heading.iter().position(|title| names.contains(&title.as_str()));
    let (pid, parent) = (column(&["PID", "HPID"])?, column(&["PPID"])?);
    let elapsed = column(&["ELAPSED"]);
    // The arguments are last and may hold blanks; every other column is one word.
    let last = column(&["COMMAND", "CMD", "ARGS"]).filter(|at| at + 1 == heading.len())?;
    let mut processes = Vec::new();
    for line in lines {
        let mut rest = line.trim();
        let mut fields = Vec::new();
        while fields.len() < last {
            let Some((field, more)) = rest.split_once(char::is_whitespace) else { break };
            fields.push(field);
            rest = more.trim_start();
        }
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok());
        let (Some(pid), Some(parent)) = (number(pid), number(parent)) else { continue };
        let age = elapsed.and_then(|at| fields.get(at)).and_then(|field| duration(field));
        let started = age.and_then(|age| now.checked_sub(SignedDuration::try_from(age).ok()?).ok());
        processes.push(Process { pid, parent, started, arguments: rest.to_owned() });
    }
    Some(processes)
}

/// `93784`, `1-02:03:04`, `03:04`, `5m3.12s`, `2h0m1s`: seconds, the clock form of `ps`, and podman's.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    if text.ends_with(char::is_alphabetic) {
        // Counted from the kernel's `btime`, which is cut to the second: up to one second too long (seen with 4.3.1).
        return Some(spelled(text)?.saturating_sub(Duration::from_secs(1)));
    }
    let (days, clock) = text.split_once('-').unwrap_or(("0", text));
    let mut seconds: u64 = 0;
    for part in clock.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    Some(Duration::from_secs(days.parse::<u64>().ok()?.checked_mul(86_400)?.checked_add(seconds)?))
}

fn spelled(text: &str) -> Option<Duration> {
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(char::is_alphabetic)?;
        let (number, more) = rest.split_at(digits);
        let unit_end = more.find(|c: char| !c.is_alphabetic()).unwrap_or(more.len());
        let (unit, more) = more.split_at(unit_end);
        let number: f64 = number.parse().ok()?;
        seconds += number
            * match unit {
                "d" => 86_400.0,
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "µs" | "us" => 1e-6,
                _ => return None,
            };
        rest = more;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_table_is_read() {
        let now: Timestamp = "2026-11-23T18:00:00Z".parse().unwrap();
        let procps = "PID                 PPID                ELAPSED             COMMAND\n\
                      4242                4200                3600                nginx: master process nginx -c /x/prod.conf\n\
                      4243                4242                5                   nginx: worker process\n";
        let list = processes(procps, now).unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].arguments, "nginx: master process nginx -c /x/prod.conf");
        assert_eq!(list[0].started, Some("2026-11-23T17:00:00Z".parse().unwrap()));
        assert_eq!((list[1].pid, list[1].parent), (4243, 4242));

        let full = "UID   PID   PPID  C  STIME  TTY  TIME      CMD\nroot  7  1  0  Nov22  ?  00:00:01  sleep 9\n";
        let expected = Process { pid: 7, parent: 1, started: None, arguments: "sleep 9".into() };
        assert_eq!(processes(full, now).unwrap(), [expected]);

        let podman = "PID  PPID  ELAPSED  COMMAND\n1  0  2h0m1.5s  nginx -g daemon off;\n";
        assert_eq!(processes(podman, now).unwrap()[0].started, Some("2026-11-23T15:59:59.5Z".parse().unwrap()));
    }

    #[test]
    fn elapsed_time_is_read_in_all_its_forms() {
        let seconds = |text: &str| duration(text).map(|age| age.as_secs());
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds("01:02"), Some(62));
        assert_eq!(seconds("1:01:02"), Some(3662));
        assert_eq!(seconds("2-01:01:02"), Some(2 * 86_400 + 3662));
        assert_eq!((seconds("1h2m3.9s"), seconds("400ms")), (Some(3722), Some(0)));
        for nonsense in ["", "-", "x", "1x", "99999999999999999999", "1:x", "-1", "999999999999999999-1:1"] {
            assert_eq!(seconds(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_table_without_the_needed_columns_is_refused() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(processes("", now), None);
        assert_eq!(processes("PID COMMAND\n1 x\n", now), None);
        assert_eq!(processes("PID PPID COMMAND\nnonsense\n", now), Some(vec![]));
    }
}
