use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use types::{Did, Handle};

use super::Home;
use crate::{Error, Result, repo::Write};

/// Everything that ever changed the network, in order. Applying the operations again gives the same commits, CIDs,
/// sequence numbers and times; signatures are kept because making them is what takes long.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Op {
    Genesis {
        seed: u64,
    },
    /// The content of a new devnet is complete.
    Filled,
    Account {
        did: Did,
        handle: Handle,
        home: Home,
        password: String,
        time: u64,
        signature: String,
    },
    Commit {
        did: Did,
        time: u64,
        writes: Vec<Write>,
        signature: String,
    },
    Blob {
        did: Did,
        cid: String,
        mime: String,
        size: u64,
    },
    HoldBlob {
        hold: usize,
        digest: types::Digest,
        size: u64,
    },
    Handle {
        did: Did,
        handle: Handle,
        time: u64,
    },
    Status {
        did: Did,
        status: Option<String>,
        time: u64,
    },
    Raw {
        time: u64,
        frame: String,
        text: Option<String>,
    },
}

/// The file of operations, a JSON object a line.
pub(crate) struct OpLog {
    file: File,
    path: PathBuf,
}

impl OpLog {
    /// Reads what is there and opens it for more. A last line without its end (the process was killed) is cut off.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Op>)> {
        let failed = || Error::file(path);
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed())?;
        let text = std::fs::read(path).map_err(failed())?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            tracing::warn!(cut = text.len() - whole, "the operation log ended in a torn line, which is cut off");
            file.set_len(whole as u64).map_err(failed())?;
        }
        let lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let ops = lines
            .enumerate()
            .map(|(index, line)| serde_json::from_slice(line).map_err(|source| Error::Log { line: index + 1, source }))
            .collect::<Result<_>>()?;
        Ok((Self { file, path: path.to_owned() }, ops))
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(Error::file(&self.path))
    }

    pub(crate) fn append(&mut self, op: &Op) -> Result<()> {
        let mut line = serde_json::to_vec(op).map_err(|error| Error::Encode(error.to_string()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(Error::file(&self.path))
    }
}
