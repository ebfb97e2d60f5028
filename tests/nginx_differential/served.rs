//! A real nginx in the foreground, with a folder of its own, ended by its pid.

use std::{
    collections::BTreeMap,
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use mainstay::rules::nginx::{Config, Source, parse_dump, parse_files};
use tempfile::TempDir;

use crate::compare::Asked;

/// The files beside the main one.
#[derive(Default)]
pub struct Files(BTreeMap<String, String>);

impl Files {
    /// Adds one.
    pub fn add(&mut self, name: &str, text: &str) {
        self.0.insert(name.to_owned(), text.to_owned());
    }
}

/// A running nginx.
pub struct Nginx {
    child: Child,
    folder: TempDir,
    program: PathBuf,
}

impl Nginx {
    /// Starts it and waits until the ports of the requests that can be reached answer.
    pub fn start(program: &Path, files: &Files, http: &str, requests: &[Asked]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for nginx");
        let root = folder.path().display();
        for (name, text) in &files.0 {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {root}/{name};\n"))
            .concat();
        let text = format!(
            "daemon off;\nmaster_process off;\npid {root}/pid;\nerror_log {root}/error.log;\nevents {{ worker_connections 512; }}\n\
             http {{\naccess_log off;\nserver_names_hash_bucket_size 128;\nroot {root}/nothing;\n{temporary}{http}\ninclude sites/*.conf;\n}}\n"
        );
        fs::write(folder.path().join("nginx.conf"), text).expect("written");
        let child = Command::new(program)
            .arg("-e")
            .arg(folder.path().join("error.log"))
            .arg("-c")
            .arg(folder.path().join("nginx.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let mut nginx = Self { child, folder, program: program.to_owned() };
        nginx.wait(requests);
        nginx
    }

    /// What `nginx -T` prints, parsed; the same as what the files say.
    pub fn evaluated(&self) -> Config {
        let main = self.folder.path().join("nginx.conf");
        let output = Command::new(&self.program).arg("-T").arg("-c").arg(&main).output().expect("nginx -T runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let dump = String::from_utf8_lossy(&output.stdout).into_owned();
        let dumped = parse_dump(&dump).unwrap_or_else(|error| panic!("{error}"));
        let read = parse_files(&main.display().to_string(), &Folder).unwrap_or_else(|error| panic!("{error}"));
        assert!(dumped == read, "the dump and the files are read alike");
        dumped
    }

    fn wait(&mut self, requests: &[Asked]) {
        let until = Instant::now() + Duration::from_secs(20);
        while !requests.iter().any(|request| TcpStream::connect((request.address, request.port)).is_ok()) {
            let ended = self.child.try_wait().expect("nginx can be asked");
            if ended.is_some() || Instant::now() > until {
                let log = fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default();
                panic!("nginx did not start: {ended:?}\n{log}");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether nginx accepts the `nginx.conf` of the folder.
pub fn accepts(program: &Path, folder: &Path) -> bool {
    let status = Command::new(program)
        .args(["-t", "-q", "-e", "stderr", "-c"])
        .arg(folder.join("nginx.conf"))
        .stderr(Stdio::null())
        .status();
    status.expect("nginx -t runs").success()
}

/// The files of this machine.
pub struct Folder;

impl Source for Folder {
    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(path).ok()
    }

    /// Only a star in the last part, which is what these configurations use.
    fn glob(&self, pattern: &str) -> Vec<String> {
        let Some((folder, last)) = pattern.rsplit_once('/') else { return Vec::new() };
        let Some((before, after)) = last.split_once('*') else { return Vec::new() };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names
            .filter(|name| name.starts_with(before) && name.ends_with(after) && !name.starts_with('.'))
            .map(|name| format!("{folder}/{name}"))
            .collect()
    }
}

/// Ports of loopback that nobody listens on now.
pub fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("0.0.0.0:0").expect("a free port")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("its address").port()).collect()
}
