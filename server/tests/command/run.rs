//! The program in a folder of its own.
use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub well: bool,
    pub out: String,
    pub err: String,
}

/// A folder in which the program is run.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lingbao"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LINGBAO_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env("LINGBAO_SERVER__LISTEN", "127.0.0.1:0")
            .env("LINGBAO_LOG__FORMAT", "json")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        Said {
            well: output.status.success(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn add_user(&self, login: &str, role: &str) -> Said {
        self.run(&[
            "user", "add", "--login", login, "--name", "李管", "--role", role,
        ])
    }

    /// Starts a command that goes on.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let file = |name: &str| std::fs::File::create(self.path(name)).unwrap();
        let child = self
            .command(arguments)
            .stdout(file("out.txt"))
            .stderr(file("log.txt"))
            .spawn()
            .unwrap();
        Running {
            child,
            out: self.path("out.txt"),
            log: self.path("log.txt"),
            address: String::new(),
        }
    }

    pub fn serve(&self) -> Running {
        self.serve_with(&[])
    }

    /// Serves, and waits until it answers.
    pub fn serve_with(&self, more: &[&str]) -> Running {
        let mut running = self.start(&[&["serve"], more].concat());
        running.wait_for("\"address\"");
        let log = running.log();
        let line = log.lines().find(|line| line.contains("\"address\""));
        let line: Value = serde_json::from_str(line.unwrap()).unwrap();
        running.address = line["address"].as_str().unwrap().to_owned();
        running
    }

    /// Paths of all files and folders in it.
    pub fn files(&self) -> Vec<String> {
        fn below(folder: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(root).unwrap();
                found.push(name.display().to_string());
                if path.is_dir() {
                    below(&path, root, found);
                }
            }
        }
        let mut found = Vec::new();
        below(self.0.path(), self.0.path(), &mut found);
        found.sort();
        found
    }
}

/// A command that goes on; killed when the test leaves it.
pub struct Running {
    child: Child,
    out: PathBuf,
    log: PathBuf,
    address: String,
}

impl Running {
    pub fn out(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it has said something, on either of its outputs.
    pub fn wait_for(&mut self, words: &str) {
        let begun = Instant::now();
        while !self.out().contains(words) && !self.log().contains(words) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", self.log());
            assert!(begun.elapsed() < PATIENCE, "{words}: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Status and body of an answer.
    pub fn get(&mut self, path: &str) -> (u16, String) {
        let (status, body, _) = self.fetch(path);
        (status, body)
    }

    /// Status, body and request id of an answer.
    pub fn fetch(&mut self, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        // HTTP/1.0: the body ends with the connection.
        let host = &self.address;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let id = head
            .lines()
            .find_map(|line| line.strip_prefix("x-request-id: "));
        (status, body.to_owned(), id.unwrap_or_default().to_owned())
    }

    /// Asks it to stop softly, and waits for its end.
    pub fn stop(&mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
        let begun = Instant::now();
        loop {
            if let Some(ended) = self.child.try_wait().unwrap() {
                return ended;
            }
            assert!(begun.elapsed() < PATIENCE, "{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
