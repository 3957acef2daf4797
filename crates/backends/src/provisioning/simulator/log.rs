//! The state file: `snapshot.jsonl` and, after it, `log.jsonl`, a change a line.
//!
//! A change is on the disk before it is answered. A line without its end was never answered and is
//! cut off. The log is replayed whole over a snapshot that may already hold it: changes name final
//! states, so this gives the same; a crash between the two steps of [`Log::compact`] is harmless.
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::state::{Change, State};

/// At so many bytes of log a snapshot is written.
const COMPACT_BYTES: u64 = 16 << 20;

/// The open state file. The log is locked for as long as it lives.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    log: File,
    length: u64,
    broken: bool,
}

impl Log {
    /// Opens the state file in a folder, or begins one.
    ///
    /// # Errors
    /// If the folder can't be used, another process holds it, or a whole line can't be read.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, State)> {
        fs::create_dir_all(folder)?;
        let log = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("log.jsonl"))?;
        log.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("{} is in use by another process", folder.display()),
            ),
            fs::TryLockError::Error(error) => error,
        })?;
        sync_folder(folder)?;
        let mut state = State::default();
        match File::open(folder.join("snapshot.jsonl")) {
            Ok(file) => {
                replay(&file, &mut state)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let length = replay(&log, &mut state)?;
        log.set_len(length)?;
        let this = Self {
            folder: folder.to_owned(),
            log,
            length,
            broken: false,
        };
        Ok((this, state))
    }

    /// Writes changes down for good.
    ///
    /// # Errors
    /// If they can't be written; then they are not in the file.
    pub(super) fn append(&mut self, changes: &[Change]) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("the state file could not be repaired"));
        }
        let mut text = Vec::new();
        for change in changes {
            serde_json::to_writer(&mut text, change)?;
            text.push(b'\n');
        }
        self.log.seek(SeekFrom::Start(self.length))?;
        let written = self
            .log
            .write_all(&text)
            .and_then(|()| self.log.sync_data());
        if let Err(error) = written {
            // What was not answered must not come back at the next start.
            let cut = self
                .log
                .set_len(self.length)
                .and_then(|()| self.log.sync_data());
            self.broken = cut.is_err();
            return Err(error);
        }
        self.length += text.len() as u64;
        Ok(())
    }

    /// Takes no more changes: what is in memory is not what is on the disk.
    pub(super) const fn close(&mut self) {
        self.broken = true;
    }

    /// Whether the log is so long that a snapshot pays.
    pub(super) const fn is_long(&self) -> bool {
        self.length > COMPACT_BYTES
    }

    /// Writes a snapshot and empties the log.
    ///
    /// # Errors
    /// If it can't be written; the state file is whole all the same.
    pub(super) fn compact(&mut self, state: &State) -> io::Result<()> {
        let new = self.folder.join("snapshot.new");
        let mut file = BufWriter::new(File::create(&new)?);
        for change in state.lines() {
            serde_json::to_writer(&mut file, &change)?;
            file.write_all(b"\n")?;
        }
        file.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        fs::rename(&new, self.folder.join("snapshot.jsonl"))?;
        sync_folder(&self.folder)?;
        self.log.set_len(0)?;
        self.log.sync_data()?;
        self.length = 0;
        Ok(())
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Applies each whole line and says how long they are together.
fn replay(file: &File, state: &mut State) -> io::Result<u64> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut length = 0;
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok(length);
        }
        let change = serde_json::from_slice(&line).map_err(|error| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("state file, byte {length}: {error}"),
            )
        })?;
        state.apply(change);
        length += read as u64;
    }
}
