//! The sockets of this machine that listen on a port, and whose they are, as the kernel tells it in `/proc`. Linux only.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use super::procfs;
use crate::rules::holder::{Listener, Owner};

/// Every TCP socket that listens on `port` in this network namespace, on both families.
///
/// # Errors
///
/// The kernel does not tell: not Linux, or `/proc` is not mounted.
pub fn listening(port: u16) -> io::Result<Vec<Listener>> {
    let sockets = sockets(port)?;
    if sockets.is_empty() {
        return Ok(Vec::new());
    }
    let mut listeners: Vec<Listener> =
        sockets.iter().map(|(address, _)| Listener { address: *address, owners: Vec::new() }).collect();
    // By pid, so that a master comes before its workers.
    for pid in procfs::pids() {
        let open = open_sockets(pid);
        for (listener, (_, inode)) in listeners.iter_mut().zip(&sockets) {
            if open.contains(inode) {
                listener.owners.extend(owner(pid));
            }
        }
    }
    Ok(listeners)
}

/// Whether nothing listens on `port`.
///
/// # Errors
///
/// As [`listening`].
pub fn is_free(port: u16) -> io::Result<bool> {
    sockets(port).map(|sockets| sockets.is_empty())
}

fn sockets(port: u16) -> io::Result<Vec<(IpAddr, u64)>> {
    let mut sockets = read(&fs::read_to_string("/proc/net/tcp")?, port);
    match fs::read_to_string("/proc/net/tcp6") {
        Ok(text) => sockets.extend(read(&text, port)),
        // A kernel without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(sockets)
}

/// Addresses and inodes of the listening sockets in a table of `/proc/net`: state 0A (proc(5), `enum` of tcp_states.h).
fn read(table: &str, port: u16) -> Vec<(IpAddr, u64)> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, local) = fields.get(1)?.split_once(':')?;
        let listens = *fields.get(3)? == "0A" && u16::from_str_radix(local, 16) == Ok(port);
        let inode = fields.get(9)?.parse().ok()?;
        Some((ip(address)?, inode)).filter(|_| listens)
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// Words of 32 bits, each in the machine's own order of bytes.
fn ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(IpAddr::from(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for at in 0..4 {
                bytes[at * 4..at * 4 + 4].copy_from_slice(&word(at)?);
            }
            Some(IpAddr::from(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

/// The inodes of the sockets that a process has open; none where it may not be looked at.
fn open_sockets(pid: u32) -> Vec<u64> {
    let folder = Path::new("/proc").join(pid.to_string()).join("fd");
    let inode = |entry: io::Result<fs::DirEntry>| {
        let target = fs::read_link(entry.ok()?.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    fs::read_dir(folder).into_iter().flatten().filter_map(inode).collect()
}

fn owner(pid: u32) -> Option<Owner> {
    let entry = |name: &str| Path::new("/proc").join(pid.to_string()).join(name);
    let mut arguments = procfs::arguments(pid).ok()?;
    // A title is padded with NULs.
    while arguments.pop_if(|word| word.is_empty()).is_some() {}
    Some(Owner {
        pid,
        command: fs::read_to_string(entry("comm")).ok()?.trim_end().to_owned(),
        arguments,
        cgroup: fs::read_to_string(entry("cgroup")).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100\n\
            \x20  1: 00000000:0051 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 100\n\
            \x20  2: 0100007F:0050 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4244 1 0 100\n\
            \x20  nonsense\n";
        // The file is in the order of bytes of a little machine.
        if cfg!(target_endian = "little") {
            assert_eq!(read(table, 80), [("127.0.0.1".parse().unwrap(), 4242)]);
            assert_eq!(ip("00000000000000000000000001000000"), Some("::1".parse().unwrap()));
        }
        assert_eq!((ip("0"), ip("zzzzzzzz")), (None, None));
    }

    #[test]
    fn a_socket_of_this_process_is_found_with_its_owner() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = listening(port).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].address, IpAddr::from(Ipv4Addr::LOCALHOST));
        assert!(found[0].owners.iter().any(|owner| owner.pid == std::process::id()), "{found:?}");
        assert!(!is_free(port).unwrap());
        drop(socket);
        assert!(is_free(port).unwrap());
    }
}
